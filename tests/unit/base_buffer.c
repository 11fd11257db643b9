// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "tests/unit/torture.h"

static void appends_in_order(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	char *p;

	buffer_text(&b, "one");
	buffer_append(&b, "\0two", 4);
	buffer_append(&b, NULL, 0);
	buffer_printf(&b, "%d %s", 3, "three");
	p = buffer_extend(&b, 2);
	assert_non_null(p);
	p[0] = '!';
	p[1] = '?';
	assert_int_equal(buffer_error(&b), 0);
	assert_int_equal(b.len, 16);
	assert_memory_equal(b.data, "one\0two3 three!?", 16);
	buffer_release(&b);
}

/* Pieces of every length, by both ways of writing, over many growths. */
static void what_is_written_is_there(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	size_t at = 0;
	char piece[700];

	for (int len = 0; len < 699; len++) {
		memset(piece, 'a' + len % 26, (size_t)len);
		piece[len] = '\0';
		if (len % 2)
			buffer_printf(&b, "%s", piece);
		else
			buffer_text(&b, piece);
	}
	assert_int_equal(buffer_error(&b), 0);
	for (int len = 0; len < 699; len++)
		for (int i = 0; i < len; i++, at++)
			if (b.data[at] != 'a' + len % 26)
				fail_msg("byte %zu: got '%c', want '%c'", at, b.data[at],
					 'a' + len % 26);
	assert_int_equal(b.len, at);
	buffer_release(&b);
}

static void a_c_string_has_a_nul_behind_it(void **state)
{
	struct buffer b = BUFFER_INIT(3);
	const char *s = buffer_cstr(&b);

	assert_non_null(s);
	assert_string_equal(s, "");
	buffer_text(&b, "abc"); /* full: the NUL is not counted */
	s = buffer_cstr(&b);
	assert_non_null(s);
	assert_string_equal(s, "abc");
	assert_int_equal(b.len, 3);
	buffer_release(&b);
}

static void the_maximum_holds(void **state)
{
	static const size_t maxima[] = { 0, 1, 255, 256, 257, 1000, 100000 };

	for (size_t i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		struct buffer b = BUFFER_INIT(maxima[i]);

		for (size_t n = 0; n < maxima[i]; n++)
			buffer_append(&b, "x", 1);
		assert_int_equal(buffer_error(&b), 0);
		assert_int_equal(b.len, maxima[i]);
		assert_true(b.capacity <= maxima[i] + 1);
		buffer_append(&b, "x", 1);
		assert_int_equal(buffer_error(&b), -E2BIG);
		assert_int_equal(b.len, maxima[i]);
		buffer_release(&b);
	}
}

static void printf_is_bounded_too(void **state)
{
	struct buffer b = BUFFER_INIT(5);

	buffer_printf(&b, "%s", "12345");
	assert_int_equal(buffer_error(&b), 0);
	buffer_clear(&b);
	buffer_printf(&b, "%s", "123456");
	assert_int_equal(buffer_error(&b), -E2BIG);
	assert_int_equal(b.len, 0);
	buffer_release(&b);
}

static void the_first_error_sticks(void **state)
{
	struct buffer b = BUFFER_INIT(4);

	buffer_text(&b, "ab");
	buffer_text(&b, "cde");
	assert_int_equal(buffer_error(&b), -E2BIG);
	buffer_text(&b, "c"); /* would fit */
	buffer_printf(&b, "c");
	buffer_append(&b, "c", 1);
	assert_null(buffer_extend(&b, 1));
	assert_null(buffer_extend(&b, 0));
	assert_null(buffer_cstr(&b));
	assert_int_equal(b.len, 2);
	buffer_clear(&b);
	assert_int_equal(buffer_error(&b), 0);
	buffer_text(&b, "abcd");
	assert_int_equal(b.len, 4);
	buffer_release(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 4);
}

static void absurd_lengths_are_refused(void **state)
{
	struct buffer b = BUFFER_INIT(SIZE_MAX);

	buffer_text(&b, "x");
	assert_null(buffer_extend(&b, SIZE_MAX));
	assert_int_equal(buffer_error(&b), -E2BIG);
	buffer_clear(&b);
	buffer_text(&b, "x");
	assert_null(buffer_extend(&b, SIZE_MAX - 1));
	assert_int_equal(buffer_error(&b), -ENOMEM);
	buffer_release(&b);
}

/* A file of `len` bytes, each its place modulo 251, read from its start. */
static int file_of(size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	uint8_t *bytes = malloc(len + 1);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i % 251);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	free(bytes);
	return fd;
}

static void reads_whole_files(void **state)
{
	static const struct {
		size_t len, max;
		int r;
	} rows[] = {
		{ 0, 0, 0 },
		{ 1, 0, -E2BIG },
		{ 0, 1, 0 },
		{ 1, 1, 0 },
		{ 2, 1, -E2BIG },
		{ 16384, 16384, 0 },
		{ 16385, 16384, -E2BIG },
		{ 16384, 16385, 0 },
		{ 100000, 1 << 20, 0 },
		{ 100000, 100000, 0 },
		{ 100000, 99999, -E2BIG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(fd_close) int fd = file_of(rows[i].len);
		struct buffer b = BUFFER_INIT(rows[i].max);
		int r = buffer_read_fd(&b, fd);

		if (r != rows[i].r)
			fail_msg("%zu bytes into %zu: got %d, want %d", rows[i].len, rows[i].max, r,
				 rows[i].r);
		assert_int_equal(b.len, rows[i].len < rows[i].max ? rows[i].len : rows[i].max);
		for (size_t n = 0; n < b.len; n++)
			assert_int_equal((uint8_t)b.data[n], n % 251);
		buffer_release(&b);
	}
}

static void reads_behind_what_is_there(void **state)
{
	_cleanup_(fd_close) int fd = file_of(2);
	struct buffer b = BUFFER_INIT(5);

	buffer_text(&b, "abc");
	assert_int_equal(buffer_read_fd(&b, fd), 0);
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "abc\0\1", 5);
	buffer_release(&b);
}

static void a_failed_read_says_why(void **state)
{
	struct buffer b = BUFFER_INIT(5);

	assert_int_equal(buffer_read_fd(&b, -1), -EBADF);
	assert_int_equal(buffer_error(&b), 0);
	buffer_text(&b, "too long");
	assert_int_equal(buffer_read_fd(&b, -1), -E2BIG);
	buffer_release(&b);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* Signals without SA_RESTART interrupt reads and writes of a pipe; its other end is slow and short. */
static void signals_interrupt_nothing(void **state)
{
	struct sigaction act = { .sa_handler = on_signal }, old;
	struct buffer b = BUFFER_INIT(3 << 20);
	int down[2], up[2];
	char *sent = malloc(3 << 20);
	pid_t child;

	assert_non_null(sent);
	memset(sent, 'x', 3 << 20);
	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char part[10000];

		close(down[1]);
		close(up[0]);
		while (read(down[0], part, sizeof(part)) > 0) {
			kill(getppid(), SIGUSR1);
			if (write(up[1], part, 1) != 1)
				_exit(1);
		}
		for (int i = 0; i < 20; i++) {
			usleep(1000);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	assert_int_equal(fd_write_all(down[1], sent, 3 << 20), 0);
	close(down[1]);
	assert_int_equal(buffer_read_fd(&b, up[0]), 0);
	assert_true(b.len >= (3 << 20) / 10000);
	close(up[0]);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	free(sent);
	buffer_release(&b);
}

/* The same where the buffer is full and only the end of the file is waited for. */
static void signals_do_not_end_a_full_read(void **state)
{
	struct sigaction act = { .sa_handler = on_signal }, old;
	struct buffer b = BUFFER_INIT(1);
	pid_t child;
	int p[2];

	assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		for (int i = 0; i < 20; i++) {
			usleep(1000);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(buffer_read_fd(&b, p[0]), 0);
	assert_int_equal(b.len, 1);
	close(p[0]);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	buffer_release(&b);
}

static void a_failed_write_says_why(void **state)
{
	_cleanup_(fd_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	assert_int_equal(fd_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_all(full, NULL, 0), 0);
	assert_int_equal(fd_write_all(-1, "x", 1), -EBADF);
}

static int write_much(void *ctx)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	int r;

	for (int i = 0; i < 2000; i++)
		buffer_printf(&b, "%d,", i);
	buffer_append(&b, "end", 3);
	r = buffer_error(&b);
	assert_int_equal(buffer_cstr(&b) == NULL, r != 0);
	buffer_release(&b);
	return r;
}

static int read_much(void *ctx)
{
	_cleanup_(fd_close) int fd = memfd_create("test", MFD_CLOEXEC);
	struct buffer b = BUFFER_INIT(1 << 20);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 200000), 0);
	r = buffer_read_fd(&b, fd);
	assert_int_equal(r, buffer_error(&b));
	buffer_release(&b);
	return r;
}

static void survives_without_memory(void **state)
{
	assert_true(torture(write_much, NULL) > 5);
	assert_true(torture(read_much, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_in_order),
		cmocka_unit_test(what_is_written_is_there),
		cmocka_unit_test(a_c_string_has_a_nul_behind_it),
		cmocka_unit_test(the_maximum_holds),
		cmocka_unit_test(printf_is_bounded_too),
		cmocka_unit_test(the_first_error_sticks),
		cmocka_unit_test(absurd_lengths_are_refused),
		cmocka_unit_test(reads_whole_files),
		cmocka_unit_test(reads_behind_what_is_there),
		cmocka_unit_test(a_failed_read_says_why),
		cmocka_unit_test(signals_interrupt_nothing),
		cmocka_unit_test(signals_do_not_end_a_full_read),
		cmocka_unit_test(a_failed_write_says_why),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
