/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of all files, each once, in the kernel's one array of them. A whole machine's libraries have
 * about 5,000. Counted by file: one that no file has any more keeps its place, and its number is another
 * rule's no sooner than UNWIND_GRACE_NS later.
 */
#ifndef TABLES_RULE_H
#define TABLES_RULE_H

#include <stdint.h>

#include "profiler/collect/tables.h"

struct rules {
	struct unwind_rule *all; /* the kernel's */
	uint32_t max; /* numbers there may be */
	uint32_t high; /* numbers beyond were never used */
	uint32_t *files; /* by number: how many have it */
	uint64_t *left_ns; /* by number: when the last one gave it up */
	uint16_t *slots; /* hash → number, 0: none */
	uint16_t *spare; /* numbers to be used again */
	uint32_t spare_count;
	uint64_t swept_ns;
	uint64_t multiplier; /* of the hash: odd, and of this process */
	uint32_t refused; /* rules for which there was no number */
};

/* `max` <= UNWIND_MAX_RULES, a power of two. Borrows `t` for its life. 0 or -ENOMEM; then release is fine. */
int rules_init(struct rules *r, struct tables *t, uint32_t max);
void rules_release(struct rules *r);

/*
 * The number of this rule, which one file more has now. UNWIND_RULE_UNSUPPORTED if there is none left: then the
 * rows end the stack, and the file is not at fault.
 */
uint16_t rules_take(struct rules *r, const struct unwind_rule *rule, uint64_t now_ns);
void rules_give(struct rules *r, uint16_t number, uint64_t now_ns);

#endif
