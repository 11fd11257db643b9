// SPDX-License-Identifier: Apache-2.0
/*
 * What follows from conditions that this machine isn't in.
 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/command/check.h"
#include "profiler/command/memory_limit.h"
#include "profiler/role/role.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALL ((1LL << 41) - 1)
#define BIT(c) (1LL << (c))

/* A machine that lacks nothing. */
static struct condition healthy(void)
{
	struct condition c = {
		.release = "6.12.0",
		.machine = "x86_64",
		.perf_event_paranoid = { true, 2 },
		.kptr_restrict = { true, 1 },
		.perf_event_mlock_kb = { true, 516 },
		.lockdown = "none",
		.capabilities = { true, ALL },
		.seccomp = { true, 0 },
		.files = { 1024, 65536 },
		.locked_memory = { 8 << 20, 8 << 20 },
		.memory_limit = MEMORY_LIMIT_NONE,
		.online.bits = { 0xff },
		.cgroups = { "", "/sys/fs/cgroup" },
	};

	return c;
}

static enum verdict verdict_of(const struct condition *c, const char *name, struct finding *ret)
{
	struct finding found[CHECK_MAX];
	uint32_t count = checks_run(c, found);

	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(found[i].name, name) == 0) {
			*ret = found[i];
			return found[i].verdict;
		}
	}
	fail_msg("no check \"%s\"", name);
	return VERDICT_UNKNOWN;
}

static void expect(const struct condition *c, const char *name, enum verdict want)
{
	struct finding f;
	enum verdict got = verdict_of(c, name, &f);

	if (got != want)
		fail_msg("%s: got %d (\"%s\"), want %d", name, got, f.text, want);
	if (want == VERDICT_FATAL || want == VERDICT_DEGRADED)
		assert_true(f.mend[0]);
	else
		assert_string_equal(f.mend, "");
}

static void test_healthy(void **state)
{
	struct condition c = healthy();
	struct finding found[CHECK_MAX];
	uint32_t count = checks_run(&c, found);

	assert_true(count > 20);
	for (uint32_t i = 0; i < count; i++) {
		if (found[i].verdict != VERDICT_FINE || !found[i].text[0] || found[i].mend[0])
			fail_msg("%s: %d \"%s\" \"%s\"", found[i].name, found[i].verdict,
				 found[i].text, found[i].mend);
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(found[i].name, found[j].name);
	}
}

static void test_capabilities(void **state)
{
	static const struct {
		const char *name;
		int64_t dropped;
		enum verdict want;
	} rows[] = {
		{ "CAP_BPF", BIT(CAP_BPF), VERDICT_FATAL },
		{ "CAP_PERFMON", BIT(CAP_PERFMON), VERDICT_FATAL },
		{ "CAP_SYS_PTRACE", BIT(CAP_SYS_PTRACE), VERDICT_DEGRADED },
		{ "CAP_DAC_READ_SEARCH", BIT(CAP_DAC_READ_SEARCH), VERDICT_DEGRADED },
		{ "CAP_CHECKPOINT_RESTORE", BIT(CAP_CHECKPOINT_RESTORE), VERDICT_DEGRADED },
		{ "CAP_SYSLOG", BIT(CAP_SYSLOG), VERDICT_DEGRADED },
		{ "CAP_SYS_NICE", BIT(CAP_SYS_NICE), VERDICT_DEGRADED },
		{ "CAP_SETUID", BIT(CAP_SETUID), VERDICT_DEGRADED },
		{ "CAP_SETGID", BIT(CAP_SETGID), VERDICT_DEGRADED },
		{ "CAP_KILL", BIT(CAP_KILL), VERDICT_DEGRADED },
		{ "CAP_SETPCAP", BIT(CAP_SETPCAP), VERDICT_DEGRADED },
		{ "CAP_DAC_OVERRIDE", BIT(CAP_DAC_OVERRIDE), VERDICT_DEGRADED },
		{ "CAP_FOWNER", BIT(CAP_FOWNER), VERDICT_DEGRADED },
		{ "CAP_FOWNER", ALL & ~BIT(CAP_FOWNER), VERDICT_FINE },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c = healthy();

		c.capabilities.value &= ~rows[i].dropped;
		expect(&c, rows[i].name, rows[i].want);
		c.capabilities = (struct setting){ 0 };
		expect(&c, rows[i].name, VERDICT_UNKNOWN);
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c = healthy();

		c.other_user_namespace = true;
		if (rows[i].want != VERDICT_FINE)
			expect(&c, rows[i].name, rows[i].want);
	}
}

static void test_instead_of_capabilities(void **state)
{
	struct condition c = healthy();

	c.capabilities.value &= ~(BIT(CAP_SYSLOG) | BIT(CAP_SYS_NICE));
	c.kptr_restrict.value = 0;
	expect(&c, "CAP_SYSLOG", VERDICT_DEGRADED);
	c.perf_event_paranoid.value = 1;
	expect(&c, "CAP_SYSLOG", VERDICT_FINE);
	c.nice = 5;
	expect(&c, "CAP_SYS_NICE", VERDICT_FINE);
	c.nice = 0;
	c.nice_limit.rlim_cur = 30;
	expect(&c, "CAP_SYS_NICE", VERDICT_FINE);
	c.nice_limit.rlim_cur = 29;
	expect(&c, "CAP_SYS_NICE", VERDICT_DEGRADED);
}

/* What is held is for somebody of ours, and the table of roles says for whom. */
static void test_capabilities_of_roles(void **state)
{
	struct condition c = healthy();

	for (size_t i = 0; i < role_count(); i++) {
		const struct role *role = role_at(i);

		for (size_t n = 0; n < role->capability_count; n++) {
			const struct role_capability *k = &role->capabilities[n];
			struct finding f;

			assert_int_equal(verdict_of(&c, k->name, &f), VERDICT_FINE);
			if (!strstr(f.text, k->use) || !strstr(f.text, role->name))
				fail_msg("%s of the %s: \"%s\"", k->name, role->name, f.text);
		}
	}
}

static void test_separation(void **state)
{
	static const int64_t uids[] = { BIT(CAP_SETUID), BIT(CAP_SETGID), BIT(CAP_KILL) };
	struct condition c = healthy();

	c.capabilities.value &= ~BIT(CAP_SETPCAP);
	expect(&c, "separation", VERDICT_FINE);
	for (size_t i = 0; i < COUNT(uids); i++) {
		c = healthy();
		c.capabilities.value &= ~uids[i];
		expect(&c, "separation", VERDICT_DEGRADED);
	}
	c.capabilities.known = false;
	expect(&c, "separation", VERDICT_UNKNOWN);
	c = healthy();
	c.other_user_namespace = true;
	expect(&c, "separation", VERDICT_DEGRADED);
	c.filters = -EINVAL;
	expect(&c, "separation", VERDICT_FATAL);
}

static void test_probes(void **state)
{
	static const struct {
		const char *name;
		enum probe probe;
		enum verdict without;
	} rows[] = {
		{ "BPF", PROBE_BPF, VERDICT_FATAL },
		{ "BPF ring buffer", PROBE_RING_BUFFER, VERDICT_FATAL },
		{ "bpf_task_pt_regs", PROBE_TASK_REGISTERS, VERDICT_DEGRADED },
		{ "tp_btf", PROBE_TP_BTF, VERDICT_DEGRADED },
		{ "perf events", PROBE_PERF_EVENT, VERDICT_FATAL },
		{ "BPF on perf events", PROBE_PERF_BPF, VERDICT_FATAL },
		{ "cycles", PROBE_CYCLES, VERDICT_DEGRADED },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c = healthy();

		c.probes[rows[i].probe] = -EINVAL;
		expect(&c, rows[i].name, rows[i].without);
		c.probes[rows[i].probe] = -EPERM;
		expect(&c, rows[i].name, rows[i].without);
		c.capabilities.value = 0;
		expect(&c, rows[i].name, VERDICT_UNKNOWN);
		c = healthy();
		c.probes[rows[i].probe] = -EPERM;
		c.other_user_namespace = true;
		expect(&c, rows[i].name, VERDICT_UNKNOWN);
	}
}

static void test_kernel(void **state)
{
	struct condition c = healthy();

	c.btf = -ENOENT;
	expect(&c, "BTF", VERDICT_FATAL);
	c.btf = -EINVAL;
	expect(&c, "BTF", VERDICT_FATAL);
	c.kallsyms = 1;
	expect(&c, "kernel symbols", VERDICT_DEGRADED);
	c.kallsyms = -ENOENT;
	expect(&c, "kernel symbols", VERDICT_DEGRADED);
	c.kptr_restrict.value = 2;
	expect(&c, "kptr_restrict", VERDICT_DEGRADED);
	c.kptr_restrict.known = false;
	expect(&c, "kptr_restrict", VERDICT_UNKNOWN);
	c.perf_event_paranoid.value = 3;
	expect(&c, "perf_event_paranoid", VERDICT_FINE);
	c.capabilities.value &= ~BIT(CAP_SYS_ADMIN);
	expect(&c, "perf_event_paranoid", VERDICT_FINE);
	c.probes[PROBE_PERF_EVENT] = -EACCES;
	expect(&c, "perf_event_paranoid", VERDICT_FATAL);
	c.perf_event_paranoid.value = 2;
	expect(&c, "perf_event_paranoid", VERDICT_FINE);
	c.perf_event_paranoid.known = false;
	expect(&c, "perf_event_paranoid", VERDICT_UNKNOWN);
	memcpy(c.lockdown, "integrity", sizeof("integrity"));
	expect(&c, "lockdown", VERDICT_FINE);
	memcpy(c.lockdown, "confidentiality", sizeof("confidentiality"));
	expect(&c, "lockdown", VERDICT_UNKNOWN);
	c.other_pid_namespace = c.shifted_time = c.other_user_namespace = true;
	expect(&c, "pid namespace", VERDICT_FATAL);
	expect(&c, "time namespace", VERDICT_FATAL);
	expect(&c, "user namespace", VERDICT_FATAL);
}

static void test_filters(void **state)
{
	struct condition c = healthy();

	c.seccomp.value = 2;
	memcpy(c.label, "docker-default (enforce)", sizeof("docker-default (enforce)"));
	expect(&c, "seccomp", VERDICT_FINE);
	expect(&c, "security module", VERDICT_FINE);
	c.probes[PROBE_PERF_EVENT] = -EACCES;
	expect(&c, "seccomp", VERDICT_FATAL);
	expect(&c, "security module", VERDICT_FATAL);
	c.capabilities.value = 0;
	expect(&c, "seccomp", VERDICT_UNKNOWN);
	expect(&c, "security module", VERDICT_UNKNOWN);
	c.seccomp.value = 0;
	memcpy(c.label, "unconfined", sizeof("unconfined"));
	expect(&c, "seccomp", VERDICT_FINE);
	expect(&c, "security module", VERDICT_FINE);
	c.seccomp.known = false;
	expect(&c, "seccomp", VERDICT_UNKNOWN);
}

static void test_limits(void **state)
{
	static const struct {
		uint64_t files;
		enum verdict want;
	} files[] = {
		{ 8 * 5 + 15, VERDICT_FATAL },
		{ 8 * 5 + 16, VERDICT_DEGRADED },
		{ 8 * 5 + 16 + 1023, VERDICT_DEGRADED },
		{ 8 * 5 + 16 + 1024, VERDICT_FINE },
	};
	struct condition c = healthy();

	for (size_t i = 0; i < COUNT(files); i++) {
		c.files.rlim_max = files[i].files;
		expect(&c, "open files", files[i].want);
	}
	c.locked_memory.rlim_cur = 0;
	expect(&c, "locked memory", VERDICT_FINE); /* 516 KiB a CPU are given, 260 taken */
	c.perf_event_mlock_kb.value = 259;
	expect(&c, "locked memory", VERDICT_FATAL);
	c.locked_memory.rlim_cur = 8 << 10;
	expect(&c, "locked memory", VERDICT_FINE);
	c.locked_memory.rlim_cur--;
	expect(&c, "locked memory", VERDICT_FATAL);
	c.perf_event_paranoid.value = -1;
	expect(&c, "locked memory", VERDICT_FINE);
}

static void test_memory(void **state)
{
	static const struct {
		uint64_t asked_mib, limit_mib;
		uint32_t cpus;
		enum verdict want;
		const char *says;
	} rows[] = {
		{ 0, 0, 8, VERDICT_FINE, "256 MiB: kernel 8, tables 64, agent " },
		{ 0, 400, 8, VERDICT_FINE, "256 MiB: kernel" },
		{ 0, 320, 8, VERDICT_FINE, "256 MiB: kernel" },
		{ 0, 319, 8, VERDICT_DEGRADED, "255 MiB of 319 MiB" },
		{ 0, 255, 8, VERDICT_DEGRADED, "204 MiB of 255 MiB that our control group may" },
		{ 0, 80, 8, VERDICT_DEGRADED, "64 MiB of 80 MiB" },
		{ 0, 79, 8, VERDICT_FATAL, "four fifths of 79 MiB are 63" },
		{ 64, 79, 8, VERDICT_FINE, "64 MiB: kernel 8, tables 4, agent 29 (" },
		{ 64, 63, 8, VERDICT_DEGRADED,
		  "64 MiB, more than the 63 that our control group may take" },
		{ 1024, 0, 8, VERDICT_FINE, "1024 MiB: kernel 8, tables 256" },
		{ 63, 0, 8, VERDICT_FATAL, "--memory 64M is the least" },
		{ 64, 0, 2048, VERDICT_FATAL, "is the least" },
		{ 0, 0, 4096, VERDICT_FINE, "256 MiB: kernel" },
		{ 0, 0, 0, VERDICT_FINE, "256 MiB: kernel 3" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c = healthy();
		struct finding f;

		memset(&c.online, 0, sizeof(c.online));
		for (uint32_t cpu = 0; cpu < rows[i].cpus; cpu++)
			c.online.bits[cpu / 8] |= (uint8_t)(1 << cpu % 8);
		c.memory_asked = rows[i].asked_mib << 20;
		if (rows[i].limit_mib)
			c.memory_limit = rows[i].limit_mib << 20;
		expect(&c, "memory", rows[i].want);
		verdict_of(&c, "memory", &f);
		if (strncmp(f.text, rows[i].says, strlen(rows[i].says)) != 0 &&
		    (rows[i].want != VERDICT_FATAL || !strstr(f.text, rows[i].says)))
			fail_msg("row %zu: got \"%s\", want \"%s\"", i, f.text, rows[i].says);
	}
}

static void test_machine(void **state)
{
	struct condition c = healthy();

	c.isolated.bits[1] = 1; /* CPU 8 isn't online */
	expect(&c, "CPUs", VERDICT_FINE);
	c.isolated.bits[0] = 2;
	expect(&c, "CPUs", VERDICT_DEGRADED);
	assert_true(check_cpu_is_sampled(&c, 0));
	assert_false(check_cpu_is_sampled(&c, 1));
	assert_false(check_cpu_is_sampled(&c, -1));
	memset(&c.online, 0, sizeof(c.online));
	expect(&c, "CPUs", VERDICT_UNKNOWN);
	c.cgroups.mount[0] = '\0';
	expect(&c, "cgroups", VERDICT_DEGRADED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_instead_of_capabilities),
		cmocka_unit_test(test_capabilities_of_roles),
		cmocka_unit_test(test_separation),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
