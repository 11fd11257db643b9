// SPDX-License-Identifier: Apache-2.0
#include "profiler/opener/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/opener/protocol.h"
#include "tests/unit/torture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a source whose texts are as long as it is told ---- */

struct fake {
	size_t text_bytes[4]; /* of pids 0 to 3; SIZE_MAX: -ESRCH */
	uint32_t reads;
	int open_result;
	const char *file; /* what is opened */
	struct file_place opened;
};

static int fake_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	struct fake *f = ctx;
	size_t len = f->text_bytes[pid % COUNT(f->text_bytes)], room = out->max - out->len;
	char *p;

	f->reads++;
	if (len == SIZE_MAX)
		return -ESRCH;
	p = buffer_extend(out, len < room ? len : room);
	if (!p)
		return buffer_error(out);
	memset(p, 'a' + (int)what, len < room ? len : room);
	return 0;
}

static int fake_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct fake *f = ctx;

	f->opened = *place;
	if (f->open_result >= 0 && !(f->open_result & PROCESS_FILE_SLOW))
		*ret_fd = open(f->file, O_RDONLY | O_CLOEXEC);
	return f->open_result;
}

static int fake_perfmap(void *ctx, uint32_t pid, uint64_t start_ns, int *ret_fd)
{
	const struct file_place place = { .pid = pid, .start = start_ns };

	return fake_open(ctx, &place, ret_fd);
}

static int fake_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	struct fake *f = ctx;

	if (f->open_result < 0)
		return f->open_result;
	buffer_printf(out, "1 .\n2 %s%s\n", mount, path);
	return 0;
}

/* ---- a conversation ---- */

struct bench {
	struct fake fake;
	struct process_source source;
	struct socket_message request;
	struct opener_reply reply;
	size_t at;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->source = (struct process_source){
		.ctx = &b->fake,
		.read = fake_read,
		.open = fake_open,
		.fetch = fake_open,
		.perfmap = fake_perfmap,
		.cgroup = fake_cgroup,
	};
	socket_message_init(&b->request, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&b->reply);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	socket_message_release(&b->request);
	opener_reply_release(&b->reply);
	free(b);
	return 0;
}

static int answer(struct bench *b, uint32_t type, const void *bytes, size_t len)
{
	b->request.type = type;
	buffer_clear(&b->request.bytes);
	buffer_append(&b->request.bytes, bytes, len);
	opener_reply_clear(&b->reply);
	b->at = 0;
	return opener_answer(
		&b->source, type == OPENER_FETCH || type == OPENER_DEBUG || type == OPENER_PACKAGES,
		&b->request, &b->reply);
}

static void expect_result(struct bench *b, int32_t status, size_t len, char byte)
{
	struct opener_result got;
	const char *bytes;

	assert_int_equal(opener_result_parse(&b->reply.bytes, &b->at, &got, &bytes), 0);
	assert_int_equal(got.status, status);
	assert_int_equal(got.len, len);
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != byte)
			fail_msg("byte %zu of %zu: got %d, want %d", i, len, bytes[i], byte);
}

static void expect_end(struct bench *b)
{
	assert_int_equal(b->at, b->reply.bytes.len);
}

static void texts_in_order(void **state)
{
	static const struct opener_text texts[] = {
		{ PROCESS_TEXT_STAT, 1 },
		{ PROCESS_TEXT_MAPS, 2 },
		{ PROCESS_TEXT_MAPS, 3 },
		{ PROCESS_TEXT_MAPS, 0 },
	};
	struct bench *b = *state;

	b->fake.text_bytes[0] = 0;
	b->fake.text_bytes[1] = 10;
	b->fake.text_bytes[2] = SIZE_MAX;
	b->fake.text_bytes[3] = 100000;
	assert_int_equal(answer(b, OPENER_READ, texts, sizeof(texts)), 0);
	expect_result(b, 0, 10, 'b');
	expect_result(b, -ESRCH, 0, 0);
	expect_result(b, 0, 100000, 'a');
	expect_result(b, 0, 0, 0);
	expect_end(b);
	assert_int_equal(b->reply.fd_count, 0);
}

/* What doesn't fit is whole or not there; only the first may be cut. */
static void texts_beyond_the_room(void **state)
{
	static const struct opener_text texts[] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 0, 3 } };
	const size_t head = sizeof(struct opener_result);
	const size_t full = OPENER_FULL_REPLY_BYTES;
	const size_t most =
		OPENER_MAX_REPLY_BYTES - OPENER_MAX_TEXTS * sizeof(struct opener_result) - head;
	const struct {
		size_t bytes[4], got[4]; /* SIZE_MAX: -EAGAIN */
		uint32_t reads;
	} rows[] = {
		{ { 10, full, 5, 5 }, { 10, SIZE_MAX, 5, 5 }, 4 },
		{ { 10, full - 10 - 2 * head, 5, 5 }, { 10, SIZE_MAX, 5, 5 }, 4 },
		{ { 10, full - 11 - 2 * head, 5, 5 },
		  { 10, full - 11 - 2 * head, SIZE_MAX, SIZE_MAX },
		  2 },
		{ { full, 5, 5, 5 }, { full, SIZE_MAX, SIZE_MAX, SIZE_MAX }, 1 },
		{ { most, 5, 5, 5 }, { most, SIZE_MAX, SIZE_MAX, SIZE_MAX }, 1 },
		{ { most + 1, 5, 5, 5 }, { most, SIZE_MAX, SIZE_MAX, SIZE_MAX }, 1 },
		{ { SIZE_MAX - 1, 5, 5, 5 }, { most, SIZE_MAX, SIZE_MAX, SIZE_MAX }, 1 },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		memcpy(b->fake.text_bytes, rows[i].bytes, sizeof(rows[i].bytes));
		b->fake.reads = 0;
		assert_int_equal(answer(b, OPENER_READ, texts, sizeof(texts)), 0);
		assert_true(b->reply.bytes.len <= OPENER_MAX_REPLY_BYTES);
		for (size_t t = 0; t < COUNT(texts); t++) {
			bool there = rows[i].got[t] != SIZE_MAX;

			expect_result(b, there ? 0 : -EAGAIN, there ? rows[i].got[t] : 0, 'a');
		}
		expect_end(b);
		assert_int_equal(b->fake.reads, rows[i].reads);
	}
}

static void files(void **state)
{
	const struct file_place place = { .pid = 9, .ino = 8, .path = "/a" };
	static const uint32_t types[] = { OPENER_OPEN, OPENER_FETCH };
	struct buffer bytes = BUFFER_INIT(1 << 16);
	struct bench *b = *state;

	opener_place_write(&place, &bytes);
	for (size_t i = 0; i < COUNT(types); i++) {
		b->fake.open_result = 0;
		b->fake.file = "/proc/self/exe";
		assert_int_equal(answer(b, types[i], bytes.data, bytes.len), 0);
		expect_result(b, 0, 0, 0);
		expect_end(b);
		assert_int_equal(b->reply.fd_count, 1);
		assert_true(fcntl(b->reply.fds[0], F_GETFD) >= 0);
		assert_int_equal(b->fake.opened.pid, 9);
		assert_string_equal(b->fake.opened.path, "/a");
		b->fake.open_result = -ESTALE;
		assert_int_equal(answer(b, types[i], bytes.data, bytes.len), 0);
		expect_result(b, -ESTALE, 0, 0);
		assert_int_equal(b->reply.fd_count, 0);
	}
	b->fake.open_result = PROCESS_FILE_SLOW;
	assert_int_equal(answer(b, OPENER_OPEN, bytes.data, bytes.len), 0);
	expect_result(b, PROCESS_FILE_SLOW, 0, 0);
	assert_int_equal(b->reply.fd_count, 0);
	buffer_release(&bytes);
}

/* Whoever asks: what is no binary is not handed out, be it by a process's mapping or by its name. */
static void no_binaries(void **state)
{
	static const char *const others[] = { "/dev/null", "/etc/passwd", "/proc/self/cmdline" };
	static const uint32_t types[] = { OPENER_OPEN, OPENER_FETCH };
	const struct file_place place = { .pid = 9, .ino = 8, .path = "/a" };
	struct buffer bytes = BUFFER_INIT(1 << 16);
	struct bench *b = *state;

	opener_place_write(&place, &bytes);
	for (size_t i = 0; i < COUNT(types) * COUNT(others); i++) {
		b->fake.file = others[i / COUNT(types)];
		assert_int_equal(answer(b, types[i % COUNT(types)], bytes.data, bytes.len), 0);
		expect_result(b, -ENOEXEC, 0, 0);
		expect_end(b);
		assert_int_equal(b->reply.fd_count, 0);
		assert_int_equal(b->reply.fds[0], -1);
	}
	buffer_release(&bytes);
}

/* Asks for the debug file "a.debug" of a binary in the folder; the result, whose descriptor stays in the reply. */
static int32_t debug_ask(struct bench *b, const char *folder, uint32_t first)
{
	struct buffer bytes = BUFFER_INIT(1 << 16);
	struct opener_result got;
	const char *found;
	char path[128];

	snprintf(path, sizeof(path), "%s/a", folder);
	opener_debug_write(&(struct debug_place){ .path = path, .name = "a.debug" }, first, &bytes);
	assert_int_equal(answer(b, OPENER_DEBUG, bytes.data, bytes.len), 0);
	buffer_release(&bytes);
	assert_int_equal(opener_result_parse(&b->reply.bytes, &b->at, &got, &found), 0);
	expect_end(b);
	assert_int_equal(b->reply.fd_count, got.status >= 0);
	assert_int_equal(got.len, got.status >= 0 ? sizeof(struct opener_debug_found) : 0);
	if (got.status >= 0) {
		struct opener_debug_found f;

		memcpy(&f, found, sizeof(f));
		assert_int_equal(f.uid, geteuid());
	}
	return got.status;
}

static void debug_put(const char *folder, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text) + 1), 0); /* with its NUL: e_type */
	close(fd);
}

/* Of no process: those in our own root. What is no ELF file is passed over. */
static void debug_files(void **state)
{
	static const char *const names[] = { "a.debug", ".debug/a.debug", ".debug" };
	char folder[] = "/tmp/opener_answer.XXXXXX", path[128], magic[4] = "";
	struct bench *b = *state;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(debug_ask(b, folder, 0), -ENOENT);
	debug_put(folder, "a.debug", "text");
	assert_int_equal(debug_ask(b, folder, 0), -ENOEXEC);
	snprintf(path, sizeof(path), "%s/.debug", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	/* What was in a process's memory when it crashed is an ELF file, too. */
	debug_put(folder, ".debug/a.debug", "\177ELF\2\1\1 and more\4");
	assert_int_equal(debug_ask(b, folder, 0), -ENOEXEC);
	debug_put(folder, ".debug/a.debug", "\177ELF\2\1\1 and more\3");
	assert_int_equal(debug_ask(b, folder, 0), DEBUG_FILE_NAMES + 2);
	assert_int_equal(pread(b->reply.fds[0], magic, sizeof(magic), 0), sizeof(magic));
	assert_memory_equal(magic, "\177ELF", 4);
	assert_int_equal(debug_ask(b, folder, DEBUG_FILE_NAMES + 2), DEBUG_FILE_NAMES + 2);
	assert_int_equal(debug_ask(b, folder, DEBUG_FILE_NAMES + 3), -ENOENT);
	assert_int_equal(debug_ask(b, folder, UINT32_MAX), -ENOENT);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		assert_int_equal(remove(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void cgroups(void **state)
{
	static const char request[] = "/mount\0/path";
	struct bench *b = *state;
	struct opener_result got;
	const char *bytes;

	assert_int_equal(answer(b, OPENER_CGROUP, request, sizeof(request)), 0);
	assert_int_equal(opener_result_parse(&b->reply.bytes, &b->at, &got, &bytes), 0);
	assert_int_equal(got.status, 0);
	assert_memory_equal(bytes, "1 .\n2 /mount/path\n", got.len);
	expect_end(b);
	b->fake.open_result = -EXDEV;
	assert_int_equal(answer(b, OPENER_CGROUP, request, sizeof(request)), 0);
	expect_result(b, -EXDEV, 0, 0);
}

static void perfmaps(void **state)
{
	const struct opener_process process = { .start_ns = 5, .pid = 9 };
	struct bench *b = *state;

	/* It is text: nothing is looked at but that it could be opened. */
	b->fake.file = "/etc/passwd";
	assert_int_equal(answer(b, OPENER_PERFMAP, &process, sizeof(process)), 0);
	expect_result(b, 0, 0, 0);
	expect_end(b);
	assert_int_equal(b->reply.fd_count, 1);
	assert_int_equal(b->fake.opened.pid, 9);
	assert_int_equal(b->fake.opened.start, 5);
	b->fake.open_result = -EPERM;
	assert_int_equal(answer(b, OPENER_PERFMAP, &process, sizeof(process)), 0);
	expect_result(b, -EPERM, 0, 0);
	assert_int_equal(b->reply.fd_count, 0);
}

/* Of a process that isn't: a good request nevertheless. */
static void packages(void **state)
{
	const struct {
		struct opener_packages head;
		char paths[14];
	} request = { { 4194305, 2 }, "/bin/a\0/bin/b" };
	const size_t len = sizeof(request.head) + sizeof(request.paths);
	struct bench *b = *state;

	assert_int_equal(answer(b, OPENER_PACKAGES, &request, len), 0);
	expect_result(b, -ENOENT, 0, 0);
	expect_end(b);
	assert_int_equal(answer(b, OPENER_PACKAGES, &request, len - 1), -EPROTO);
}

static void kernel(void **state)
{
	struct bench *b = *state;
	char byte;

	assert_int_equal(answer(b, OPENER_KERNEL, NULL, 0), 0);
	expect_result(b, 0, 0, 0);
	assert_in_range(b->reply.fd_count, 1, 2);
	for (uint32_t i = 0; i < b->reply.fd_count; i++) {
		assert_int_equal(fcntl(b->reply.fds[i], F_GETFL) & O_ACCMODE, O_RDONLY);
		assert_true(read(b->reply.fds[i], &byte, 1) >= 0);
	}
}

static void refused(void **state)
{
	static const struct opener_text text = { PROCESS_TEXT_COUNT, 1 };
	struct bench *b = *state;

	assert_int_equal(answer(b, 0, NULL, 0), -EPROTO);
	assert_int_equal(answer(b, OPENER_REPLY, NULL, 0), -EPROTO);
	assert_int_equal(answer(b, OPENER_READ, NULL, 0), -EPROTO);
	assert_int_equal(answer(b, OPENER_READ, &text, sizeof(text)), -EPROTO);
	assert_int_equal(answer(b, OPENER_OPEN, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_FETCH, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_KERNEL, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_CGROUP, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_DEBUG, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_PERFMAP, "x", 1), -EPROTO);
	assert_int_equal(answer(b, OPENER_PACKAGES, "x", 1), -EPROTO);
	/* Each role its own. */
	b->request.type = OPENER_FETCH;
	assert_int_equal(opener_answer(&b->source, false, &b->request, &b->reply), -EPROTO);
	b->request.type = OPENER_KERNEL;
	buffer_clear(&b->request.bytes);
	assert_int_equal(opener_answer(&b->source, true, &b->request, &b->reply), -EPROTO);
	/* Nobody hands us descriptors. */
	b->request.fd_count = 1;
	assert_int_equal(opener_answer(&b->source, false, &b->request, &b->reply), -EPROTO);
	b->request.fd_count = 0;
	assert_int_equal(b->fake.reads, 0);
	assert_int_equal(b->fake.opened.pid, 0);
}

static int answer_without_memory(void *ctx)
{
	static const struct opener_text texts[] = { { 0, 0 }, { 0, 1 } };
	struct bench *b = ctx;
	int r;

	socket_message_init(&b->request, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&b->reply);
	r = answer(b, OPENER_READ, texts, sizeof(texts));
	if (b->request.bytes.error)
		r = b->request.bytes.error; /* ours, not the opener's */
	/* One that there was no memory for says so, or to ask again. */
	for (size_t i = 0; r >= 0 && i < COUNT(texts); i++) {
		struct opener_result got;
		const char *bytes;

		assert_int_equal(opener_result_parse(&b->reply.bytes, &b->at, &got, &bytes), 0);
		r = got.status;
	}
	opener_reply_release(&b->reply);
	socket_message_release(&b->request);
	return r;
}

static void survives_without_memory(void **state)
{
	struct bench *b = *state;

	b->fake.text_bytes[0] = b->fake.text_bytes[1] = 300000;
	assert_in_range(torture(answer_without_memory, b), 2, 100);
}

/* ---- the loop ---- */

/* A process that serves the other end of *ret_socket. */
static pid_t serve(bool fetcher, int *ret_socket)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(opener_serve(pair[1], fetcher));
	}
	close(pair[1]);
	*ret_socket = pair[0];
	return pid;
}

static void expect_status(pid_t pid, int status)
{
	int got;

	assert_int_equal(waitpid(pid, &got, 0), pid);
	assert_true(WIFEXITED(got));
	assert_int_equal(WEXITSTATUS(got), status);
}

static void serves_until_the_end(void **state)
{
	const struct opener_text text = { PROCESS_TEXT_STAT, (uint32_t)getpid() };
	struct bench *b = *state;
	char want[32];
	int socket;
	pid_t pid = serve(false, &socket);

	socket_message_release(&b->request);
	socket_message_init(&b->request, OPENER_MAX_REPLY_BYTES);
	snprintf(want, sizeof(want), "%d (", getpid());
	for (int i = 0; i < 3; i++) {
		assert_int_equal(socket_send(socket, OPENER_READ, &text, sizeof(text), NULL, 0,
					     UINT64_MAX),
				 0);
		assert_int_equal(socket_receive(socket, &b->request, UINT64_MAX), 0);
		assert_int_equal(b->request.type, OPENER_REPLY);
		assert_memory_equal(b->request.bytes.data + sizeof(struct opener_result), want,
				    strlen(want));
	}
	close(socket);
	expect_status(pid, EXIT_SUCCESS);
}

static void ends_over_nonsense(void **state)
{
	struct bench *b = *state;

	for (int fetcher = 0; fetcher < 2; fetcher++) {
		int socket;
		pid_t pid = serve(fetcher, &socket);

		assert_int_equal(socket_send(socket, fetcher ? OPENER_KERNEL : OPENER_FETCH, "x", 1,
					     NULL, 0, UINT64_MAX),
				 0);
		assert_int_equal(socket_receive(socket, &b->request, UINT64_MAX), -EPIPE);
		close(socket);
		expect_status(pid, EXIT_FAILURE);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(texts_in_order),
		TEST(texts_beyond_the_room),
		TEST(files),
		TEST(no_binaries),
		TEST(debug_files),
		TEST(cgroups),
		TEST(perfmaps),
		TEST(packages),
		TEST(kernel),
		TEST(refused),
		TEST(survives_without_memory),
		TEST(serves_until_the_end),
		TEST(ends_over_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
