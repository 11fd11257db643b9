// SPDX-License-Identifier: Apache-2.0
/*
 * Linear probing over numbers. When the last number is used, all that no file has are collected, and the
 * hash is made anew without them: a millisecond, at most once in UNWIND_GRACE_NS.
 */
#include "profiler/tables/rule.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/index.h"

int rules_init(struct rules *r, struct tables *t, uint32_t max)
{
	assert(max <= UNWIND_MAX_RULES && max > UNWIND_RULE_FIRST && !(max & (max - 1)));
	*r = (struct rules){ .all = tables_rules(t), .max = max, .high = UNWIND_RULE_FIRST };
	r->multiplier = hash_bytes("", 0) | 1;
	r->files = calloc(max, sizeof(*r->files));
	r->left_ns = calloc(max, sizeof(*r->left_ns));
	r->slots = calloc(2UL * max, sizeof(*r->slots));
	r->spare = calloc(max, sizeof(*r->spare));
	if (!r->files || !r->left_ns || !r->slots || !r->spare)
		return -ENOMEM;
	r->all[UNWIND_RULE_NONE] = (struct unwind_rule){ .kind = UNWIND_NONE };
	r->all[UNWIND_RULE_UNSUPPORTED] = (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED };
	return 0;
}

void rules_release(struct rules *r)
{
	free(r->files);
	free(r->left_ns);
	free(r->slots);
	free(r->spare);
	*r = (struct rules){ 0 };
}

/* Its slot: where it is, or where it would be. */
static uint32_t slot_of(const struct rules *r, const struct unwind_rule *rule)
{
	uint32_t slot;
	uint64_t bits;

	memcpy(&bits, rule, sizeof(bits));
	slot = (uint32_t)(bits * r->multiplier >> 40);
	for (;; slot++) {
		uint32_t number = r->slots[slot & (2 * r->max - 1)];

		if (!number || memcmp(&r->all[number], rule, sizeof(*rule)) == 0)
			return slot & (2 * r->max - 1);
	}
}

/* Collects the numbers that may be used again. */
static void sweep(struct rules *r, uint64_t now_ns)
{
	if (r->swept_ns && now_ns - r->swept_ns < UNWIND_GRACE_NS)
		return;
	r->swept_ns = now_ns;
	memset(r->slots, 0, 2UL * r->max * sizeof(*r->slots));
	for (uint32_t i = UNWIND_RULE_FIRST; i < r->high; i++) {
		if (r->files[i] || now_ns - r->left_ns[i] < UNWIND_GRACE_NS)
			r->slots[slot_of(r, &r->all[i])] = (uint16_t)i;
		else
			r->spare[r->spare_count++] = (uint16_t)i;
	}
}

static uint32_t number_new(struct rules *r, uint64_t now_ns)
{
	if (!r->spare_count && r->high < r->max)
		return r->high++;
	if (!r->spare_count)
		sweep(r, now_ns);
	return r->spare_count ? r->spare[--r->spare_count] : 0;
}

uint16_t rules_take(struct rules *r, const struct unwind_rule *rule, uint64_t now_ns)
{
	uint32_t number;

	if (rule->kind == UNWIND_NONE)
		return UNWIND_RULE_NONE;
	if (rule->kind == UNWIND_UNSUPPORTED)
		return UNWIND_RULE_UNSUPPORTED;
	number = r->slots[slot_of(r, rule)];
	if (!number) {
		number = number_new(r, now_ns);
		if (!number) {
			r->refused++;
			return UNWIND_RULE_UNSUPPORTED;
		}
		r->all[number] = *rule;
		r->slots[slot_of(r, rule)] = (uint16_t)number;
	}
	r->files[number]++;
	return (uint16_t)number;
}

void rules_give(struct rules *r, uint16_t number, uint64_t now_ns)
{
	if (number < UNWIND_RULE_FIRST)
		return;
	assert(r->files[number]);
	if (--r->files[number] == 0)
		r->left_ns[number] = now_ns;
}
