// SPDX-License-Identifier: Apache-2.0
/*
 * A configuration from anybody: a sentence that begins with the place, or values; and what is
 * printed of them is a configuration with the same values.
 */
#include "profiler/command/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "A heading:", 1 },
	{ "listen", 'l', "ADDR", 0, "more than once", 1 },
	{ "store", 's', "DIR", 0, "once", 1 },
	{ "config", 'c', "FILE", 0, "not in files", 1 },
	{ "kernel", 'k', NULL, 0, "no value", 1 },
	{ 0 },
};

static const struct command command = { .name = "fuzz", .options = { options } };
static const int not_in_files[] = { 'c', 0 };

/* By key, each value on its line. */
struct values {
	struct buffer of[3];
};

static void values_init(struct values *v)
{
	for (int i = 0; i < 3; i++)
		buffer_init(&v->of[i], 1 << 20);
}

static void values_release(struct values *v)
{
	for (int i = 0; i < 3; i++)
		buffer_release(&v->of[i]);
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct values *v = into;

	(void)err;
	assert(key == 'l' || key == 's' || key == 'k');
	assert((key == 'k') == !arg);
	buffer_printf(&v->of[key == 'l' ? 0 : key == 's' ? 1 : 2], "%s\n", arg ? arg : "");
	return 0;
}

/* 1: more values than there may be, which defaults are counted with when they are in a file. */
static int read_text(const char *text, size_t len, struct values *values, struct buffer *printed)
{
	static const char *const repeated[] = { "listen", "store", "kernel", NULL };
	struct settings *s = NULL;
	struct err err = { "" };
	int r;

	if (settings_new(&s, &command, not_in_files, "store = /d\nlisten = a\n", &err) < 0)
		return -ENOMEM;
	r = settings_parse(s, "file", text, len, &err);
	if (r < 0)
		assert(*err.text);
	if (r == -EINVAL)
		assert(strncmp(err.text, "file:", 5) == 0);
	if (r == 0)
		r = settings_apply(s, take, values, &err);
	if (r == 0)
		settings_print(s, repeated, printed);
	settings_free(s);
	return r == -EINVAL && strstr(err.text, "there are more than") ? 1 : r;
}

static void expect_same(const struct buffer *a, const struct buffer *b)
{
	assert(a->len == b->len);
	assert(!a->len || memcmp(a->data, b->data, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer printed = BUFFER_INIT(1 << 20), unused = BUFFER_INIT(1 << 20);
	struct values values, again;

	values_init(&values);
	values_init(&again);
	if (read_text((const char *)data, size, &values, &printed) == 0 &&
	    printed.len < SETTINGS_MAX_BYTES) {
		int r = read_text(printed.data, printed.len, &again, &unused);

		assert(!buffer_error(&printed) && r >= 0);
		for (int i = 0; r == 0 && i < 3; i++)
			expect_same(&values.of[i], &again.of[i]);
	}
	values_release(&values);
	values_release(&again);
	buffer_release(&printed);
	buffer_release(&unused);
	return 0;
}
