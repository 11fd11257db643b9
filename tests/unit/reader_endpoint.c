// SPDX-License-Identifier: Apache-2.0
/*
 * Whole answers about a small store, against tests/golden/reader_endpoint/. After a wanted change:
 * SLOWBURN_GOLDEN=update build/tests/unit/reader_endpoint
 */
#include "profiler/reader/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "tests/unit/json_check.h"
#include "tests/unit/reader_store.h"
#include "tests/unit/torture.h"

#define GOLDEN "tests/golden/reader_endpoint/"
#define HOSTILE "\"},\n\x01\xff\xc3(</script>"

/* Each sample's moments: the n-th of all is taken n × 10 ms after the window began. */
static void write_window(struct store_writer *w, struct profile *p, uint64_t start_ns,
			 uint64_t length_ns)
{
	struct store_window x = { start_ns, start_ns + length_ns, start_ns, NULL, 0 };
	static struct columns_moment moments[4096];
	struct err err = { "" };

	for (uint32_t i = 0; i < p->samples.count; i++)
		for (uint64_t n = 0; n < p->samples.items[i].count; n++, x.moment_count++)
			moments[x.moment_count] = (struct columns_moment){
				i, x.moment_count % (uint32_t)(length_ns / COLUMNS_SLOT_NS)
			};
	x.moments = moments;
	p->facts.time_ns = start_ns;
	p->facts.duration_ns = length_ns;
	p->facts.busy_ns = length_ns;
	p->facts.machine_ns = 2 * length_ns;
	if (test_append(w, p, &x, &err) < 0)
		fail_msg("%s", err.text);
}

/*
 * 30 s, a gap of 10 s, 5 s; in the third window something else runs, and samples are lost.
 */
static void fill(struct test_store *t, struct handed *h)
{
	struct store_writer *w;
	struct profile p;

	test_store_new(t);
	w = test_writer(t, NULL);
	test_profile(&p);
	for (uint64_t i = 0; i < 5; i++) {
		uint64_t start_ns = TEST_EPOCH_NS + i * TEST_WINDOW_NS;
		uint32_t app = test_series(&p, "app", 100, 100);

		if (i == 3)
			continue;
		profile_clear_samples(&p);
		p.counters.value[COUNTER_SAMPLES_MISSED] = i == 2 ? 4 : 0;
		test_stack(&p, app, 20, "main@/usr/bin/app", "f@/usr/bin/app", NULL);
		test_stack(&p, app, 10, "main@/usr/bin/app", "g@/usr/bin/app",
			   "read@[kernel.kallsyms]", NULL);
		if (i == 2)
			test_stack(&p, test_series(&p, HOSTILE, 7, 8), 30, "main@/usr/bin/evil",
				   HOSTILE "@/usr/bin/evil", NULL);
		write_window(w, &p, start_ns, i == 4 ? TEST_WINDOW_NS / 2 : TEST_WINDOW_NS);
	}
	profile_release(&p);
	store_writer_free(w);
	test_hand_over(t, h);
}

static void empty(struct test_store *t, struct handed *h)
{
	handed_release(h);
	test_store_release(t);
}

static void update(const char *path, const struct buffer *text)
{
	_cleanup_(fd_close) int fd = -1;

	mkdir(GOLDEN, 0755);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text->data, text->len), 0);
}

static void expect(const char *name, struct buffer *is)
{
	_cleanup_(buffer_release) struct buffer golden = BUFFER_INIT(1 << 20);
	const char *mode = getenv("SLOWBURN_GOLDEN");
	_cleanup_(fd_close) int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	if (mode && !strcmp(mode, "update"))
		update(path, is);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s (the tests run from the top folder)", path, strerror(errno));
	assert_int_equal(buffer_read_fd(&golden, fd), 0);
	if (golden.len != is->len || memcmp(golden.data, is->data, is->len))
		fail_msg("%s is\n%s\nbut now it is\n%s", path, buffer_cstr(&golden),
			 buffer_cstr(is));
}

static void test_answers(void **state)
{
	static const struct {
		const char *name, *question;
	} table[] = {
		{ "timeline.json", "timeline?step=10s" },
		{ "timeline-by.json", "timeline?step=20s&by=comm,pid&limit=1" },
		{ "timeline-moments.json",
		  "timeline?step=1s&query=comm=\"app\"&focus=read&to=1763856004" },
		{ "timeline.txt", "timeline?step=10s&by=comm&format=text" },
		{ "heatmap.json", "heatmap?bucket=500ms&to=1763856012" },
		{ "heatmap.txt", "heatmap?step=10s&bucket=1s&format=text" },
		{ "labels.json", "labels" },
		{ "labels.txt", "labels?format=text" },
		{ "labels-comm.json", "labels?key=comm" },
		{ "labels-pid.json", "labels?key=pid&limit=1" },
		{ "series.json", "series" },
		{ "series.txt", "series?by=comm,pid&format=text" },
		{ "targets.json", "targets?address=host:7799" },
		{ "targets-cgroup.json", "targets?address=[::1]:7799&by=cgroup" },
		{ "top.json", "top?limit=2" },
		{ "flamegraph.json", "flamegraph" },
		{ "flamegraph-root.json", "flamegraph?root=comm,pid&max_nodes=4" },
		{ "flamegraph-compared.json",
		  "flamegraph?from=1763856020&to=1763856030&compare=20s" },
		{ "diff.json", "diff?from=1763856020&to=1763856030&compare=20s&limit=2" },
		{ "profile.json", "profile?format=json&hide=main&query=comm=\"app\"" },
		{ "profile.collapsed", "profile?format=collapsed&root=comm" },
	};
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char question[256];
		struct test_answer a;

		snprintf(question, sizeof(question), "%s%sfrom=%s%s", table[i].question,
			 strchr(table[i].question, '?') ? "&" : "?", "1763856000",
			 strstr(table[i].question, "to=") ? "" : "&to=1763856060");
		if (strstr(table[i].question, "from="))
			snprintf(question, sizeof(question), "%s", table[i].question);
		a = test_ask(&h, question);
		if (a.reply.status != 200)
			fail_msg("%s: %u, %s", question, a.reply.status, a.reply.sentence);
		assert_int_equal(a.reply.bytes, a.bytes.len);
		/* Of the hour that has just ended; test_settled() */
		assert_int_equal(a.reply.settled, 0);
		expect(table[i].name, &a.bytes);
		if (!strcmp(a.reply.content_type, "application/json") &&
		    !json_is_valid(a.bytes.data, a.bytes.len))
			fail_msg("%s is no JSON", question);
		test_answer_release(&a);
	}
	empty(&t, &h);
}

/* Of all that there is: from the first window to the end of the last, not of its file's hour. */
static void test_bounds(void **state)
{
	static const char *const whole[] = { "timeline?from=first&to=last&step=10s",
					     "heatmap?from=first&to=last" };
	static const char *const holds[] = {
		"\"from_ns\": 1763856000000000000, \"step_ns\": 10000000000, \"steps\": 5,",
		"\"columns\": 45,"
	};
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (size_t i = 0; i < 2; i++) {
		struct test_answer a = test_ask(&h, whole[i]);

		assert_int_equal(a.reply.status, 200);
		if (!strstr(buffer_cstr(&a.bytes) ? a.bytes.data : "", holds[i]))
			fail_msg("%s has no %s: %.200s", whole[i], holds[i], a.bytes.data);
		test_answer_release(&a);
	}
	empty(&t, &h);
}

static void test_refused(void **state)
{
	static const struct {
		const char *question;
		uint32_t status;
		const char *sentence;
	} table[] = {
		{ "nothing", 404, "there is no \"nothing\" to ask for" },
		{ "top?limt=3", 400, "\"limt\" is no parameter of top, nor of anything else" },
		{ "top?step=3s", 400, "\"step\" is no parameter of top" },
		{ "top?limit=0", 400, "limit \"0\" is not a number from 1 to 10000" },
		{ "top?limit=10001", 400, "limit \"10001\" is not a number from 1 to 10000" },
		{ "top?limit=3&limit=4", 400, "limit is given twice" },
		{ "top?format=xml", 400, "top is not answered in the format \"xml\"" },
		{ "top?format=pprof", 400, "top is not answered in the format \"pprof\"" },
		{ "top?from=now", 400, "\"from\" is not before \"to\"" },
		{ "top?from=-3h&to=-2h", 404, "the store has no window in that range" },
		{ "top?by=a%20b", 400, "\"a%20b\" is no list of labels: comm,cgroup for example" },
		{ "top?query=comm", 400, NULL },
		{ "top?focus=(", 400, NULL },
		{ "top?color=yes", 400, "color \"yes\" is not 1 or 0" },
		{ "top?columns=59", 400, "columns \"59\" is not a number from 60 to 1000" },
		{ "flamegraph?min_share=101", 400, NULL },
		{ "flamegraph?min-share=0.12345", 400, NULL },
		{ "timeline?step=999ms", 400, NULL },
		{ "timeline?step=1s&from=-1d", 400,
		  "this range has 86400 steps, at most 10000 are answered: make the step longer" },
		{ "heatmap?bucket=15ms", 400,
		  "a bucket is a multiple of 10 ms, and a step one of buckets" },
		{ "heatmap?step=1s&bucket=300ms", 400,
		  "a bucket is a multiple of 10 ms, and a step one of buckets" },
		{ "heatmap?from=-7d", 400, NULL },
		{ "diff", 400, NULL },
		{ "diff?compare=1d&compare_from=-2h", 400, NULL },
		{ "diff?compare_from=-2h", 400,
		  "\"compare_from\" and \"compare_to\" are only given together" },
		{ "diff?compare=1d", 404, "the store has no window in the range to compare with" },
		{ "diff?compare=20s&mode=both", 400, "mode \"both\" is not absolute or relative" },
		{ "labels?key=comm,pid", 400, "key \"comm,pid\" is more than one label" },
		{ "targets", 400, "which address do the targets have? As in address=host:7799" },
		{ "targets?address=h:1&by=comm,pid", 400,
		  "targets are by one label: by=comm, by=cgroup" },
		{ "pprof?from=-3h&to=-2h&seconds=5", 404, "the store has no window in that range" },
	};
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct test_answer a = test_ask(&h, table[i].question);

		if (a.reply.status != table[i].status || a.bytes.len || !*a.reply.sentence ||
		    (table[i].sentence && strcmp(a.reply.sentence, table[i].sentence) != 0))
			fail_msg("%s: %u, \"%s\"; not %u, \"%s\"", table[i].question,
				 a.reply.status, a.reply.sentence, table[i].status,
				 table[i].sentence ? table[i].sentence : "");
		test_answer_release(&a);
	}
	empty(&t, &h);
}

/* The matcher that a target is given selects what it was made from. */
static void test_matcher(void **state)
{
	struct test_store t;
	struct handed h;
	struct test_answer a;

	(void)state;
	fill(&t, &h);
	a = test_ask(&h, "labels?key=pid&query=comm=\"\\\"},\\x0a\\x01\\xff\\xc3(</script>\"");
	assert_int_equal(a.reply.status, 200);
	assert_non_null(strstr(buffer_cstr(&a.bytes), "{\"label\": 7, \"samples\": 30,"));
	test_answer_release(&a);
	empty(&t, &h);
}

struct torment {
	struct handed *h;
	const char *question;
};

static int ask(void *ctx)
{
	const struct torment *x = ctx;
	struct test_answer a = test_ask(x->h, x->question);
	uint32_t status = a.reply.status;

	if (status != 200 && (a.bytes.len || !*a.reply.sentence))
		fail_msg("%s: %u, \"%s\"", x->question, status, a.reply.sentence);
	test_answer_release(&a);
	return status == 200 ? 0 : status == 503 ? -ENOMEM : -EIO;
}

/* Each allocation fails once: an answer, or 503. */
static void test_memory(void **state)
{
	static const char *const questions[] = {
		"timeline?step=10s&by=comm",
		"timeline?step=1s&format=text&focus=f",
		"heatmap?query=comm=\"app\"",
		"labels",
		"labels?key=comm&format=text",
		"series?by=pid",
		"targets?address=h:1",
		"top?hide=main",
		"flamegraph?root=comm&max_nodes=3",
		"flamegraph?compare_query=comm=\"app\"",
		"diff?compare_query=comm=\"app\"",
		"profile?format=collapsed",
	};
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct torment x = { &h, questions[i] };

		assert_true(torture(ask, &x) > 5);
	}
	empty(&t, &h);
}

/* What goes by /debug/pprof: others' parameters are passed over, and the answer is to be saved. */
static void test_pprof(void **state)
{
	struct test_store t;
	struct handed h;
	struct test_answer a;

	(void)state;
	fill(&t, &h);
	a = test_ask(&h, "pprof?seconds=5&debug=1&focus=^f$");
	assert_int_equal(a.reply.status, 200);
	assert_string_equal(a.reply.content_type, "application/octet-stream");
	assert_string_equal(a.reply.file_name, "slowburn-20251123-000000.pb.gz");
	assert_int_equal((unsigned char)a.bytes.data[0], 0x1f);
	/* It goes up to now: more may come. */
	assert_int_equal(a.reply.settled, 0);
	test_answer_release(&a);
	empty(&t, &h);
}

/* An answer of which nothing changes any more, for it may be kept: windows come late, and lines as long as the hour's file is written. */
static void test_settled(void **state)
{
	static const struct {
		const char *to;
		uint64_t now_ns; /* after the epoch */
		uint32_t settled;
	} table[] = {
		{ "1763856010", 20 * NS_PER_S, 0 },
		{ "1763856010", 1800 * NS_PER_S, 0 },
		{ "1763856010", 3660 * NS_PER_S - 1, 0 },
		{ "1763856010", 3660 * NS_PER_S, 1 },
		{ "1763859600", 3660 * NS_PER_S, 1 }, /* ends with its hour */
		{ "1763859600.000000001", 3660 * NS_PER_S, 0 },
		{ "1763859600.000000001", 7260 * NS_PER_S, 1 },
		{ "1763870000", 3660 * NS_PER_S, 0 }, /* is yet to come */
		{ "last", 7260 * NS_PER_S, 0 },
	};
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct test_answer a = { .bytes = BUFFER_INIT(64 << 20) };
		struct reader_request q;
		char text[128];

		snprintf(text, sizeof(text), "top?from=1763856000&to=%s", table[i].to);
		q = test_request(text);
		q.now_ns = TEST_EPOCH_NS + table[i].now_ns;
		endpoint_answer(&q, &h, &a.reply, &a.bytes);
		assert_int_equal(a.reply.status, 200);
		if (a.reply.settled != table[i].settled)
			fail_msg("to %s, row %zu: %u", table[i].to, i, a.reply.settled);
		test_answer_release(&a);
	}
	empty(&t, &h);
}

static void test_too_large(void **state)
{
	struct reader_request q;
	struct test_store t;
	struct handed h;

	(void)state;
	fill(&t, &h);
	for (int i = 0; i < 2; i++) {
		char text[] = "profile?format=json";
		struct test_answer a = { .bytes = BUFFER_INIT(1 << 20) };

		q = test_request(text);
		q.max_answer_bytes = i ? 1 << 20 : 100;
		endpoint_answer(&q, &h, &a.reply, &a.bytes);
		assert_int_equal(a.reply.status, i ? 200 : 400);
		if (!i)
			assert_string_equal(a.reply.sentence,
					    "the json answer is too large: ask for less");
		test_answer_release(&a);
	}
	empty(&t, &h);
}

/* A day, a week: a store that is damaged in one place answers the rest, and says so. */
static void test_damaged(void **state)
{
	struct test_store t;
	struct handed h;
	struct test_answer a;
	struct stat st;

	(void)state;
	fill(&t, &h);
	assert_int_equal(fstat(h.files.items[0].fd, &st), 0);
	{
		char path[64], byte = 0;
		int fd;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", h.files.items[0].fd);
		fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, st.st_size - 200), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 200), 1);
		close(fd);
	}
	a = test_ask(&h, "labels?key=comm");
	assert_int_equal(a.reply.status, 200);
	assert_non_null(strstr(a.reply.sentence, "slowburn\" is damaged"));
	test_answer_release(&a);
	empty(&t, &h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),  cmocka_unit_test(test_pprof),
		cmocka_unit_test(test_settled), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_matcher),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
