/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the symbolizer's request code in this process, and puts one answer into one line of text, so
 * that tests are tables of text.
 */
#ifndef TESTS_UNIT_SYMBOLIZER_ASK_H
#define TESTS_UNIT_SYMBOLIZER_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

struct asked {
	struct buffer bytes;
	struct symbols symbols;
};

static inline void asked_release(struct asked *a)
{
	buffer_release(&a->bytes);
}

/* Whatever the file holds: a reply that passes the check. */
static inline void ask(struct asked *a, enum symbol_space space, const int *fds, uint32_t fd_count,
		       const uint64_t *addresses, uint32_t count)
{
	struct symbol_request head = { .space = space, .count = count };
	struct buffer request = BUFFER_INIT(1 << 20);
	struct err err = { .text = "" };
	int r;

	buffer_init(&a->bytes, SYMBOLS_MAX_REPLY_BYTES);
	buffer_append(&request, &head, sizeof(head));
	buffer_append(&request, addresses, count * sizeof(*addresses));
	r = request_answer(request.data, request.len, fds, fd_count, &a->bytes);
	buffer_release(&request);
	assert_int_equal(r, 0);
	r = symbols_check(a->bytes.data, a->bytes.len, count, &a->symbols, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
}

/* "name start+size", or "?"; "module:" before it where there is a named one. */
static inline const char *asked_text(const struct asked *a, uint32_t i, char *text, size_t size)
{
	const struct symbols *s = &a->symbols;
	const struct symbol_answer *answer = &s->answers[i];
	const char *module = "";
	const struct symbol_function *f;

	if (answer->module != SYMBOLS_NONE)
		module = s->strings + s->modules[answer->module].name;
	if (answer->function == SYMBOLS_NONE) {
		snprintf(text, size, "%s%s?", module, *module ? ":" : "");
		return text;
	}
	f = &s->functions[answer->function];
	snprintf(text, size, "%s%s%s %llx+%llx", module, *module ? ":" : "",
		 s->strings + f->system_name, (unsigned long long)f->start,
		 (unsigned long long)f->size);
	return text;
}

/* A file in memory, rewound. */
static inline int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

#endif
