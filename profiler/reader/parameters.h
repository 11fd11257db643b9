/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said with a question: one table, by which flags, /debug/pprof and /api are read alike. Names
 * are written with '-' or '_'. docs/API.md has what each does.
 */
#ifndef READER_PARAMETERS_H
#define READER_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/clock.h"
#include "profiler/base/err.h"
#include "profiler/encode/root.h"
#include "profiler/query/diff.h"
#include "profiler/query/groups.h"
#include "profiler/query/query.h"
#include "profiler/reader/request.h"

/* X(identifier, "name", kind, least, most) */
#define PARAMETERS(X)                                                        \
	X(FROM, "from", TEXT, 0, 0) /* these six: reader_request_ranges() */ \
	X(TO, "to", TEXT, 0, 0)                                              \
	X(COMPARE, "compare", TEXT, 0, 0)                                    \
	X(COMPARE_FROM, "compare_from", TEXT, 0, 0)                          \
	X(COMPARE_TO, "compare_to", TEXT, 0, 0)                              \
	X(COMPARE_QUERY, "compare_query", TEXT, 0, 0)                        \
	X(QUERY, "query", TEXT, 0, 0)                                        \
	X(FOCUS, "focus", TEXT, 0, 0)                                        \
	X(IGNORE, "ignore", TEXT, 0, 0)                                      \
	X(HIDE, "hide", TEXT, 0, 0)                                          \
	X(SHOW, "show", TEXT, 0, 0)                                          \
	X(SHOW_FROM, "show_from", TEXT, 0, 0)                                \
	X(RECURSION, "collapse_recursion", FLAG, 0, 0)                       \
	X(BY, "by", TEXT, 0, 0)                                              \
	X(ROOT, "root", TEXT, 0, 0)                                          \
	X(MODE, "mode", TEXT, 0, 0)                                          \
	X(FORMAT, "format", TEXT, 0, 0)                                      \
	X(KEY, "key", TEXT, 0, 0)                                            \
	X(ADDRESS, "address", TEXT, 0, 0)                                    \
	X(LIMIT, "limit", COUNT, 1, 10000)                                   \
	X(MAX_NODES, "max_nodes", COUNT, 1, 1000000)                         \
	X(MIN_SHARE, "min_share", PERCENT, 0, 0)                             \
	X(STEP, "step", DURATION, NS_PER_S, 366 * 24 * 3600 * NS_PER_S)      \
	X(BUCKET, "bucket", DURATION, 10 * NS_PER_MS, 3600 * NS_PER_S)       \
	X(COLUMNS, "columns", COUNT, 60, 1000)                               \
	X(COLOR, "color", FLAG, 0, 0)

enum parameter {
#define X(id, name, kind, least, most) PARAMETER_##id,
	PARAMETERS(X)
#undef X
		PARAMETER_COUNT
};

#define PARAMETER_BIT(id) (1u << PARAMETER_##id)

struct parameters {
	uint32_t given; /* PARAMETER_BIT()s */
	const char *texts[PARAMETER_COUNT]; /* borrowed from the request; NULL where none was given */
	uint64_t numbers[PARAMETER_COUNT]; /* counts; ns; flags; millionths of PERCENT */
	struct query *query; /* what is asked for */
	struct query *compared; /* what it is compared with: compare_query in the place of query */
	struct group_keys by; /* none: count is 0 */
	struct root_keys root;
	enum diff_mode mode;
};

/*
 * `accepted`: PARAMETER_BIT()s; `lenient`: others are passed over rather than refused. 0, or -EINVAL, -E2BIG, -ENOMEM and a
 * sentence. Borrows the request.
 */
int parameters_read(struct parameters *ret, const struct reader_request *q, uint32_t accepted,
		    bool lenient, struct err *err);
void parameters_release(struct parameters *p);

static inline bool parameter_given(const struct parameters *p, enum parameter id)
{
	return p->given >> id & 1;
}

/* What a count or duration is, `usual` if it isn't given. */
static inline uint64_t parameter_number(const struct parameters *p, enum parameter id,
					uint64_t usual)
{
	return parameter_given(p, id) ? p->numbers[id] : usual;
}

#endif
