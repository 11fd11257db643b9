/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels as root frames (`--root comm,pid`): so that the `main`s of several programs stay apart in tools
 * that know no labels. The first key is the outermost frame.
 */
#ifndef ENCODE_ROOT_H
#define ENCODE_ROOT_H

#include <stdint.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/base/index.h"
#include "profiler/model/profile.h"

#define ROOT_MAX_KEYS 8

struct root_keys {
	char keys[ROOT_MAX_KEYS][32];
	uint32_t count;
};

/* "comm,pid". 0, or -EINVAL and a sentence: the keys are comm, thread, pid, tid, cgroup, each once. */
int root_keys_parse(struct root_keys *ret, const char *text, struct err *err);

/* Appends "key: value" (or "key: -" where the series has none), escaped (base/text.h). */
int root_frame_text(const struct profile *p, uint32_t series, const char *key, struct buffer *out);

/* Distinct texts, numbered from 0: what the root frames of many series come down to. */
struct root_texts {
	struct arena arena;
	ARRAY(struct profile_string) items;
	struct index index;
};

void root_texts_init(struct root_texts *t);
void root_texts_release(struct root_texts *t);
/* The number of a text, which is copied if it is new. -ENOMEM, also beyond 64 MiB of texts. */
int root_texts_add(struct root_texts *t, const char *text, size_t len);

#endif
