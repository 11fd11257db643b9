/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which samples of a profile a query asks for, window after window, where nothing is made of their stacks: what is judged
 * once stays judged while the profile grows.
 */
#ifndef QUERY_SIEVE_H
#define QUERY_SIEVE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"
#include "profiler/query/query.h"

struct sieve;

/* Borrows both until sieve_free(). 0; -ELOOP (an expression takes too long), -ENOMEM; and a sentence. */
int sieve_new(struct sieve **ret, const struct query *q, const struct profile *p, struct err *err);
void sieve_free(struct sieve *s);

/* To be called when the profile has grown. Errors are the same. */
int sieve_update(struct sieve *s, struct err *err);

bool sieve_keeps(const struct sieve *s, uint32_t series, uint32_t node);

#endif
