// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "symbolizer/protocol.h"

/* clang-format off */
static const struct {
	const char *mangled, *want; /* NULL: stays as it is */
} names[] = {
	{ "main", NULL },
	{ "", NULL },
	{ "_", NULL },
	{ "_Z", NULL },
	{ "_R", NULL },
	{ "_ZN", NULL },
	{ "_Zfoo", NULL },
	{ "__libc_start_main", NULL },
	{ "_start", NULL },
	{ "_Read", NULL },
	{ "foo.constprop.0", NULL },
	/* C++ */
	{ "_Z3fooi", "foo(int)" },
	{ "_ZN4llvm11raw_ostreamlsEl", "llvm::raw_ostream::operator<<(long)" },
	{ "_ZNSt6vectorIiSaIiEE9push_backERKi",
	  "std::vector<int, std::allocator<int> >::push_back(int const&)" },
	{ "_ZNK3Foo3barEv.cold", "Foo::bar() const [clone .cold]" },
	{ "_ZL4workPv.constprop.0.isra.1", "work(void*) [clone .constprop.0] [clone .isra.1]" },
	{ "_ZL3foov.llvm.1234567890", "foo()" },
	{ "_GLOBAL__I__ZN3FooC2Ev", "global constructors keyed to Foo::Foo()" },
	{ "_ZTv0_n24_N3FooD1Ev", "virtual thunk to Foo::~Foo()" },
	/* Rust, legacy: the hash is nobody's business */
	{ "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt" },
	{ "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE.llvm.42",
	  "core::fmt::Write::write_fmt" },
	{ "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt"
	  "17h0123456789abcdefE", "<alloc::string::String as core::fmt::Display>::fmt" },
	/* Rust, v0 */
	{ "_RNvCs1234_7mycrate3foo", "mycrate::foo" },
	{ "_RINvNtC3std3mem8align_ofjdE", "std::mem::align_of::<usize, f64>" },
};
/* clang-format on */

static void test_names(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char out[SYMBOLS_MAX_NAME + 1] = "";
		char got[2 * sizeof(out)], want[2 * sizeof(out)];
		bool r = demangle(names[i].mangled, out, sizeof(out));

		snprintf(got, sizeof(got), "%s: %s", names[i].mangled, r ? out : "(as it is)");
		snprintf(want, sizeof(want), "%s: %s", names[i].mangled,
			 names[i].want ? names[i].want : "(as it is)");
		assert_string_equal(got, want);
	}
}

/*
 * f(A, T<A, A>, T<T<A, A>, T<A, A>>, …): each level names the one before twice, 2^30 bytes in 300
 * (c++filt is still printing). The output is cut, and soon.
 */
static void test_expansion_is_cut(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char mangled[512] = "_Z1f1A1TIS_S_E", out[SYMBOLS_MAX_NAME + 1];
	static const char want[] = "f(A, T<A, A>, T<T<A, A>, T<A, A> >, T<T<T<A, A>, ";
	uint64_t start = clock_ns(CLOCK_MONOTONIC), took;
	size_t len = strlen(mangled);

	for (unsigned int i = 1; i < 31; i++) {
		int n = snprintf(mangled + len, sizeof(mangled) - len, "S0_IS%c_S%c_E", digits[i],
				 digits[i]);

		len += (size_t)n;
	}
	assert_true(demangle(mangled, out, sizeof(out)));
	took = clock_ns(CLOCK_MONOTONIC) - start;
	assert_int_equal(strlen(out), SYMBOLS_MAX_NAME);
	assert_memory_equal(out, want, sizeof(want) - 1);
	assert_true(took < NS_PER_S);
}

/* A buffer of any size: what fits is written, and a NUL. */
static void test_cut_anywhere(void **state)
{
	static const char whole[] = "std::vector<int, std::allocator<int> >::push_back(int const&)";

	for (size_t size = 2; size <= sizeof(whole); size++) {
		char out[sizeof(whole) + 1];

		memset(out, 0x55, sizeof(out));
		assert_true(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi", out, size));
		assert_int_equal(strlen(out), size - 1);
		assert_memory_equal(out, whole, size - 1);
		assert_int_equal(out[size], 0x55);
	}
}

/* The deepest nesting that a name of the largest size can have. */
static void test_deep(void **state)
{
	char mangled[SYMBOLS_MAX_NAME + 1], out[SYMBOLS_MAX_NAME + 1];

	memset(mangled, 'P', sizeof(mangled));
	memcpy(mangled, "_Z1f", 4);
	mangled[SYMBOLS_MAX_NAME - 1] = 'i';
	mangled[SYMBOLS_MAX_NAME] = '\0';
	assert_false(demangle(mangled, out, sizeof(out)));
	memcpy(mangled, "_RYY", 4);
	/*
	 * Rust's is printed while it is read: what was printed before the end of the buffer stands.
	 */
	assert_true(demangle(mangled, out, sizeof(out)));
	assert_int_equal(strlen(out), SYMBOLS_MAX_NAME);
	memset(mangled + 2, 'Y', SYMBOLS_MAX_NAME - 2);
	assert_false(demangle(mangled, out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_expansion_is_cut),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
