// SPDX-License-Identifier: Apache-2.0
/*
 * Real sessions on this kernel, against children that do known things. What needs root says so and is
 * skipped without it.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "tests/unit/collect_capture.h"

/* ---- samples ---- */

static bool is_in(uint64_t frame, void (*function)(void))
{
	return (frame & FRAME_ADDR_MASK) - (uintptr_t)function < 200;
}

static int read_rest(void *source, __u64 addr, __u64 *ret)
{
	const struct record_rest *rest = source;

	if (addr & 7 || addr - rest->stack >= rest->bytes)
		return 1;
	memcpy(ret, (const char *)(rest + 1) + (addr - rest->stack), sizeof(*ret));
	return 0;
}

/* Nobody filled tables for it: the sample has its registers and its stack, in which its callers are. */
static void check_callers(const struct record_sample *s)
{
	const struct record_rest *rest = decode_rest(s);
	const struct unwind_rule rule = { .kind = UNWIND_FRAME_POINTER };
	struct unwind_source from = { .read = read_rest, .memory = (void *)rest };
	struct unwind_frame f;

	assert_true(s->flags & RECORD_FLAG_NO_TABLES);
	assert_int_equal(s->stack_end, STACK_END_NO_MAPPING);
	assert_int_equal(s->user_frames, 1);
	assert_non_null(rest);
	assert_int_equal(rest->ip, s->frames[s->kernel_frames] & FRAME_ADDR_MASK);
	assert_int_equal(rest->sp, rest->general[7]);
	assert_int_equal(rest->fp, rest->general[6]);
	assert_true(rest->sp < rest->first_sp && rest->first_sp < rest->user_end);
	assert_int_equal(rest->flags, UNWIND_EXACT);
	from.user_end = rest->user_end;
	f = (struct unwind_frame){ .ip = rest->ip, .sp = rest->sp, .fp = rest->fp };
	assert_int_equal(unwind_step(&rule, &f, &from), UNWIND_END_NONE);
	assert_true(is_in(f.ip, spin_middle));
	assert_int_equal(unwind_step(&rule, &f, &from), UNWIND_END_NONE);
	assert_true(is_in(f.ip, spin_outer));
}

static void check_busy_sample(const struct record_sample *s, pid_t pid)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;

	assert_int_equal(s->tid, pid);
	assert_string_equal(s->comm, "busy");
	assert_string_equal(s->leader_comm, "busy");
	assert_true(s->start_ns > 0);
	assert_true(s->value > 0);
	assert_int_equal(!!(s->flags & RECORD_FLAG_KERNEL), s->kernel_frames > 0);
	assert_true(s->user_frames >= 1);
	assert_int_equal(user[0] >> FRAME_KIND_SHIFT, FRAME_REGISTER);
	if (is_in(user[0], spin_forever))
		check_callers(s);
}

static void test_busy_child(void **state)
{
	uint32_t count = 0, with_callers = 0;
	const struct record_sample *s;
	uint64_t from_ns, last_ns = 0;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	pid = start_child(spin_outer, "busy");
	from_ns = clock_ns(CLOCK_MONOTONIC);
	begin(&c, &all);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c))) {
		assert_true(s->time_ns >= from_ns && s->time_ns >= last_ns);
		last_ns = s->time_ns;
		if (s->tgid != (uint32_t)pid)
			continue;
		check_busy_sample(s, pid);
		count++;
		with_callers += is_in(s->frames[s->kernel_frames], spin_forever);
	}
	stop_child(pid);
	if (count < ENOUGH_SAMPLES || with_callers < count * 9 / 10)
		fail_msg("%u samples, %u of them in spin_forever(); expected at least %u", count,
			 with_callers, ENOUGH_SAMPLES);
	assert_true(session_bpf_ns(c.session) > 0);
	assert_in_range(session_memory_bytes(c.session), 100000,
			session_kernel_bytes(&all, session_facts(c.session)->cpus_online));
	assert_int_equal(session_facts(c.session)->period, NS_PER_S / FREQUENCY_HZ);
	release(&c);
}

/* With as little memory as there can be, on a calm machine: everything still comes. */
static void test_least_memory(void **state)
{
	struct session_config little = all;
	const struct record_sample *s;
	uint32_t count = 0;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	little.ring_bytes_max = 1;
	pid = start_child(spin_outer, "busy");
	begin(&c, &little);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c)))
		count += s->tgid == (uint32_t)pid;
	stop_child(pid);
	if (count < ENOUGH_SAMPLES)
		fail_msg("%u samples, expected at least %u", count, ENOUGH_SAMPLES);
	assert_true(session_kernel_bytes(&little, session_facts(c.session)->cpus_online) <
		    session_kernel_bytes(&all, session_facts(c.session)->cpus_online));
	assert_in_range(session_memory_bytes(c.session), 10000,
			session_kernel_bytes(&little, session_facts(c.session)->cpus_online));
	release(&c);
}

static void test_kernel_stack(void **state)
{
	uint32_t in_kernel = 0, with_user = 0;
	struct session_config config = all;
	const struct record_sample *s;
	struct capture c;
	uint32_t pid;

	NEEDS_ROOT();
	pid = (uint32_t)start_child(spin_in_kernel, "reader");
	config.pids = &pid;
	config.pid_count = 1;
	config.kernel_only = true;
	begin(&c, &config);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c))) {
		assert_true(s->flags & RECORD_FLAG_KERNEL);
		/* read(), the entry to the kernel, and something below */
		in_kernel += s->kernel_frames >= 3;
		with_user += s->user_frames > 0;
	}
	stop_child((pid_t)pid);
	if (in_kernel < ENOUGH_SAMPLES || with_user < in_kernel * 9 / 10)
		fail_msg("%u samples in the kernel, %u with a user stack; expected at least %u",
			 in_kernel, with_user, ENOUGH_SAMPLES);
	release(&c);
}

static void test_user_only(void **state)
{
	struct session_config config = all;
	const struct record_sample *s;
	struct capture c;
	uint32_t pid;

	NEEDS_ROOT();
	pid = (uint32_t)start_child(spin_in_kernel, "reader");
	config.pids = &pid;
	config.pid_count = 1;
	config.user_only = true;
	begin(&c, &config);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c)))
		assert_int_equal(s->flags & RECORD_FLAG_KERNEL, 0);
	stop_child((pid_t)pid);
	assert_true(counter_get(&c.counters, COUNTER_SAMPLES_FILTERED) >= ENOUGH_SAMPLES);
	release(&c);
}

/* ---- CPUs ---- */

static bool has_cpu_1(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(0, &set) &&
	       CPU_ISSET(1, &set);
}

static void spin_on_cpu_1(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	spin_outer();
}

static void set_online(const char *path, const char *list)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, list, strlen(list)), 0);
	close(fd);
}

static uint32_t samples_on_cpu_1(struct capture *c)
{
	const struct record_sample *s;
	uint32_t count = 0;

	pass_ms(c, CAPTURE_MS);
	while ((s = next_sample(c)))
		count += s->cpu == 1;
	batch_drop(c->batch);
	return count;
}

/* CPU 1 is said to go and to come back, in a mount namespace of our own. */
static void follow_cpu_1(const char *path)
{
	uint32_t before, gone, back;
	struct capture c;

	begin(&c, &all);
	before = samples_on_cpu_1(&c);
	set_online(path, "0\n");
	session_follow_cpus(c.session);
	assert_int_equal(session_facts(c.session)->cpus_profiled, 1);
	(void)samples_on_cpu_1(&c);
	gone = samples_on_cpu_1(&c);
	set_online(path, "0-1\n");
	session_follow_cpus(c.session);
	assert_int_equal(session_facts(c.session)->cpus_profiled, 2);
	back = samples_on_cpu_1(&c);
	finish(&c);
	assert_int_equal(counter_get(&c.counters, COUNTER_CPUS_FAILED), 0);
	release(&c);
	if (before < ENOUGH_SAMPLES || gone || back < ENOUGH_SAMPLES)
		fail_msg("samples of CPU 1: %u, %u without it, %u with it again; expected at least "
			 "%u, none, %u",
			 before, gone, back, ENOUGH_SAMPLES, ENOUGH_SAMPLES);
}

static void test_hot_plug(void **state)
{
	char path[] = "/tmp/slowburn-online-XXXXXX";
	pid_t pid;
	int fd;

	NEEDS_ROOT();
	if (!has_cpu_1()) {
		print_message("needs two CPUs: skipped\n");
		skip();
	}
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	set_online(path, "0-1\n");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(path, "/sys/devices/system/cpu/online", NULL, MS_BIND, NULL) < 0) {
		print_message("needs a mount namespace (%s): skipped\n", strerror(errno));
		unlink(path);
		skip();
	}
	pid = start_child(spin_on_cpu_1, "pinned");
	follow_cpu_1(path);
	stop_child(pid);
	umount("/sys/devices/system/cpu/online");
	unlink(path);
}

static void test_named_cpu(void **state)
{
	static uint8_t cpus[SESSION_MAX_CPUS / 8] = { 1 };
	struct session_config config = all;
	const struct record_sample *s;
	struct capture c;
	uint32_t count = 0;
	pid_t pids[2];

	NEEDS_ROOT();
	for (int i = 0; i < 2; i++)
		pids[i] = start_child(spin_outer, "everywhere");
	config.cpus = cpus;
	begin(&c, &config);
	assert_int_equal(session_facts(c.session)->cpus_profiled, 1);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c))) {
		assert_int_equal(s->cpu, 0);
		count++;
	}
	assert_true(count > 0);
	for (int i = 0; i < 2; i++)
		stop_child(pids[i]);
	release(&c);
}

/* ---- what the verifier thinks ---- */

/* It gives up at a million. Others' kernels may need some times as many as ours for the same program. */
#define MOST_VERIFIED 50000

static void test_verified_instructions(void **state)
{
	struct capture c;
	uint32_t id = 0, found = 0;

	NEEDS_ROOT();
	begin(&c, &all);
	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    (strcmp(info.name, "sampler_tick") == 0 ||
		     strncmp(info.name, "lifecycle_", 10) == 0)) {
			print_message("%s: %u instructions verified, %u bytes of machine code\n",
				      info.name, info.verified_insns, info.jited_prog_len);
			assert_in_range(info.verified_insns, 0, MOST_VERIFIED);
			found++;
		}
		close(fd);
	}
	finish(&c);
	release(&c);
	assert_true(found >= 4);
}

/* ---- what is refused ---- */

static void expect_error(const char *name, const struct session_config *config, int code,
			 const char *text)
{
	struct session *s = NULL;
	struct err err = { "" };
	int r = session_new(&s, config, &err);

	if (r != code || s || !strstr(err.text, text))
		fail_msg("%s: got %d \"%s\", expected %d \"%s\"", name, r, err.text, code, text);
}

static void test_refused(void **state)
{
	static uint8_t cpus[SESSION_MAX_CPUS / 8];
	const uint32_t pid = INT32_MAX, zero = 0, thread = (uint32_t)getpid();
	struct session_config config;

	config = all;
	config.frequency_hz = 0;
	expect_error("0 Hz", &config, -EINVAL, "0 Hz");
	config.frequency_hz = SESSION_MAX_FREQUENCY_HZ + 1;
	expect_error("20001 Hz", &config, -EINVAL, "20001 Hz");

	config = all;
	config.pids = &pid;
	config.pid_count = 1;
	expect_error("unknown pid", &config, -ESRCH, "no process with pid 2147483647");
	config.pids = &zero;
	expect_error("pid 0", &config, -ESRCH, "no process with pid 0");
	config.pids = &thread;
	config.tids = &pid;
	config.tid_count = 1;
	expect_error("unknown tid", &config, -ESRCH, "no thread with tid 2147483647");

	config = all;
	config.user_only = config.kernel_only = true;
	expect_error("nothing left", &config, -EINVAL, "nothing");
	config = all;
	config.comm_count = SESSION_MAX_COMMS + 1;
	expect_error("many names", &config, -E2BIG, "16");

	if (geteuid() != 0)
		return;
	config = all;
	cpus[SESSION_MAX_CPUS / 8 - 1] = 0x80;
	config.cpus = cpus;
	expect_error("CPU 4095", &config, -ENODEV, "CPU 4095 is not online");
	config = all;
	config.cgroup_controller = "name=systemd";
	expect_error("hierarchy", &config, -EINVAL, "name=systemd");
}

static atomic_uint waiting_tid;

static void *wait_in_thread(void *arg)
{
	waiting_tid = (unsigned int)syscall(SYS_gettid);
	for (;;)
		pause();
	return arg;
}

static void test_thread_is_no_process(void **state)
{
	struct session_config config = all;
	pthread_t thread;
	uint32_t tid;
	char text[64];

	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, NULL), 0);
	while (!(tid = waiting_tid))
		sched_yield();
	config.pids = &tid;
	config.pid_count = 1;
	snprintf(text, sizeof(text), "%u is a thread", tid);
	expect_error("a thread as process", &config, -ESRCH, text);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

/* Says in its exit status whether nobody is told which capabilities are missing. */
static void test_without_privileges(void **state)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct session *s;
		struct err err = { "" };
		int r;

		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		r = session_new(&s, &all, &err);
		_exit(r == -EPERM && strstr(err.text, "CAP_BPF") && strstr(err.text, "root") ? 0
											     : 1);
	}
	assert_true(pid > 0);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_cycles(void **state)
{
	struct session_config config = all;
	struct session *s = NULL;
	struct err err = { "" };

	NEEDS_ROOT();
	config.event = SESSION_CYCLES;
	if (session_new(&s, &config, &err) < 0) {
		assert_non_null(strstr(err.text, "no hardware counter for cycles"));
		return;
	}
	assert_int_equal(session_start(s, &err), 0);
	session_stop(s);
	session_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy_child),
		cmocka_unit_test(test_least_memory),
		cmocka_unit_test(test_kernel_stack),
		cmocka_unit_test(test_user_only),
		cmocka_unit_test(test_named_cpu),
		cmocka_unit_test(test_verified_instructions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_thread_is_no_process),
		cmocka_unit_test(test_without_privileges),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_hot_plug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
