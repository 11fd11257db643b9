// SPDX-License-Identifier: Apache-2.0
/*
 * Opener, fetcher and symbolizer are this test itself, run with the role as argv[1], in their sandboxes. The fetcher
 * is honest, unless it is asked about one of the pids below, which say how to fail.
 */
#include "profiler/agent/debug_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/opener/answer.h"
#include "profiler/opener/protocol.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "tests/unit/agent_starter.h"
#include "tests/unit/symbolizer_sections.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	HANG = 0x7ead0000,
	DIE,
	NO_CANDIDATE,
	WITHOUT_FD,
	WRITABLE_FD,
	NO_OWNER,
	LAST,
};

/* ---- the others' side ---- */

static void misbehave(uint32_t how)
{
	struct {
		struct opener_result head;
		struct opener_debug_found found;
	} reply = { .head.len = sizeof(reply.found) };
	size_t len = sizeof(reply);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	switch (how) {
	case HANG:
		pause();
		_exit(1);
	case DIE:
		_exit(1);
	case NO_CANDIDATE:
		reply.head.status = DEBUG_FILE_CANDIDATES;
		break;
	case WITHOUT_FD:
		close(fd);
		fd = -1;
		break;
	case WRITABLE_FD:
		fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
		break;
	case NO_OWNER:
		reply.head.len = 0;
		len = sizeof(reply.head);
		break;
	}
	socket_send(ROLE_CHILD_SOCKET, OPENER_REPLY, &reply, len, &fd, fd >= 0, UINT64_MAX);
}

static uint32_t trap_of(const struct socket_message *m)
{
	struct debug_place place;
	uint32_t first;

	if (m->type != OPENER_DEBUG || opener_debug_parse(&m->bytes, &place, &first) < 0)
		return 0;
	return place.pid >= HANG && place.pid < LAST ? place.pid : 0;
}

static int fetch(void)
{
	struct opener_reply reply;
	struct socket_message m;
	bool sandboxed = false;

	socket_message_init(&m, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&reply);
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		if (trap_of(&m)) {
			misbehave(trap_of(&m));
			continue;
		}
		if (!sandboxed && sandbox_enter(role_find(FETCHER_ROLE), NULL) < 0)
			return 2;
		sandboxed = true;
		if (opener_answer(&process_source_live, true, &m, &reply) < 0)
			return 3;
		socket_send(ROLE_CHILD_SOCKET, OPENER_REPLY, reply.bytes.data, reply.bytes.len,
			    reply.fds, reply.fd_count, UINT64_MAX);
		opener_reply_clear(&reply);
	}
	opener_reply_release(&reply);
	socket_message_release(&m);
	return 0;
}

static int role_main(const char *role)
{
	if (child_enter() < 0)
		return 1;
	if (!strcmp(role, FETCHER_ROLE))
		return fetch();
	if (sandbox_enter(role_find(role), NULL) < 0)
		return 2;
	return strcmp(role, SYMBOLS_ROLE) ? opener_serve(ROLE_CHILD_SOCKET, false)
					  : symbolizer_serve(ROLE_CHILD_SOCKET);
}

/* ---- the agent's ---- */

struct bench {
	struct test_starter starter;
	struct counters counters;
	struct outside *outside;
	struct symbols_client *client;
	struct debug_files *debug;
	char folder[64], path[96];
	struct file_place place;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	test_starter_init(&b->starter);
	assert_int_equal(outside_new(&b->outside, &b->starter.starter, &b->counters, NULL), 0);
	outside_set_deadline(b->outside, 400 * NS_PER_MS);
	assert_int_equal(symbols_client_new(&b->client, &b->starter.starter, &b->counters, NULL),
			 0);
	assert_int_equal(debug_files_new(&b->debug, b->outside, b->client, &b->counters), 0);
	snprintf(b->folder, sizeof(b->folder), "/tmp/debug_files.XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	assert_int_equal(chmod(b->folder, 0755), 0);
	snprintf(b->path, sizeof(b->path), "%s/a", b->folder);
	b->place.path = b->path;
	*state = b;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	debug_files_free(b->debug);
	symbols_client_free(b->client);
	outside_free(b->outside);
	test_starter_release(&b->starter);
	free(b);
	return 0;
}

/* With DWARF, so that it is of use; `text` makes it another one. */
static struct buffer debug_file(const char *text)
{
	const struct section list[] = { { ".debug_info", SHT_PROGBITS, text, strlen(text), 0 },
					{ NULL } };

	return sections_make(list);
}

static void put(const struct bench *b, const char *name, const struct buffer *bytes)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes->data, bytes->len), 0);
	close(fd);
}

/* The binary, in its folder as well: it must have an owner. Its descriptor. */
static int binary(const struct bench *b, const struct section *list)
{
	struct buffer bytes = sections_make(list);
	int fd;

	put(b, "a", &bytes);
	buffer_release(&bytes);
	fd = open(b->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* CRC-32 as .gnu_debuglink has it, a bit at a time. */
static uint32_t crc_of(const struct buffer *b)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < b->len; i++) {
		crc ^= (uint8_t)b->data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* One whose link is "a.debug", with the CRC of `debug`. */
static int linked(const struct bench *b, const struct buffer *debug)
{
	char link[12] = "a.debug";
	uint32_t crc = crc_of(debug);
	const struct section list[] = { { ".gnu_debuglink", SHT_PROGBITS, link, sizeof(link), 0 },
					{ NULL } };

	memcpy(link + 8, &crc, sizeof(crc));
	return binary(b, list);
}

/* The result, and the counters of debug files: missing, refused, unread, unasked. */
static void expect(struct bench *b, uint32_t file, int fd, int want, const char *counted)
{
	int found = -1, r = debug_files_find(b->debug, file, &b->place, fd, &found);
	char got[100];

	assert_int_equal(r, want);
	assert_int_equal(found >= 0, r == 0);
	if (found >= 0)
		close(found);
	snprintf(got, sizeof(got), "%d %d %d %d",
		 (int)counter_get(&b->counters, COUNTER_DEBUG_FILES_MISSING),
		 (int)counter_get(&b->counters, COUNTER_DEBUG_FILES_REFUSED),
		 (int)counter_get(&b->counters, COUNTER_DEBUG_FILES_UNREAD),
		 (int)counter_get(&b->counters, COUNTER_DEBUG_FILES_UNASKED));
	assert_string_equal(got, counted);
}

static void the_one_that_belongs(void **state)
{
	struct bench *b = *state;
	struct buffer right = debug_file("right"), wrong = debug_file("wrong");
	char path[200];
	int fd = linked(b, &right);

	put(b, "a.debug", &wrong);
	expect(b, 0, fd, -ESTALE, "0 1 0 0");
	/* Behind one that doesn't: it is another file's number. */
	snprintf(path, sizeof(path), "%s/.debug", b->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	put(b, ".debug/a.debug", &right);
	expect(b, 1, fd, 0, "0 1 0 0");
	expect(b, 1, fd, 0, "0 1 0 0");
	close(fd);
	buffer_release(&right);
	buffer_release(&wrong);
}

static void none_is_remembered(void **state)
{
	struct bench *b = *state;
	struct buffer right = debug_file("right");
	int fd = linked(b, &right);
	uint32_t starts;

	expect(b, 7, fd, -ENOENT, "1 0 0 0");
	starts = b->starter.starts;
	put(b, "a.debug", &right);
	expect(b, 7, fd, -ENOENT, "1 0 0 0");
	assert_int_equal(b->starter.starts, starts);
	expect(b, 6, fd, 0, "1 0 0 0");
	/* It is looked for again, and then in no counter any more. */
	debug_files_forget(b->debug);
	expect(b, 7, fd, 0, "0 0 0 0");
	close(fd);
	buffer_release(&right);
}

/* For lines alone: a binary that has none is missed by nobody, until it is for its names. */
static void none_for_lines(void **state)
{
	struct bench *b = *state;
	struct buffer right = debug_file("right"), wrong = debug_file("wrong");
	int fd = linked(b, &right), found = -1;

	assert_int_equal(debug_files_find_lines(b->debug, 1, &b->place, fd, &found), -ENOENT);
	assert_int_equal(counter_get(&b->counters, COUNTER_DEBUG_FILES_MISSING), 0);
	expect(b, 1, fd, -ENOENT, "1 0 0 0");
	assert_int_equal(debug_files_find_lines(b->debug, 1, &b->place, fd, &found), -ENOENT);
	assert_int_equal(counter_get(&b->counters, COUNTER_DEBUG_FILES_MISSING), 1);
	put(b, "a.debug", &wrong);
	assert_int_equal(debug_files_find_lines(b->debug, 2, &b->place, fd, &found), -ESTALE);
	assert_int_equal(counter_get(&b->counters, COUNTER_DEBUG_FILES_REFUSED), 1);
	put(b, "a.debug", &right);
	assert_int_equal(debug_files_find_lines(b->debug, 3, &b->place, fd, &found), 0);
	assert_true(found >= 0);
	close(found);
	close(fd);
	buffer_release(&right);
	buffer_release(&wrong);
}

static void nothing_in_it(void **state)
{
	struct bench *b = *state;
	struct buffer empty = sections_make(NULL);
	int fd = linked(b, &empty);

	put(b, "a.debug", &empty);
	expect(b, 0, fd, -ESTALE, "0 1 0 0");
	close(fd);
	buffer_release(&empty);
}

static void nobody_is_asked_about_what_names_none(void **state)
{
	struct bench *b = *state;
	int fd = binary(b, NULL);
	uint32_t starts = b->starter.starts;

	for (uint32_t i = 0; i < DEBUG_FILES_MAX_SEARCHES; i++)
		expect(b, i, fd, -ENODATA, "0 0 0 0");
	assert_int_equal(b->starter.starts, starts);
	/* That was a search all the same; they have an end. */
	expect(b, DEBUG_FILES_MAX_SEARCHES, fd, -E2BIG, "0 0 0 1");
	expect(b, DEBUG_FILES_MAX_SEARCHES, fd, -ENOENT, "0 0 0 1");
	close(fd);
}

static void the_owner(void **state)
{
	struct bench *b = *state;
	struct buffer right = debug_file("right");
	char path[200];
	int fd = linked(b, &right);

	if (geteuid() != 0)
		skip();
	put(b, "a.debug", &right);
	snprintf(path, sizeof(path), "%s/a.debug", b->folder);
	assert_int_equal(chown(path, 12345, 12345), 0);
	expect(b, 0, fd, -ESTALE, "0 1 0 0");
	assert_int_equal(chown(b->path, 12345, 12345), 0);
	expect(b, 1, fd, 0, "0 1 0 0");
	assert_int_equal(chown(path, 0, 0), 0);
	expect(b, 2, fd, 0, "0 1 0 0");
	assert_int_equal(chown(path, 12346, 0), 0);
	expect(b, 3, fd, -ESTALE, "0 2 0 0");
	close(fd);
	buffer_release(&right);
}

/* Each costs that search, and its own process's further ones. */
static void a_fetcher_that_fails(void **state)
{
	static const struct {
		uint32_t pid;
		int error;
	} rows[] = { { HANG, -ETIMEDOUT },    { DIE, -EPIPE },          { NO_CANDIDATE, -EPROTO },
		     { WITHOUT_FD, -EPROTO }, { WRITABLE_FD, -EPROTO }, { NO_OWNER, -EPROTO } };
	struct bench *b = *state;
	struct buffer right = debug_file("right");
	int fd = linked(b, &right);
	char counted[50];

	for (uint32_t i = 0; i < COUNT(rows); i++) {
		b->place.pid = rows[i].pid;
		snprintf(counted, sizeof(counted), "0 0 %u 0", i + 1);
		expect(b, i, fd, rows[i].error, counted);
	}
	b->place.pid = HANG;
	expect(b, 10, fd, -ETIMEDOUT, "0 0 7 0");
	/* What ours has it takes from nobody. */
	put(b, "a.debug", &right);
	expect(b, 11, fd, 0, "0 0 7 0");
	b->place.pid = DIE;
	expect(b, 12, fd, 0, "0 0 7 0");
	b->place.pid = 0;
	expect(b, 13, fd, 0, "0 0 7 0");
	close(fd);
	buffer_release(&right);
}

/* ---- alternate files: below /usr/lib/debug only, which is ours alone here ---- */

static const unsigned char alternate_id[] = { 4, 0, 0,   0,   4,   0, 0,    0,    3,    0,
					      0, 0, 'G', 'N', 'U', 0, 0xab, 0xcd, 0xef, 1 };

static void alternates(void **state)
{
	static const char link[] = "../../.dwz/a\0\xab\xcd\xef\1";
	const struct section list[] = {
		{ ".gnu_debugaltlink", SHT_PROGBITS, link, sizeof(link) - 1, 0 }, { NULL }
	};
	struct section good[] = { { ".debug_info", SHT_PROGBITS, "x", 1, 0 },
				  SECTIONS_BUILD_ID(alternate_id),
				  { NULL } };
	struct bench *b = *state;
	struct buffer bytes = sections_make(good);
	char path[200];
	int fd = binary(b, list), found = -1;

	/* As dwz writes them. */
	((Elf64_Ehdr *)bytes.data)->e_type = ET_REL;
	if (geteuid() != 0 || access("/usr/lib/debug", F_OK) < 0)
		skip();
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount(b->folder, "/usr/lib/debug", NULL, MS_BIND, NULL), 0);
	assert_int_equal(debug_files_find_alternate(b->debug, &b->place, fd, &found), -ENOENT);
	snprintf(path, sizeof(path), "%s/.dwz", b->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	put(b, ".dwz/a", &bytes);
	assert_int_equal(debug_files_find_alternate(b->debug, &b->place, fd, &found), 0);
	close(found);
	buffer_release(&bytes);
	/* Without its id it is another's. */
	good[1].name = NULL;
	bytes = sections_make(good);
	put(b, ".dwz/a", &bytes);
	assert_int_equal(debug_files_find_alternate(b->debug, &b->place, fd, &found), -ESTALE);
	assert_int_equal(counter_get(&b->counters, COUNTER_DEBUG_FILES_REFUSED), 1);
	assert_int_equal(umount("/usr/lib/debug"), 0);
	buffer_release(&bytes);
	close(fd);
	fd = binary(b, NULL);
	assert_int_equal(debug_files_find_alternate(b->debug, &b->place, fd, &found), -ENOENT);
	assert_int_equal(counter_get(&b->counters, COUNTER_DEBUG_FILES_MISSING), 1);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_one_that_belongs),
		TEST(none_is_remembered),
		TEST(none_for_lines),
		TEST(nothing_in_it),
		TEST(nobody_is_asked_about_what_names_none),
		TEST(the_owner),
		TEST(a_fetcher_that_fails),
		TEST(alternates),
	};

	if (argc > 1)
		return role_main(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
