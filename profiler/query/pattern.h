/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular expression (PCRE2) with a bound on what one match may cost. Case counts; bytes that are no UTF-8
 * match nothing.
 */
#ifndef QUERY_PATTERN_H
#define QUERY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/err.h"

#define PATTERN_MAX_BYTES 4096

struct pattern;

/*
 * `whole`: it must match all of a text, else a part. 0, or -EINVAL and a sentence that points at the
 * place; -E2BIG, -ENOMEM.
 */
int pattern_new(struct pattern **ret, const char *text, bool whole, struct err *err);
void pattern_free(struct pattern *p);

/* 1, 0, or -ELOOP if it took too long: then none is tried any more, and all are that. */
int pattern_match(struct pattern *p, const char *s, size_t len);

#endif
