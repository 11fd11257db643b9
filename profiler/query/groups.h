/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series that have the same values of some labels are a group.
 */
#ifndef QUERY_GROUPS_H
#define QUERY_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/base/index.h"
#include "profiler/model/profile.h"

#define GROUPS_MAX_KEYS 8
#define GROUPS_MAX_KEY_BYTES 64

struct group_keys {
	char keys[GROUPS_MAX_KEYS][GROUPS_MAX_KEY_BYTES];
	uint32_t count;
};

/* "comm,cgroup". 0, or -EINVAL and a sentence: any label's name, each once, at most 8. */
int group_keys_parse(struct group_keys *ret, const char *text, struct err *err);

/* A label's value in a group: as profile_label, of text "" where a series doesn't have it. */
struct group_value {
	uint32_t text; /* string, or PROFILE_NONE if it is a number */
	uint32_t zero; /* hashed as bytes */
	int64_t number;
};

struct group {
	struct group_value values[GROUPS_MAX_KEYS];
};

struct groups {
	struct group_keys keys;
	ARRAY(struct group) items;
	struct index index;
	uint32_t *of_series;
};

/* 0 or -ENOMEM. */
int groups_init(struct groups *g, const struct group_keys *keys, const struct profile *p);
void groups_release(struct groups *g);

/* By the process's name, as all are who don't say by what. */
extern const struct group_keys group_by_comm;

bool group_keys_are_comm(const struct group_keys *keys);

/* Appends "postgres" of one label, "comm: postgres, pid: 7" of several; "-" for what isn't there. */
void group_name_write(const struct groups *g, const struct profile *p, uint32_t group,
		      struct buffer *out);

/* Appends a value's text: digits of a number; "" where there is none. */
void group_value_write(const struct groups *g, const struct profile *p, uint32_t group,
		       uint32_t key, struct buffer *out);

#endif
