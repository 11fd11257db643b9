/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label matchers as in PromQL: comm="postgres",container=~"api-.*",pid!="1". All must hold. A label that a
 * sample doesn't have is "", a number is its decimal digits. =~ and !~ take regular expressions that must match
 * the whole value. Values are in double or single quotes, with \\ \" \' \n \t \r and \xNN, or in backquotes as
 * they are. Braces around all of it and a comma behind the last are allowed.
 */
#ifndef QUERY_MATCHERS_H
#define QUERY_MATCHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"

#define MATCHERS_MAX 32
#define MATCHERS_MAX_BYTES 4096

struct matchers;

/* 0, or -EINVAL, -E2BIG, -ENOMEM and a sentence that says at which character. */
int matchers_new(struct matchers **ret, const char *text, struct err *err);
void matchers_free(struct matchers *m);

/* 1, 0, or -ELOOP if an expression takes too long. */
int matchers_hold(const struct matchers *m, const struct profile *p, uint32_t series);

#endif
