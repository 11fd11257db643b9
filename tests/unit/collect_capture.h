/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture in a test: children that do known things, a session, and its samples. What needs root
 * says so and is skipped without it.
 */
#ifndef TESTS_UNIT_COLLECT_CAPTURE_H
#define TESTS_UNIT_COLLECT_CAPTURE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/collect/decode.h"
#include "profiler/collect/session.h"

#define FREQUENCY_HZ 997
#define CAPTURE_MS 250
/*
 * An undisturbed CPU gives 249, but others may run beside us. How exact they are, tests/e2e
 * measures.
 */
#define ENOUGH_SAMPLES 10

#define NEEDS_ROOT()                                            \
	do {                                                    \
		if (geteuid() != 0) {                           \
			print_message("needs root: skipped\n"); \
			skip();                                 \
		}                                               \
	} while (0)

/* ---- children ---- */

/* Each asks for its frame's address, which gives it a frame pointer, however it is compiled. */
#define HAS_FRAME() (*(void *volatile *)&frame_address = __builtin_frame_address(0))
static void *frame_address;
static volatile uint64_t work;

__attribute__((noinline)) static void spin_forever(void)
{
	HAS_FRAME();
	for (;;)
		work++;
}

__attribute__((noinline)) static void spin_middle(void)
{
	HAS_FRAME();
	spin_forever();
	HAS_FRAME();
}

__attribute__((noinline)) static void spin_outer(void)
{
	HAS_FRAME();
	spin_middle();
	HAS_FRAME();
}

static inline void spin_in_kernel(void)
{
	static char bytes[1 << 20];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	for (;;)
		work += (uint64_t)read(fd, bytes, sizeof(bytes));
}

static inline pid_t start_child(void (*body)(void), const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		body();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static inline void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- capturing ---- */

struct capture {
	struct session *session;
	struct batch *batch;
	struct counters counters;
};

static const struct session_config all = {
	.frequency_hz = FREQUENCY_HZ,
	.cgroup_controller = "",
};

static inline void begin(struct capture *c, const struct session_config *config)
{
	struct err err = { "" };
	int r;

	memset(c, 0, sizeof(*c));
	assert_int_equal(batch_new(&c->batch, &c->counters, 64 << 20), 0);
	r = session_new(&c->session, config, &err);
	if (r < 0)
		fail_msg("session_new: %d: %s", r, err.text);
	r = session_start(c->session, &err);
	if (r < 0)
		fail_msg("session_start: %d: %s", r, err.text);
}

static inline void pass_ms(struct capture *c, int ms)
{
	for (; ms > 0; ms -= 50) {
		usleep(50000);
		assert_int_equal(session_drain(c->session, c->batch), 0);
	}
}

static inline void finish(struct capture *c)
{
	session_stop(c->session);
	assert_int_equal(session_drain(c->session, c->batch), 0);
	session_counters(c->session, &c->counters);
}

static inline void release(struct capture *c)
{
	session_free(c->session);
	batch_free(c->batch);
}

static inline const struct record_sample *next_sample(struct capture *c)
{
	const struct record_sample *sample;
	const struct batch_record *r;

	while ((r = batch_next(c->batch, UINT64_MAX))) {
		if (r->kind != BATCH_SAMPLE)
			continue;
		assert_int_equal(decode_sample(r->bytes, r->len, &sample), 0);
		return sample;
	}
	return NULL;
}

/* Captures for a moment and counts the samples: all, and those of process `pid`. */
static inline void count_samples(const struct session_config *config, pid_t pid, int ms,
				 uint32_t *ret_all, uint32_t *ret_pid)
{
	const struct record_sample *s;
	struct capture c;

	*ret_all = *ret_pid = 0;
	begin(&c, config);
	pass_ms(&c, ms);
	finish(&c);
	while ((s = next_sample(&c))) {
		++*ret_all;
		*ret_pid += s->tgid == (uint32_t)pid;
	}
	assert_int_equal(*ret_all, counter_get(&c.counters, COUNTER_SAMPLES_SENT));
	release(&c);
}

static inline void expect_only(const struct session_config *config, pid_t pid)
{
	uint32_t n_all, n_pid;

	count_samples(config, pid, CAPTURE_MS, &n_all, &n_pid);
	assert_int_equal(n_all, n_pid);
	if (n_pid < ENOUGH_SAMPLES)
		fail_msg("%u samples, expected at least %u", n_pid, ENOUGH_SAMPLES);
}

#endif
