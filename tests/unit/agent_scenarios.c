// SPDX-License-Identifier: Apache-2.0
/*
 * Each function is a section of its own, so that its bounds are known. What is below launch() libgcc's unwinder says
 * beforehand.
 */
#include "tests/unit/agent_scenarios.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"

#define MAX_TAIL 128
#define DEPTH 100

/* ---- known calls ---- */

#define IN(place) __attribute__((noinline, section("live_" #place)))

#define X(place) extern const char __start_live_##place[], __stop_live_##place[];
PLACES(X)
#undef X

static struct {
	atomic_int ready;
	int tail_count;
	void *tail[MAX_TAIL]; /* of launch() and its callers, by libgcc */
	uint64_t thread; /* where what is the thread's own begins: above its stack */
} * shared;

static volatile uint64_t work;

static volatile int ever;

IN(spin) static void spin(void)
{
	while (!ever)
		work++;
}

/* Something to do after each call, or it wouldn't be one. */
#define AFTER_CALL() __asm__ volatile("" ::: "memory")

IN(descend) static int descend(int depth)
{
	int sum = depth;

	if (depth == 0)
		spin();
	else
		sum += descend(depth - 1);
	AFTER_CALL();
	return sum;
}

IN(dynamic) static int dynamic(int depth)
{
	_Alignas(64) volatile char aligned[64] = { (char)depth };
	volatile char *bytes = __builtin_alloca((size_t)depth * 16 + 16);

	bytes[depth] = aligned[0];
	if (depth == 0)
		spin();
	else
		aligned[1] = (char)dynamic(depth - 1);
	return aligned[0] + bytes[depth];
}

IN(compare) static int compare(const void *a, const void *b)
{
	spin();
	AFTER_CALL();
	return *(const char *)a - *(const char *)b;
}

IN(handler) static void handle(int number)
{
	spin();
	AFTER_CALL();
}

IN(body) static void body_calls(void)
{
	descend(DEPTH);
	AFTER_CALL();
}

IN(body) static void body_deep(void)
{
	descend(3 * RECORD_MAX_USER_FRAMES);
	AFTER_CALL();
}

IN(body) static void body_alloca(void)
{
	dynamic(DEPTH);
	AFTER_CALL();
}

IN(body) static void body_callback(void)
{
	char items[] = "unwind";

	qsort(items, sizeof(items) - 1, 1, compare);
	AFTER_CALL();
}

IN(body) static void body_raise(void)
{
	signal(SIGUSR1, handle);
	raise(SIGUSR1);
	AFTER_CALL();
}

/* The signal comes at any instruction, on a stack of its own. */
IN(body) static void body_alarm(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
	struct itimerval timer = { .it_value.tv_usec = 1000 };
	stack_t stack = { .ss_size = 1 << 20, .ss_sp = malloc(1 << 20) };

	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	descend(DEPTH);
	AFTER_CALL();
}

/* push %rbp; mov %rsp, %rbp; call *%rdi; pop %rbp; ret */
static const unsigned char jit_code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
static void (*jit)(void (*callee)(void));

IN(body) static void body_jit(void)
{
	jit(spin);
	AFTER_CALL();
}

IN(body) static void body_plt(void)
{
	static const char *volatile text = "a";

	for (;;)
		work += strlen(text);
}

IN(body) static void body_vdso(void)
{
	struct timespec now;

	for (;;)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

IN(body) static void body_read(void)
{
	static char bytes[1 << 16];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	for (;;)
		work += (uint64_t)read(fd, bytes, sizeof(bytes));
}

/* ---- what is to be seen of them ---- */

const struct scenario scenarios[] = {
	{ .name = "calls",
	  .body = body_calls,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_descend, DEPTH + 1, DEPTH + 1 },
		     { PLACE_body, 1, 1 } } },
	{ .name = "alloca",
	  .body = body_alloca,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_dynamic, DEPTH + 1, DEPTH + 1 },
		     { PLACE_body, 1, 1 } },
	  .too_long = true },
	{ .name = "callback",
	  .body = body_callback,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_compare, 1, 1 },
		     { PLACE_OTHER, 1, 6 },
		     { PLACE_body, 1, 1 } } },
	{ .name = "raise",
	  .body = body_raise,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_handler, 1, 1 },
		     { PLACE_OTHER, 2, 5 },
		     { PLACE_body, 1, 1 } } },
	{ .name = "alarm",
	  .body = body_alarm,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_handler, 1, 1 },
		     { PLACE_OTHER, 1, 1 },
		     { PLACE_spin, 1, 1 },
		     { PLACE_descend, DEPTH + 1, DEPTH + 1 },
		     { PLACE_body, 1, 1 } },
	  .too_long = true },
	{ .name = "jit",
	  .body = body_jit,
	  .spans = { { PLACE_spin, 1, 1 }, { PLACE_JIT, 1, 1 }, { PLACE_body, 1, 1 } } },
	{ .name = "plt",
	  .body = body_plt,
	  .spans = { { PLACE_OTHER, 0, 1 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } } },
	{ .name = "vdso",
	  .body = body_vdso,
	  .spans = { { PLACE_OTHER, 0, 3 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } } },
	{ .name = "read",
	  .body = body_read,
	  .spans = { { PLACE_OTHER, 0, 2 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } },
	  .calls_kernel = true },
	{ .name = "deep",
	  .body = body_deep,
	  .spans = { { PLACE_spin, 1, 1 },
		     { PLACE_descend, RECORD_MAX_USER_FRAMES - 1, RECORD_MAX_USER_FRAMES - 1 } },
	  .too_deep = true,
	  .too_long = true },
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

static uint64_t own_start, own_end; /* this program's code */

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < scenario_count; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	fail_msg("no scenario is called %s", name);
	return NULL;
}

void scenarios_own_code(uint64_t start, uint64_t end)
{
	own_start = start;
	own_end = end;
}

enum place scenario_place(uint64_t addr)
{
#define X(place)                                                                              \
	if (addr >= (uintptr_t)__start_live_##place && addr < (uintptr_t)__stop_live_##place) \
		return PLACE_##place;
	PLACES(X)
#undef X
	if (addr - (uintptr_t)jit < sizeof(jit_code))
		return PLACE_JIT;
	return addr >= own_start && addr < own_end ? PLACE_OWN : PLACE_OTHER;
}

void scenario_print(const struct record_sample *s)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;

	for (uint32_t i = 0; i < s->user_frames; i++)
		print_message("  %3u kind %u place %u %llx\n", i,
			      (unsigned int)(user[i] >> FRAME_KIND_SHIFT),
			      scenario_place(user[i] & FRAME_ADDR_MASK),
			      (unsigned long long)(user[i] & FRAME_ADDR_MASK));
	for (int i = 0; i < shared->tail_count; i++)
		print_message("  tail %d %p\n", i, shared->tail[i]);
}

/* How many of the frames follow the pattern: all of those that it describes, or fewer. */
static bool follows(const uint64_t *user, uint32_t count, const struct span *spans, uint32_t *ret)
{
	uint32_t at = 0;

	for (; spans->place; spans++) {
		uint32_t n = 0;

		while (at < count && n < spans->most &&
		       scenario_place(user[at] & FRAME_ADDR_MASK) == spans->place) {
			n++;
			at++;
		}
		if (n < spans->least)
			return false;
	}
	*ret = at;
	return true;
}

static bool ends_as_said(const uint64_t *user, uint32_t count)
{
	if (count != (uint32_t)shared->tail_count ||
	    scenario_place(user[0] & FRAME_ADDR_MASK) != PLACE_launch)
		return false;
	for (uint32_t i = 1; i < count; i++)
		if ((user[i] & FRAME_ADDR_MASK) != (uintptr_t)shared->tail[i] - 1)
			return false;
	return true;
}

/* The caller of made code is a guess; what is behind it isn't. */
static bool kinds_are_exact(const uint64_t *user, uint32_t count)
{
	enum record_frame_kind expected = FRAME_REGISTER;

	for (uint32_t i = 0; i < count; i++) {
		if (user[i] >> FRAME_KIND_SHIFT != expected)
			return false;
		expected = scenario_place(user[i] & FRAME_ADDR_MASK) == PLACE_JIT ? FRAME_POINTER
										  : FRAME_TABLE;
	}
	return true;
}

bool scenario_is_exact(const struct record_sample *s, const struct scenario *c)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;
	uint32_t at;

	if (!kinds_are_exact(user, s->user_frames) || !follows(user, s->user_frames, c->spans, &at))
		return false;
	if (c->too_deep)
		return s->stack_end == STACK_END_TOO_DEEP && at == s->user_frames;
	return s->stack_end == STACK_END_BOTTOM && ends_as_said(user + at, s->user_frames - at);
}

bool scenario_is_cut(const struct record_sample *s, const struct scenario *c)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;
	uint32_t count = s->user_frames, at = 0;

	if (s->stack_end != STACK_END_BAD_READ || !kinds_are_exact(user, count))
		return false;
	for (const struct span *span = c->spans; span->place && at < count; span++) {
		uint32_t n = 0;

		for (; at < count && n < span->most; n++, at++)
			if (scenario_place(user[at] & FRAME_ADDR_MASK) != span->place)
				break;
		if (n < span->least && at < count)
			return false;
	}
	for (uint32_t i = 1; at + i < count; i++)
		if ((user[at + i] & FRAME_ADDR_MASK) != (uintptr_t)shared->tail[i] - 1)
			return false;
	return true;
}

/* ---- processes ---- */

IN(launch) static void launch(const struct scenario *c)
{
	shared->tail_count = backtrace(shared->tail, MAX_TAIL);
	shared->thread = (uint64_t)pthread_self();
	shared->ready = 1;
	c->body();
	AFTER_CALL();
}

static void *launch_thread(void *scenario)
{
	launch(scenario);
	return NULL;
}

/* On a stack of its own: what is below us here is 20 KiB. */
static void launch_alone(const struct scenario *c)
{
	pthread_t thread;
	sigset_t all;

	if (pthread_create(&thread, NULL, launch_thread, (void *)c) != 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_join(thread, NULL);
}

pid_t scenario_start(const struct scenario *c, bool alone)
{
	pid_t pid;

	shared->ready = 0;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (alone)
			launch_alone(c);
		else
			launch(c);
		_exit(0);
	}
	assert_true(pid > 0);
	while (!shared->ready)
		usleep(1000);
	usleep(20000); /* until it is where it stays */
	return pid;
}

void scenario_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

uint64_t scenario_thread(void)
{
	return shared->thread;
}

void scenarios_spend_ms(int ms)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * NS_PER_MS;

	while (clock_ns(CLOCK_MONOTONIC) < until_ns)
		work++;
}

int scenarios_setup(void **state)
{
	void *first[1];

	(void)state;
	backtrace(first, 1); /* it loads libgcc the first time */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	if (shared == MAP_FAILED || (void *)jit == MAP_FAILED)
		return -1;
	memcpy((void *)jit, jit_code, sizeof(jit_code));
	return 0;
}
