// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged DWARF and damaged indexes, asked for lines in this very process: whatever is in a file, the answer is one that
 * the agent believes, it takes less than a second, and no more memory than the sandbox allows a profile's symbolizer.
 *
 * Of DWARF there are the small programs of tests/lines (gcc, clang, DWARF 4 and 5, zlib, zstd, dwz) and this test itself;
 * of indexes those that come of them, mostly with a checksum that agrees with the damage, searched and handed over with a request.
 *
 * MUTANTS, MUTANT_SEED and MUTANT as in symbolizer_mutants.c.
 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "symbolizer/dwarf_walk.h"
#include "symbolizer/lines.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"
#include "tests/hostile/mutant.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define MUTANTS 20000
#define MAX_NS (NS_PER_S)
#define MAX_DATA_BYTES (64u << 20)
#define ADDRESSES 64u
#define CODE 0x401000u /* of the small programs */
#define MAX_SECTION_BYTES (64u << 20)
#define MAX_IMAGE_BYTES (1u << 20)

static const char *const corpus = "symbolizer_dwarf";

/* How it came out. Of each kind there must be some, or the damage is not what it is meant to be. */
enum outcome { WHOLE, UNITS_DAMAGED, SECTIONS_DAMAGED, REFUSED, OUTCOMES };

/* Beyond what is there already no more than the role has. Sanitizers need terabytes. */
static void limit_memory(void)
{
	unsigned long long kb = 0;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t most;

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmData:", 7))
			kb = strtoull(line + 7, NULL, 10);
	fclose(status);
	assert_true(kb > 0);
	most = (kb << 10) + MAX_DATA_BYTES;
	if (!SANITIZED)
		assert_int_equal(setrlimit(RLIMIT_DATA, &(struct rlimit){ most, most }), 0);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Mostly where the small programs have their code. */
static void addresses_fill(struct mutants *m, uint64_t *ret)
{
	for (uint32_t i = 0; i < ADDRESSES; i++)
		ret[i] = mutants_random(m, 8)
				 ? CODE + mutants_random(m, 0x200)
				 : mutants_random(m, UINT64_MAX) >> mutants_random(m, 64);
	qsort(ret, ADDRESSES, sizeof(*ret), compare);
}

static enum outcome outcome_of(const struct lines_reply *r)
{
	if (r->status != SYMBOLS_OK)
		return REFUSED;
	if (r->units_damaged)
		return UNITS_DAMAGED;
	return r->flags & (LINES_DAMAGED | LINES_NO_ALTERNATE) ? SECTIONS_DAMAGED : WHOLE;
}

/* The CPU time that it took, in ns. Each fourth is its own alternate file. */
static uint64_t ask(struct mutants *m, int fd, uint32_t *outcomes)
{
	struct {
		struct lines_request head;
		uint64_t addresses[ADDRESSES];
	} request = { .head.count = ADDRESSES };
	bool alternate = mutants_random(m, 4) == 0;
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct lines_shelf shelf = { 0 };
	struct lines_answers a;
	struct err err = { 0 };
	uint64_t took;
	int r;

	addresses_fill(m, request.addresses);
	request.head.with = alternate ? LINES_WITH_ALTERNATE : 0;
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	r = request_answer_lines(&shelf, &request, sizeof(request), (const int[]){ fd, fd },
				 alternate ? 2 : 1, &reply);
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - took;
	if (r < 0)
		fail_msg("%s: no answer: %s", mutants_story(m), strerror(-r));
	if (lines_check(reply.data, reply.len, ADDRESSES, &a, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	if (took > MAX_NS)
		fail_msg("%s: took %.3f s", mutants_story(m), (double)took / NS_PER_S);
	outcomes[outcome_of(a.reply)]++;
	lines_shelf_release(&shelf);
	buffer_release(&reply);
	return took;
}

static void test_dwarf(void **state)
{
	struct mutants *m = mutants_bare(mutants_setting("MUTANT_SEED", 0));
	uint64_t first = mutants_setting("MUTANT", 0),
		 count = first ? 1 : mutants_setting("MUTANTS", MUTANTS), worst = 0;
	uint32_t outcomes[OUTCOMES] = { 0 };
	char folder[PATH_MAX], worst_story[2048] = "";

	(void)state;
	mutants_add_folder(m, mutants_built_corpus(corpus, folder, sizeof(folder)));
	limit_memory();
	printf("# MUTANT_SEED=%llu\n", (unsigned long long)mutants_seed(m));
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t took = ask(m, mutants_make(m, i), outcomes);

		if (took <= worst)
			continue;
		worst = took;
		snprintf(worst_story, sizeof(worst_story), "%s", mutants_story(m));
	}
	printf("# of %llu: %u whole, %u with damaged units, %u with damaged sections, %u refused; at worst %.1f ms\n# %s\n",
	       (unsigned long long)count, outcomes[WHOLE], outcomes[UNITS_DAMAGED],
	       outcomes[SECTIONS_DAMAGED], outcomes[REFUSED], (double)worst / NS_PER_MS,
	       worst_story);
	if (count >= MUTANTS) {
		assert_true(outcomes[WHOLE] > count / 20);
		assert_true(outcomes[UNITS_DAMAGED] > count / 20);
		assert_true(outcomes[SECTIONS_DAMAGED] > count / 500);
		assert_true(outcomes[REFUSED] > count / 100);
	}
	mutants_free(m);
}

/* ---- indexes ---- */

static const char *const image_names[] = { "gcc-5", "gcc-dwz", "clang-4" };

/* Those of the small programs, whose names are as their own; and one of the programs. */
static struct mutants *image_mutants(uint64_t seed, int *ret_program)
{
	struct mutants *m = mutants_bare(seed);
	char folder[PATH_MAX], path[PATH_MAX + 16];

	mutants_built_corpus(corpus, folder, sizeof(folder));
	*ret_program = -1;
	for (size_t i = 0; i < sizeof(image_names) / sizeof(image_names[0]); i++) {
		struct buffer image = BUFFER_INIT(MAX_IMAGE_BYTES);
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", folder, image_names[i]);
		file = fopen(path, "re");
		if (!file)
			continue; /* no such compiler here */
		assert_int_equal(dwarf_walk(fileno(file), -1, MAX_SECTION_BYTES, &image), 0);
		mutants_add_bytes(m, image_names[i], image.data, image.len);
		buffer_release(&image);
		if (*ret_program < 0)
			*ret_program = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3);
		fclose(file);
	}
	assert_true(*ret_program >= 0);
	return m;
}

/* What somebody who wants to be believed writes into it. */
static void image_sign(struct mutants *m, char *bytes, size_t len)
{
	const size_t from = offsetof(struct lines_header, checksum) + sizeof(uint64_t);
	uint64_t size = len, sum;

	if (len < sizeof(struct lines_header) || mutants_random(m, 8) == 0)
		return;
	if (mutants_random(m, 8))
		memcpy(bytes + offsetof(struct lines_header, size), &size, sizeof(size));
	sum = XXH3_64bits(bytes + from, len - from);
	memcpy(bytes + offsetof(struct lines_header, checksum), &sum, sizeof(sum));
}

/* Whatever is in it, what is found lies in its strings or is nothing. */
static void image_search(struct mutants *m, const struct lines *x)
{
	uint64_t addresses[ADDRESSES];

	addresses_fill(m, addresses);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		struct lines_frame frames[LINES_MAX_DEPTH];
		uint32_t count = lines_find(x, i % 8 ? addresses[i] : x->header->base + i, frames,
					    LINES_MAX_DEPTH);

		if (count > LINES_MAX_DEPTH)
			fail_msg("%s: %u frames", mutants_story(m), count);
		for (uint32_t j = 0; j < count; j++) {
			const char *name = lines_string(x, frames[j].name);
			const char *file = lines_string(x, frames[j].file);

			if (strlen(name) > x->header->string_bytes ||
			    strlen(file) > x->header->string_bytes)
				fail_msg("%s: a string that doesn't end", mutants_story(m));
		}
	}
}

/* ---- indexes that come with a request ---- */

struct request {
	struct lines_request head;
	uint64_t addresses[ADDRESSES];
};

/* The reply of a symbolizer that has just started; `index`: -1 if none comes. */
static void program_ask(struct mutants *m, int program, int index, const struct request *request,
			struct buffer *reply, struct lines_answers *ret)
{
	struct request with = *request;
	struct lines_shelf shelf = { 0 };
	struct err err = { 0 };
	int r;

	with.head = (struct lines_request){ ADDRESSES, index < 0 ? 0 : LINES_WITH_INDEX };
	buffer_init(reply, SYMBOLS_MAX_REPLY_BYTES);
	r = request_answer_lines(&shelf, &with, sizeof(with), (const int[]){ program, index },
				 index < 0 ? 1 : 2, reply);
	if (r < 0)
		fail_msg("%s: no answer: %s", mutants_story(m), strerror(-r));
	if (lines_check(reply->data, reply->len, ADDRESSES, ret, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	lines_shelf_release(&shelf);
}

/* True if it was believed. If not, the answer is as if it had not come. */
static bool image_hand_over(struct mutants *m, int program, int scratch, const char *bytes,
			    size_t len)
{
	const uint32_t refused = LINES_INDEX_BAD | LINES_INDEX_MADE;
	const size_t head = sizeof(struct lines_reply);
	struct request request;
	struct buffer with, without;
	struct lines_answers a, b;
	uint32_t flags;

	addresses_fill(m, request.addresses);
	assert_int_equal(ftruncate(scratch, 0), 0);
	assert_int_equal(pwrite(scratch, bytes, len, 0), len);
	program_ask(m, program, scratch, &request, &with, &a);
	flags = a.reply->flags & ~LINES_OF_FILE & ~LINES_INCOMPLETE;
	if (flags != LINES_INDEX_USED && flags != refused)
		fail_msg("%s: flags %#x", mutants_story(m), flags);
	if (flags == refused) {
		program_ask(m, program, -1, &request, &without, &b);
		if (with.len != without.len ||
		    memcmp(with.data + head, without.data + head, with.len - head) != 0)
			fail_msg("%s: refused, and the answer is another", mutants_story(m));
		buffer_release(&without);
	}
	buffer_release(&with);
	return flags == LINES_INDEX_USED;
}

static void test_images(void **state)
{
	int program, scratch = memfd_create("index", MFD_CLOEXEC);
	struct mutants *m = image_mutants(mutants_setting("MUTANT_SEED", 0), &program);
	uint64_t first = mutants_setting("MUTANT", 0),
		 count = first ? 1 : mutants_setting("MUTANTS", MUTANTS);
	uint32_t opened = 0, believed = 0;

	(void)state;
	printf("# MUTANT_SEED=%llu\n", (unsigned long long)mutants_seed(m));
	for (uint64_t i = first; i < first + count; i++) {
		int fd = mutants_make(m, i);
		struct stat st;
		struct lines x;
		char *bytes;
		size_t len;

		assert_int_equal(fstat(fd, &st), 0);
		len = st.st_size < MAX_IMAGE_BYTES ? (size_t)st.st_size : MAX_IMAGE_BYTES;
		/* Of its own size, so that a sanitizer sees what lies behind it. */
		bytes = malloc(len ? len : 1);
		assert_non_null(bytes);
		assert_int_equal(pread(fd, bytes, len, 0), len);
		image_sign(m, bytes, len);
		if (lines_open(&x, bytes, len) == 0) {
			opened++;
			image_search(m, &x);
		}
		believed += image_hand_over(m, program, scratch, bytes, len);
		free(bytes);
	}
	printf("# of %llu indexes %u were opened, %u believed\n", (unsigned long long)count, opened,
	       believed);
	if (count >= MUTANTS) {
		assert_true(opened > count / 10);
		assert_true(opened < count - count / 10);
		/* Of three programs' indexes one is this one's. */
		assert_true(believed > count / 40);
		assert_true(believed < opened);
	}
	close(scratch);
	close(program);
	mutants_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_dwarf, mutants_tell),
		cmocka_unit_test_teardown(test_images, mutants_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
