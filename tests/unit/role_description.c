// SPDX-License-Identifier: Apache-2.0
/*
 * The table, and what is said of it: docs/SECURITY.md has its text word by word, as `slowburn doctor
 * --roles` prints it.
 */
#include "profiler/role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

static void describe(const struct role *role, struct buffer *out)
{
	assert_int_equal(role_describe(role, out), 0);
	assert_non_null(buffer_cstr(out));
}

#if !ROLE_SANITIZED /* whose table is wider */
static void test_documented(void **state)
{
	_cleanup_(buffer_release) struct buffer page = BUFFER_INIT(1 << 20);
	_cleanup_(fd_close) int fd = open("docs/SECURITY.md", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(buffer_read_fd(&page, fd), 0);
	assert_non_null(buffer_cstr(&page));
	for (size_t i = 0; i < role_count(); i++) {
		_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(1 << 16);

		describe(role_at(i), &text);
		if (!strstr(page.data, text.data))
			print_message("docs/SECURITY.md should have:\n%s", text.data);
		assert_non_null(strstr(page.data, text.data));
	}
}
#endif

static void test_width(void **state)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(1 << 16);

	for (size_t i = 0; i < role_count(); i++)
		describe(role_at(i), &text);
	assert_non_null(text.data);
	for (const char *line = text.data; line && *line; line += strcspn(line, "\n") + 1) {
		assert_in_range(strcspn(line, "\n"), 0, 100);
		assert_int_not_equal(line[strcspn(line, "\n") - 1], ' ');
	}
}

static void test_no_room(void **state)
{
	for (size_t max = 0; max < 1000; max += 7) {
		_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(max);

		assert_int_equal(role_describe(role_find("agent"), &text), -E2BIG);
	}
}

/* One in words: calls with the same name are told once, with all their conditions. */
static void test_words(void **state)
{
	static const struct role_call calls[] = {
		{ .name = "read" },
		{ .name = "bpf", .only = "A" },
		{ .name = "bpf", .only = "B" },
		{ .name = "ioctl", .only = "C" },
		{ .name = "close" },
	};
	static const struct role_calls groups[] = {
		{ "files", false, calls, 5 },
		{ "setting up", true, calls, 1 },
	};
	static const struct role_limit limits[] = {
		{ 0, "RLIMIT_A", 0 },
		{ 0, "RLIMIT_B", 64 << 20 },
		{ 0, "RLIMIT_C", 65536 },
	};
	static const struct role_capability capabilities[] = { { 0, "CAP_CHOWN", "gives" } };
	static const struct role role = {
		.name = "x",
		.work = "Does x",
		.user = "u",
		.fallback_id = 7,
		.capabilities = capabilities,
		.capability_count = 1,
		.limits = limits,
		.limit_count = 3,
		.groups = groups,
		.group_count = 2,
	};
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(1 << 16);

	describe(&role, &text);
	assert_string_equal(text.data,
			    "### x\n\nDoes x.\n\n"
			    "- uid and gid: u if there is such a user, else 7; no other groups\n"
			    "- capabilities:\n"
			    "  - CAP_CHOWN: gives\n"
			    "- limits: RLIMIT_A 0, RLIMIT_B 64 MiB, RLIMIT_C 65536\n"
			    "- system calls, all others being answered EPERM:\n"
			    "  - files: read, bpf (A, B), ioctl (C), close\n"
			    "  - setting up (given up when it is set up): read\n");
}

/* Whom it starts is in the table, and starts nobody; what they have, it has. */
static void expect_crew(const struct role *role)
{
	for (const char *const *name = role->crew; *name; name++) {
		const struct role *member = role_find(*name);

		assert_non_null(member);
		assert_null(member->crew);
		assert_int_equal(role_capabilities(member) & ~role_capabilities(role), 0);
	}
}

static void test_table(void **state)
{
	uint64_t all = 0, setup = role_setup_capabilities(role_find("agent"));

	assert_string_equal(role_at(0)->name, "supervisor");
	for (size_t i = 0; i < role_count(); i++) {
		const struct role *role = role_at(i);

		assert_ptr_equal(role_find(role->name), role);
		all |= role_capabilities(role);
		/* Whoever looks at others' bytes has an own uid, and a list of what it may call. */
		assert_int_equal(role->filter == ROLE_DENIES, role->crew != NULL);
		assert_int_equal(role->crew != NULL,
				 i == 0 || strstr(role->name, " supervisor") != NULL);
		if (role->crew) {
			expect_crew(role);
		} else {
			assert_non_null(role->user);
			assert_int_not_equal(role->fallback_id, 0);
		}
	}
	assert_int_equal(role_capabilities(role_at(0)), all);
	/* Nobody has it once there are samples: of all roles that have ways to be sealed, the agent alone. */
	assert_false(all & ~setup & (1ULL << CAP_SYS_ADMIN));
	assert_int_equal(role_capabilities(role_find("symbolizer")), 0);
	assert_int_equal(role_capabilities(role_find("dumper")), 0);
	assert_int_equal(role_capabilities(role_find("unwinder")), 0);
	assert_int_equal(role_capabilities(role_find("reader")), 0);
	assert_int_equal(role_capabilities(role_find("tracer")), 1ULL << CAP_SYS_PTRACE);
	/* It starts no agent. */
	assert_false(role_capabilities(role_find("dump supervisor")) &
		     (1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_BPF | 1ULL << CAP_PERFMON |
		      1ULL << CAP_SYS_ADMIN));
	assert_int_equal(role_capabilities(role_find("agent")),
			 1ULL << CAP_BPF | 1ULL << CAP_PERFMON | setup);
	assert_null(role_find("nobody"));
	assert_null(role_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if !ROLE_SANITIZED
		cmocka_unit_test(test_documented),
#endif
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
