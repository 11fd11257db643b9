// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "tests/unit/torture.h"

static uint64_t now_ns;

/* 2025-11-23T07:12:31.042Z, and a clock that the test moves. */
static uint64_t test_clock(clockid_t id)
{
	return id == CLOCK_REALTIME ? 1763881951042ULL * NS_PER_MS : now_ns;
}

struct paper {
	struct log *log;
	int fd;
	struct buffer text;
};

static void paper_open(struct paper *p, enum log_format format, enum log_level level, bool journal)
{
	struct log_config config = {
		.format = format, .level = level, .journal = journal, .now_ns = test_clock
	};

	now_ns = 0;
	p->fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(p->fd >= 0);
	config.fd = p->fd;
	assert_int_equal(log_new(&p->log, &config), 0);
	buffer_init(&p->text, 1 << 20);
}

static const char *paper_read(struct paper *p)
{
	buffer_clear(&p->text);
	assert_int_equal(lseek(p->fd, 0, SEEK_SET), 0);
	assert_int_equal(buffer_read_fd(&p->text, p->fd), 0);
	return buffer_cstr(&p->text);
}

static void paper_close(struct paper *p)
{
	log_free(p->log);
	fd_close(&p->fd);
	buffer_release(&p->text);
}

static void expect(enum log_format format, bool journal, const char *sentence, const char *value,
		   const char *want)
{
	const struct log_field fields[] = { { "role", value, 0 }, { "wait_s", NULL, 42 } };
	struct paper p;

	paper_open(&p, format, LOG_DEBUG, journal);
	log_write(p.log, LOG_EVENT_PROCESS_ENDED, fields, 2, "%s", sentence);
	assert_string_equal(paper_read(&p), want);
	paper_close(&p);
}

static void test_forms(void **state)
{
	setenv("TZ", "UTC", 1);
	expect(LOG_TEXT, false, "it ended", "agent",
	       "07:12:31 warning: it ended (role=agent, wait_s=42)\n");
	expect(LOG_LOGFMT, false, "it ended", "agent",
	       "time=2025-11-23T07:12:31.042Z level=warning event=process-ended msg=\"it ended\" "
	       "role=agent wait_s=42\n");
	expect(LOG_JSON, false, "it ended", "agent",
	       "{\"time\":\"2025-11-23T07:12:31.042Z\",\"level\":\"warning\",\"event\":\"process-"
	       "ended\",\"msg\":\"it ended\",\"role\":\"agent\",\"wait_s\":42}\n");
	expect(LOG_LOGFMT, true, "it ended", "agent",
	       "<4>level=warning event=process-ended msg=\"it ended\" role=agent wait_s=42\n");
	expect(LOG_JSON, true, "x", "y",
	       "<4>{\"level\":\"warning\",\"event\":\"process-ended\",\"msg\":\"x\",\"role\":\"y\","
	       "\"wait_s\":42}\n");
}

/* Nothing that somebody calls himself ends a line or a field. */
static void test_hostile_words(void **state)
{
	expect(LOG_TEXT, false, "a\nb\x1b[2J", "c",
	       "07:12:31 warning: a\\nb\\x1b[2J (role=c, wait_s=42)\n");
	expect(LOG_LOGFMT, true, "a\"b\n", "x=y",
	       "<4>level=warning event=process-ended msg=\"a\\\"b\\\\n\" role=\"x=y\" wait_s=42\n");
	expect(LOG_LOGFMT, true, "", "back\\slash",
	       "<4>level=warning event=process-ended msg=\"\" role=\"back\\\\slash\" wait_s=42\n");
	expect(LOG_JSON, true, "\xff", "\"",
	       "<4>{\"level\":\"warning\",\"event\":\"process-ended\",\"msg\":\"\\\\xff\",\"role\":"
	       "\"\\\"\",\"wait_s\":42}\n");
}

static uint32_t lines(const char *text)
{
	uint32_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void test_rate(void **state)
{
	struct paper p;

	paper_open(&p, LOG_LOGFMT, LOG_INFO, true);
	for (int i = 0; i < 15; i++)
		log_write(p.log, LOG_EVENT_WEB_SAID, NULL, 0, "%d", i);
	assert_int_equal(lines(paper_read(&p)), LOG_BURST);
	/* Another kind is not silenced by it. */
	log_write(p.log, LOG_EVENT_AGENT_SAID, NULL, 0, "other");
	assert_int_equal(lines(paper_read(&p)), LOG_BURST + 1);
	now_ns += LOG_REFILL_NS - 1;
	log_write(p.log, LOG_EVENT_WEB_SAID, NULL, 0, "early");
	assert_int_equal(lines(paper_read(&p)), LOG_BURST + 1);
	now_ns++;
	log_write(p.log, LOG_EVENT_WEB_SAID, NULL, 0, "again");
	assert_non_null(
		strstr(paper_read(&p), "level=info event=web-said msg=again suppressed=6\n"));
	log_write(p.log, LOG_EVENT_WEB_SAID, NULL, 0, "lost");
	log_free(p.log);
	p.log = NULL;
	assert_non_null(
		strstr(paper_read(&p), "msg=\"more of these were not written\" suppressed=1"));
	paper_close(&p);
}

static void test_levels(void **state)
{
	struct paper p;

	paper_open(&p, LOG_LOGFMT, LOG_WARNING, true);
	log_write(p.log, LOG_EVENT_READY, NULL, 0, "info");
	assert_string_equal(paper_read(&p), "");
	log_write(p.log, LOG_EVENT_PROCESS_STUCK, NULL, 0, "error");
	assert_string_equal(paper_read(&p), "<3>level=error event=process-stuck msg=error\n");
	paper_close(&p);
}

/* A reader that has stopped reading costs lines, and no time. */
static void test_full_pipe(void **state)
{
	struct log_config config = { .format = LOG_LOGFMT,
				     .level = LOG_INFO,
				     .now_ns = test_clock };
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	struct log *log;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0);
	config.fd = fds[1];
	assert_int_equal(log_new(&log, &config), 0);
	for (int i = 0; i < 1000; i++) {
		now_ns += LOG_REFILL_NS;
		log_write(log, LOG_EVENT_READY, NULL, 0, "%0100d", i);
	}
	assert_in_range(clock_ns(CLOCK_MONOTONIC) - start_ns, 0, 5 * NS_PER_S);
	log_free(log);
	close(fds[0]);
	close(fds[1]);
}

static void test_words(void **state)
{
	enum log_format format;
	enum log_level level;

	assert_true(log_format_find("json", &format) && format == LOG_JSON);
	assert_true(log_format_find("text", &format) && format == LOG_TEXT);
	assert_false(log_format_find("", &format));
	assert_true(log_level_find("error", &level) && level == LOG_ERROR);
	assert_true(log_level_find("debug", &level) && level == LOG_DEBUG);
	assert_false(log_level_find("warn", &level));
}

static void test_journal(void **state)
{
	_cleanup_(fd_close) int fd = memfd_create("log", MFD_CLOEXEC);
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)st.st_ino);
	assert_true(log_is_journal(fd, stream));
	assert_false(log_is_journal(fd, NULL));
	assert_false(log_is_journal(fd, ""));
	assert_false(log_is_journal(fd, "8"));
	assert_false(log_is_journal(fd, "8:"));
	assert_false(log_is_journal(fd, ":8"));
	assert_false(log_is_journal(STDIN_FILENO, stream));
}

static int write_one(void *ctx)
{
	const struct log_config config = { .fd = *(int *)ctx, .level = LOG_INFO };
	struct log *log;
	int r = log_new(&log, &config);

	if (r < 0)
		return r;
	log_write(log, LOG_EVENT_READY, NULL, 0, "a line, or none");
	log_free(log);
	return 0;
}

static void test_torture(void **state)
{
	_cleanup_(fd_close) int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(torture(write_one, &fd) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),   cmocka_unit_test(test_hostile_words),
		cmocka_unit_test(test_rate),    cmocka_unit_test(test_levels),
		cmocka_unit_test(test_words),   cmocka_unit_test(test_full_pipe),
		cmocka_unit_test(test_journal), cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
