/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process_source of a test's own making: texts and binaries are what it says, questions are counted.
 * Directories of cgroups are real ones, of a test's own, too.
 */
#ifndef TESTS_PROCESS_FAKE_H
#define TESTS_PROCESS_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "profiler/process/source.h"

#define FAKE_TEXTS 64
#define FAKE_OPENS 4096

struct fake_text {
	enum process_text what;
	uint32_t pid;
	int error; /* if not 0, instead of the text */
	char text[1024];
};

struct fake {
	struct process_source source;
	struct fake_text texts[FAKE_TEXTS];
	uint32_t text_count;
	uint32_t reads[PROCESS_TEXT_COUNT];
	uint32_t opens;
	int open_error; /* what open() answers, if not 0 */
	uint32_t open_failures; /* and how often; UINT32_MAX: always */
	int open_kind; /* else: enum process_file_kind */
	uint32_t fetches;
	int fetch_error;
	struct file_identity identity; /* of whatever is opened */
	struct file_place last; /* without its path */
	char last_path[256];
};

static inline struct fake_text *fake_find(struct fake *f, enum process_text what, uint32_t pid)
{
	for (uint32_t i = 0; i < f->text_count; i++)
		if (f->texts[i].what == what && f->texts[i].pid == pid)
			return &f->texts[i];
	return NULL;
}

/* What reading `what` of `pid` gives from now on; NULL: `error`. */
static inline void fake_set(struct fake *f, enum process_text what, uint32_t pid, const char *text,
			    int error)
{
	struct fake_text *t = fake_find(f, what, pid);

	if (!t)
		t = &f->texts[f->text_count++ % FAKE_TEXTS];
	*t = (struct fake_text){ .what = what, .pid = pid, .error = error };
	snprintf(t->text, sizeof(t->text), "%s", text ? text : "");
}

static inline int fake_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	struct fake *f = ctx;
	struct fake_text *t = fake_find(f, what, pid);

	f->reads[what]++;
	if (!t)
		return -ENOENT;
	if (t->error)
		return t->error;
	buffer_text(out, t->text);
	return buffer_error(out);
}

static inline int fake_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct fake *f = ctx;

	f->opens++;
	f->last = *place;
	snprintf(f->last_path, sizeof(f->last_path), "%s", place->path);
	if (f->open_error && f->open_failures) {
		if (f->open_failures != UINT32_MAX)
			f->open_failures--;
		return f->open_error;
	}
	*ret_fd = -1;
	return f->open_kind;
}

static inline int fake_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct fake *f = ctx;

	f->fetches++;
	f->last = *place;
	snprintf(f->last_path, sizeof(f->last_path), "%s", place->path);
	if (f->fetch_error)
		return f->fetch_error;
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static inline int fake_identify(void *ctx, int fd, struct file_identity *ret)
{
	const struct fake *f = ctx;

	(void)fd;
	*ret = f->identity;
	return 0;
}

static inline void fake_init(struct fake *f)
{
	*f = (struct fake){ .source = { .read = fake_read,
					.open = fake_open,
					.fetch = fake_fetch,
					.cgroup = process_source_live.cgroup,
					.identify = fake_identify } };
	f->source.ctx = f;
}

#endif
