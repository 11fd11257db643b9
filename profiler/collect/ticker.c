// SPDX-License-Identifier: Apache-2.0
/*
 * Timers that tick.
 *
 * cpu-clock events are high-resolution timers that are set ahead by their period each time they fire,
 * so they keep their rate by themselves. Adjusting them (freq, PERF_EVENT_IOC_PERIOD, disabling for a
 * moment) was refused: each restarts the interval, and what was run up of it is lost from the profile.
 */
#include "profiler/collect/ticker.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

/* How far a rate may be from its equal share, and the least that any two differ by. */
#define SPREAD 0.15
#define APART 0.02

/* A chance of 4 % at each draw, by trial: after so many, whatever came last is taken. */
#define MAX_DRAWS 1000
/* Beats of up to so many periods, that closely, count as keeping step. */
#define MAX_BEAT 6
#define IN_STEP 0.05

/*
 * Event i gets a random place in the i-th of equal slots of [-SPREAD, SPREAD], at least APART from
 * its neighbours' slots; what the four deviate together is then taken from each, so that the rates add
 * up. What is returned is rates of one event's equal share.
 */
static void rates_draw(const uint32_t random[SESSION_EVENTS_PER_CPU],
		       double ret_rates[SESSION_EVENTS_PER_CPU])
{
	const double slot = 2 * SPREAD / SESSION_EVENTS_PER_CPU;
	double mean = 0;

	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++) {
		ret_rates[i] =
			1 - SPREAD + i * slot + (double)random[i] / UINT32_MAX * (slot - APART);
		mean += ret_rates[i] / SESSION_EVENTS_PER_CPU;
	}
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++)
		ret_rates[i] += 1 - mean;
}

/*
 * Does an event keep step with work that repeats at the whole frequency? 4 of such works' periods are
 * about one of an event's; an event that is near a simple ratio hits the same places again and again.
 * Without this the error over 30 s exceeded 1.3 standard deviations in 8 % of simulated captures.
 */
static bool rates_in_step(const double rates[SESSION_EVENTS_PER_CPU])
{
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++) {
		for (int beat = 1; beat <= MAX_BEAT; beat++) {
			double turns = beat * SESSION_EVENTS_PER_CPU / rates[i];

			if (fabs(turns - round(turns)) < IN_STEP)
				return true;
		}
	}
	return false;
}

/* The next draw's dice, from the last one's (Numerical Recipes' linear congruence). */
static void dice_throw(uint32_t random[SESSION_EVENTS_PER_CPU])
{
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++)
		random[i] = random[i] * 1664525u + 1013904223u + (uint32_t)i;
}

void ticker_init(struct ticker *t, enum session_event event, uint32_t frequency_hz,
		 const uint32_t random[SESSION_EVENTS_PER_CPU])
{
	const double share = (double)frequency_hz / SESSION_EVENTS_PER_CPU;
	uint32_t dice[SESSION_EVENTS_PER_CPU];
	double rates[SESSION_EVENTS_PER_CPU];

	*t = (struct ticker){
		.event = event,
		.frequency_hz = frequency_hz,
		.count = event == SESSION_CPU_CLOCK ? SESSION_EVENTS_PER_CPU : 1,
	};
	memcpy(dice, random, sizeof(dice));
	rates_draw(dice, rates);
	for (int draws = 1; draws < MAX_DRAWS && rates_in_step(rates); draws++) {
		dice_throw(dice);
		rates_draw(dice, rates);
	}
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++) {
		t->periods_ns[i] = (uint64_t)((double)NS_PER_S / (share * rates[i]) + 0.5);
		if (t->periods_ns[i] < TICKER_MIN_PERIOD_NS)
			t->periods_ns[i] = TICKER_MIN_PERIOD_NS;
	}
}

static struct perf_event_attr attributes(const struct ticker *t, uint32_t i)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.disabled = 1,
	};

	if (t->event == SESSION_CPU_CLOCK) {
		attr.type = PERF_TYPE_SOFTWARE;
		attr.config = PERF_COUNT_SW_CPU_CLOCK;
		attr.sample_period = t->periods_ns[i];
	} else {
		attr.type = PERF_TYPE_HARDWARE;
		attr.config = PERF_COUNT_HW_CPU_CYCLES;
		attr.freq = 1;
		attr.sample_freq = t->frequency_hz;
	}
	return attr;
}

static int explain(const struct ticker *t, uint32_t cpu, int e, struct err *err)
{
	if (e == -ENODEV)
		return err_set(err, e, "CPU %u is not online", cpu);
	if (t->event == SESSION_CYCLES && (e == -ENOENT || e == -EOPNOTSUPP))
		return err_set(
			err, e,
			"this machine has no hardware counter for cycles, as is usual in virtual "
			"machines: use cpu-clock");
	if (e == -EINVAL && t->event == SESSION_CYCLES)
		return err_set(err, e,
			       "the kernel refuses %u Hz: the sysctl "
			       "kernel.perf_event_max_sample_rate is lower",
			       t->frequency_hz);
	if (e == -EMFILE)
		return err_set(err, e, "too many open files at CPU %u: raise the limit (ulimit -n)",
			       cpu);
	if (e == -EACCES || e == -EPERM)
		return err_set(err, e,
			       "the kernel refuses to sample CPU %u: this needs the capability "
			       "CAP_PERFMON (run it as root), in a container outside its own user "
			       "namespace; kernels of Debian and Ubuntu want CAP_SYS_ADMIN, or "
			       "sysctl kernel.perf_event_paranoid=2",
			       cpu);
	return err_errno(err, e, "cannot sample CPU %u", cpu);
}

static int open_one(const struct ticker *t, uint32_t cpu, uint32_t i, int program_fd)
{
	struct perf_event_attr attr = attributes(t, i);
	_cleanup_(fd_close) int fd = -1;

	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd) < 0)
		return -errno;
	return take_fd(&fd);
}

int ticker_open(const struct ticker *t, uint32_t cpu, int program_fd, struct ticks *ret,
		struct err *err)
{
	struct ticks ticks = TICKS_CLOSED;

	for (uint32_t i = 0; i < t->count; i++) {
		int r = ticks.fds[i] = open_one(t, cpu, i, program_fd);

		if (r < 0) {
			ticks_close(&ticks);
			return explain(t, cpu, r, err);
		}
	}
	*ret = ticks;
	return 0;
}

int ticks_start(const struct ticks *ticks)
{
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++)
		if (ticks->fds[i] >= 0 && ioctl(ticks->fds[i], PERF_EVENT_IOC_ENABLE, 0) < 0)
			return -errno;
	return 0;
}

uint64_t ticks_due(const struct ticks *ticks, const struct ticker *t)
{
	uint64_t due = 0;

	if (t->event != SESSION_CPU_CLOCK)
		return 0;
	for (uint32_t i = 0; i < t->count; i++) {
		uint64_t ran_ns;

		/* A cpu-clock event counts the nanoseconds that it ran. */
		if (ticks->fds[i] >= 0 &&
		    read(ticks->fds[i], &ran_ns, sizeof(ran_ns)) == sizeof(ran_ns))
			due += ran_ns / t->periods_ns[i];
	}
	return due;
}

void ticks_close(struct ticks *ticks)
{
	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++)
		fd_close(&ticks->fds[i]);
}
