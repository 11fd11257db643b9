// SPDX-License-Identifier: Apache-2.0
/*
 * The linker's --wrap rather than a malloc of our own: sanitizers have theirs already, and the test's own
 * libraries must not fail. Not thread safe: a scenario runs in one thread.
 */
#include "tests/unit/torture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* More than any scenario needs: one that never gets through its allocations is stopped here. */
#define MAX_ALLOCATIONS 100000

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
void __real_free(void *p);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);
void __wrap_free(void *p);
const char *__asan_default_options(void);

static struct {
	bool on;
	uint32_t seen; /* allocations so far */
	uint32_t fail_at; /* the one that fails, from 1 */
	int64_t live; /* allocated and not freed */
} run;

/* AddressSanitizer's malloc would rather stop the program than return NULL. */
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static bool fails(void)
{
	if (!run.on || ++run.seen != run.fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

static void *made(void *p)
{
	run.live += run.on && p;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : made(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : made(__real_calloc(count, size));
}

/* One that grows is neither made nor freed. */
void *__wrap_realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	return p ? __real_realloc(p, size) : made(__real_realloc(p, size));
}

void *__wrap_reallocarray(void *p, size_t count, size_t size)
{
	if (fails())
		return NULL;
	return p ? __real_reallocarray(p, count, size) : made(__real_reallocarray(p, count, size));
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : made(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t len)
{
	return fails() ? NULL : made(__real_strndup(s, len));
}

void __wrap_free(void *p)
{
	run.live -= run.on && p;
	__real_free(p);
}

uint32_t torture(torture_fn scenario, void *ctx)
{
	for (uint32_t fail_at = 1; fail_at <= MAX_ALLOCATIONS; fail_at++) {
		bool failed;
		int r;

		run.live = run.seen = 0;
		run.fail_at = fail_at;
		run.on = true;
		r = scenario(ctx);
		run.on = false;
		failed = run.seen >= fail_at;
		if (r != 0 && (r != -ENOMEM || !failed))
			fail_msg("allocation %u of %u %s: got %d", fail_at, run.seen,
				 failed ? "failed" : "did not fail", r);
		if (run.live)
			fail_msg("allocation %u failed: %ld are left over", fail_at,
				 (long)run.live);
		if (!failed)
			return run.seen;
	}
	fail_msg("still going after %d allocations", MAX_ALLOCATIONS);
	return 0;
}
