// SPDX-License-Identifier: Apache-2.0
/*
 * A kernel of 50,000 functions, of which a machine meets one after the other.
 */
#include "profiler/agent/kernel_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BASE 0xffffffff81000000ULL
#define FUNCTIONS 50000u
#define STRIDE 80u /* of each odd one and the even one before it: 16 and 144 bytes */

struct kernel {
	uint32_t asked; /* requests */
	uint64_t addresses[KERNEL_NAMES_AHEAD];
	struct symbol_answer answers[KERNEL_NAMES_AHEAD];
	struct symbol_function functions[KERNEL_NAMES_AHEAD];
	char strings[KERNEL_NAMES_AHEAD * 16];
};

static uint64_t start_of(uint32_t function)
{
	return (uint64_t)function * STRIDE + (function % 2 ? 64 : 0);
}

/* As the symbolizer answers. */
static void learn(struct kernel_names *names, struct kernel *k, const uint64_t *addresses,
		  uint32_t count)
{
	static const struct symbol_module module = { .limit = (uint64_t)FUNCTIONS * STRIDE };
	uint32_t function_count = 0, last = UINT32_MAX, end = 1;

	k->asked++;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t vaddr = addresses[i] - BASE;
		uint32_t function = (uint32_t)(vaddr / STRIDE);

		assert_true(addresses[i] >= BASE && (!i || addresses[i] > addresses[i - 1]));
		k->answers[i] = (struct symbol_answer){ 0, SYMBOLS_NONE, SYMBOLS_NONE };
		if (function >= FUNCTIONS)
			continue;
		function -= function % 2 && vaddr < start_of(function);
		if (function != last)
			k->functions[function_count++] = (struct symbol_function){
				start_of(function), start_of(function + 1) - start_of(function),
				end, end
			};
		if (function != last)
			end += (uint32_t)snprintf(k->strings + end, 16, "f%u", function) + 1;
		last = function;
		k->answers[i] = (struct symbol_answer){ vaddr, function_count - 1, 0 };
	}
	kernel_names_learn(names,
			   &(struct symbols){ .answers = k->answers,
					      .functions = k->functions,
					      .modules = &module,
					      .strings = k->strings },
			   addresses, count);
}

/* One address is met: is it known? If not it is asked about, as agent/naming.c does. */
static bool meet(struct kernel_names *names, struct kernel *k, struct profile *p, uint32_t function)
{
	uint64_t address = BASE + start_of(function) + 5;
	struct site site;
	char want[16];
	uint32_t count;
	int r = kernel_names_find(names, p, address, &site);

	if (r == 0)
		learn(names, k, &address, 1);
	count = kernel_names_ahead(names, k->addresses);
	assert_true(r == 0 || count == 0);
	if (count)
		learn(names, k, k->addresses, count);
	assert_int_equal(kernel_names_find(names, p, address, &site), 1);
	snprintf(want, sizeof(want), "f%u", function);
	assert_string_equal(profile_text(p, p->functions.items[site.id].name), want);
	assert_int_equal(site.address, address - BASE);
	return r == 1;
}

/* However many are met: it is read some times, and then no more. */
static void what_is_met_once_costs_no_reading_each(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));
	struct kernel_names *names;
	uint32_t readings;
	struct profile p;

	(void)state;
	assert_non_null(k);
	assert_int_equal(kernel_names_new(&names), 0);
	assert_int_equal(profile_init(&p, 64 << 20, 1 << 20), 0);
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		meet(names, k, &p, (uint32_t)((uint64_t)i * 7919 % FUNCTIONS));
	assert_in_range(k->asked, 4, 24);
	readings = k->asked;
	/* Nor in another epoch. */
	kernel_names_turn(names);
	profile_release(&p);
	assert_int_equal(profile_init(&p, 64 << 20, 1 << 20), 0);
	for (uint32_t i = 0; i < FUNCTIONS; i++)
		assert_true(meet(names, k, &p, i));
	assert_int_equal(k->asked, readings);
	profile_release(&p);
	kernel_names_free(names);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_met_once_costs_no_reading_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
