// SPDX-License-Identifier: Apache-2.0
/*
 * The unwinder's body in a process of its own, without the sandbox: asked by a dumper that may have been taken over,
 * about registers and memory that mean harm. What it makes of honest ones, tests/e2e/dump.bats asks.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/dump/protocol.h"
#include "profiler/role/socket.h"
#include "tests/unit/dump_server.h"

#define CODE 0x400000ULL
#define STACK 0x7ff000000000ULL

struct asking {
	pid_t unwinder;
	int socket;
	struct socket_message m;
	uint32_t pages, files; /* that it asked for */
};

/* What its questions are answered with. */
typedef void (*page_fn)(uint64_t addr, unsigned char bytes[DUMP_PAGE_BYTES]);

static void begin(struct asking *x)
{
	*x = (struct asking){ 0 };
	x->unwinder = dump_server_start(unwinder_serve, &x->socket);
	assert_true(x->unwinder > 0);
	socket_message_init(&x->m, UNWINDER_MAX_REPLY_BYTES);
}

/* Its exit status, or 256 and the signal. */
static int end(struct asking *x)
{
	int status;

	close(x->socket);
	assert_int_equal(waitpid(x->unwinder, &status, 0), x->unwinder);
	socket_message_release(&x->m);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void tell(struct asking *x, uint32_t type, const void *bytes, size_t len)
{
	assert_int_equal(socket_send(x->socket, type, bytes, len, NULL, 0, deadline()), 0);
}

static void answer_page(struct asking *x, page_fn page)
{
	struct {
		struct unwinder_memory head;
		unsigned char bytes[DUMP_PAGE_BYTES];
	} answer = { .head.end = DUMP_END_BAD_READ };

	assert_int_equal(x->m.bytes.len, sizeof(uint64_t));
	memcpy(&answer.head.addr, x->m.bytes.data, sizeof(uint64_t));
	assert_int_equal(answer.head.addr % DUMP_PAGE_BYTES, 0);
	if (page) {
		page(answer.head.addr, answer.bytes);
		answer.head.len = DUMP_PAGE_BYTES;
	}
	x->pages++;
	tell(x, UNWINDER_MEMORY, &answer, sizeof(answer.head) + answer.head.len);
}

static void answer_file(struct asking *x, const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	uint32_t file;

	assert_int_equal(x->m.bytes.len, sizeof(file));
	memcpy(&file, x->m.bytes.data, sizeof(file));
	assert_int_equal(socket_send(x->socket, UNWINDER_FILE, &file, sizeof(file), &fd, fd >= 0,
				     deadline()),
			 0);
	if (fd >= 0)
		close(fd);
	x->files++;
}

static struct unwinder_done walk(struct asking *x, const struct unwinder_walk *w, page_fn page,
				 const char *path)
{
	struct unwinder_done done;

	tell(x, UNWINDER_WALK, w, sizeof(*w));
	for (;;) {
		assert_int_equal(socket_receive(x->socket, &x->m, deadline()), 0);
		if (x->m.type == UNWINDER_NEED_MEMORY)
			answer_page(x, page);
		else if (x->m.type == UNWINDER_NEED_FILE)
			answer_file(x, path);
		else
			break;
	}
	assert_int_equal(x->m.type, UNWINDER_DONE);
	assert_true(x->m.bytes.len >= sizeof(done));
	memcpy(&done, x->m.bytes.data, sizeof(done));
	assert_int_equal(x->m.bytes.len, sizeof(done) + done.count * sizeof(struct dump_frame));
	return done;
}

/* A chain of frame pointers that never ends: each pair leads to the next. */
static void endless(uint64_t addr, unsigned char bytes[DUMP_PAGE_BYTES])
{
	for (uint64_t at = 0; at < DUMP_PAGE_BYTES; at += 16) {
		const uint64_t pair[] = { addr + at + 16, CODE + 0x10 };

		memcpy(bytes + at, pair, sizeof(pair));
	}
}

/* And one that leads back to its beginning. */
static void circle(uint64_t addr, unsigned char bytes[DUMP_PAGE_BYTES])
{
	endless(addr, bytes);
	memcpy(bytes + 512, &(uint64_t){ STACK }, sizeof(uint64_t));
}

static struct unwinder_walk walk_at(uint64_t ip, uint64_t sp, uint64_t fp)
{
	struct unwinder_walk w = { 0 };

	w.registers.values[DUMP_RIP] = ip;
	w.registers.values[DUMP_RSP] = sp;
	w.registers.values[DUMP_RBP] = fp;
	return w;
}

static void test_stacks(void **state)
{
	static const struct unwinder_mapping made = { CODE, CODE + 0x1000, 0, UNWINDER_NO_FILE, 1 };
	static const struct unwinder_mapping of_file = { CODE, CODE + 0x1000, 0, 7, 0 };
	static const struct {
		const char *name;
		const struct unwinder_mapping *mapping;
		uint64_t ip, sp, fp;
		page_fn page;
		const char *file;
		enum dump_end end;
		uint32_t least, most; /* frames */
	} rows[] = {
		{ "nothing mapped", NULL, CODE, STACK, STACK, NULL, NULL, DUMP_END_NO_MAPPING, 1,
		  1 },
		{ "all ones", NULL, UINT64_MAX, UINT64_MAX, UINT64_MAX, endless, NULL,
		  DUMP_END_NO_MAPPING, 1, 1 },
		{ "no memory", &made, CODE, STACK, STACK, NULL, NULL, DUMP_END_BAD_READ, 1, 1 },
		{ "endless", &made, CODE, STACK, STACK, endless, NULL, DUMP_END_TOO_DEEP,
		  DUMP_MAX_FRAMES, DUMP_MAX_FRAMES },
		{ "a circle", &made, CODE, STACK, STACK, circle, NULL, DUMP_END_BAD_FRAME, 2, 100 },
		{ "fp below sp", &made, CODE, STACK + 64, STACK, endless, NULL, DUMP_END_BAD_FRAME,
		  1, 1 },
		{ "fp not aligned", &made, CODE, STACK, STACK + 4, endless, NULL,
		  DUMP_END_BAD_FRAME, 1, 1 },
		{ "fp at the top", &made, CODE, STACK, UINT64_MAX & ~7ULL, endless, NULL,
		  DUMP_END_BAD_FRAME, 1, 1 },
		{ "a file that can't be opened", &of_file, CODE, STACK, STACK, endless, NULL,
		  DUMP_END_NO_FILE, 1, 1 },
		{ "a file that is no ELF", &of_file, CODE, STACK, STACK, endless, "/etc/passwd",
		  DUMP_END_NO_INFO, 1, 1 },
		{ "a device", &of_file, CODE, STACK, STACK, endless, "/dev/zero", DUMP_END_NO_INFO,
		  1, 1 },
	};
	struct asking x;

	begin(&x);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unwinder_walk w = walk_at(rows[i].ip, rows[i].sp, rows[i].fp);
		struct unwinder_mapping m = { 0 };
		struct unwinder_done done;

		if (rows[i].mapping)
			m = *rows[i].mapping;
		if (m.file == 7)
			m.file += (uint32_t)i; /* another one each */
		tell(&x, UNWINDER_SPACE, &m, rows[i].mapping ? sizeof(m) : 0);
		done = walk(&x, &w, rows[i].page, rows[i].file);
		if (done.end != rows[i].end || done.count < rows[i].least ||
		    done.count > rows[i].most)
			fail_msg("%s: %u frames, then \"%s\"; should be %u to %u, then \"%s\"",
				 rows[i].name, done.count, dump_end_text(done.end), rows[i].least,
				 rows[i].most, dump_end_text(rows[i].end));
	}
	assert_int_equal(end(&x), EXIT_SUCCESS);
}

/* What a walk costs whoever is asked is bounded; a file is asked for once. */
static void test_asks(void **state)
{
	static const struct unwinder_mapping m = { CODE, CODE + 0x1000, 0, 9, 0 };
	struct unwinder_walk w = walk_at(CODE, STACK, STACK);
	struct asking x;

	begin(&x);
	tell(&x, UNWINDER_SPACE, &m, sizeof(m));
	for (int i = 0; i < 100; i++)
		walk(&x, &w, endless, NULL);
	assert_int_equal(x.files, 1);
	assert_in_range(x.pages, 0, 100 * 64);
	assert_int_equal(end(&x), EXIT_SUCCESS);
}

static void test_nonsense(void **state)
{
	static const struct unwinder_mapping backwards = { 2, 1, 0, 0, 0 };
	static const struct unwinder_mapping overlap[] = { { 1, 5, 0, 0, 0 }, { 4, 6, 0, 0, 0 } };
	static const struct unwinder_walk long_stack = { .stack_bytes = UINT32_MAX };
	static const struct unwinder_walk short_stack = { .stack_bytes = 8 };
	static const struct unwinder_walk high_stack = { .stack_addr = UINT64_MAX };
	static const struct {
		uint32_t type;
		const void *bytes;
		size_t len;
	} rows[] = {
		{ 0, NULL, 0 },
		{ 99, "x", 1 },
		{ UNWINDER_SPACE, "x", 1 },
		{ UNWINDER_SPACE, &backwards, sizeof(backwards) },
		{ UNWINDER_SPACE, overlap, sizeof(overlap) },
		{ UNWINDER_WALK, NULL, 0 },
		{ UNWINDER_WALK, "x", 1 },
		{ UNWINDER_WALK, &long_stack, sizeof(long_stack) },
		{ UNWINDER_WALK, &short_stack, sizeof(short_stack) },
		{ UNWINDER_WALK, &high_stack, sizeof(high_stack) - 1 },
		{ UNWINDER_MEMORY, NULL, 0 },
		{ UNWINDER_FILE, NULL, 0 },
		{ UNWINDER_DONE, NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asking x;
		int r;

		begin(&x);
		tell(&x, rows[i].type, rows[i].bytes, rows[i].len);
		r = socket_receive(x.socket, &x.m, deadline());
		if (r != -EPIPE)
			fail_msg("row %zu: %d, should be the end", i, r);
		assert_int_equal(end(&x), EXIT_FAILURE);
	}
}

/* Its questions answered with something else. */
static void test_wrong_answers(void **state)
{
	static const struct unwinder_mapping m = { CODE, CODE + 0x1000, 0, UNWINDER_NO_FILE, 1 };
	static const struct unwinder_memory other = { .addr = 4096 };
	static const struct unwinder_memory part = { .addr = STACK, .len = 8 };
	static const struct {
		uint32_t type;
		const void *bytes;
		size_t len;
	} rows[] = {
		{ UNWINDER_FILE, NULL, 0 },
		{ UNWINDER_MEMORY, NULL, 0 },
		{ UNWINDER_MEMORY, &other, sizeof(other) },
		{ UNWINDER_MEMORY, &part, sizeof(part) },
		{ UNWINDER_WALK, &part, sizeof(part) },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unwinder_walk w = walk_at(CODE, STACK, STACK);
		struct asking x;

		begin(&x);
		tell(&x, UNWINDER_SPACE, &m, sizeof(m));
		tell(&x, UNWINDER_WALK, &w, sizeof(w));
		assert_int_equal(socket_receive(x.socket, &x.m, deadline()), 0);
		assert_int_equal(x.m.type, UNWINDER_NEED_MEMORY);
		tell(&x, rows[i].type, rows[i].bytes, rows[i].len);
		assert_int_equal(socket_receive(x.socket, &x.m, deadline()), -EPIPE);
		assert_int_equal(end(&x), EXIT_FAILURE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_asks),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_wrong_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
