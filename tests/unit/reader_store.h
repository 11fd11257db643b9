/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as a reader has it, and questions as one text: "timeline?by=comm&step=10s".
 */
#ifndef TESTS_UNIT_READER_STORE_H
#define TESTS_UNIT_READER_STORE_H

#include "profiler/reader/endpoint.h"
#include "profiler/store/handed.h"
#include "tests/unit/store_directory.h"

#define TEST_NOW_NS (TEST_EPOCH_NS + 3600 * NS_PER_S)

struct test_answer {
	struct reader_reply reply;
	struct buffer bytes;
};

static inline void test_answer_release(struct test_answer *a)
{
	buffer_release(&a->bytes);
}

static inline void test_hand_over(const struct test_store *t, struct handed *h)
{
	struct catalog c = { 0 };
	struct err err = { "" };

	*h = (struct handed){ 0 };
	assert_int_equal(catalog_read(&c, t->fd, &err), 0);
	for (uint32_t i = 0; i < c.files.count; i++) {
		char name[CATALOG_NAME_BYTES];
		int fd;

		catalog_name(&c.files.items[i], name);
		fd = catalog_open(t->fd, name, &err);
		assert_true(fd >= 0);
		assert_int_equal(handed_take(h, &c.files.items[i], sizeof(c.files.items[i]), &fd),
				 0);
	}
	catalog_release(&c);
}

/* Takes `question` apart; values are as they stand. Borrows `text`, which is written to. */
static inline struct reader_request test_request(char *text)
{
	struct reader_request q = { .now_ns = TEST_NOW_NS, .max_answer_bytes = 64 << 20 };
	char *rest = text;

	q.endpoint = strsep(&rest, "?");
	while (rest && *rest) {
		char *value = strsep(&rest, "&"), *name = strsep(&value, "=");

		assert_true(q.count < READER_MAX_PARAMETERS);
		q.parameters[q.count++] = (struct reader_parameter){ name, value ? value : "" };
	}
	return q;
}

static inline struct test_answer test_ask(struct handed *h, const char *question)
{
	struct test_answer a = { .bytes = BUFFER_INIT(64 << 20) };
	struct reader_request q;
	char text[1024];

	assert_true(strlen(question) < sizeof(text));
	memcpy(text, question, strlen(question) + 1);
	q = test_request(text);
	endpoint_answer(&q, h, &a.reply, &a.bytes);
	return a;
}

#endif
