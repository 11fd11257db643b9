// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The sampler: runs at each tick of a CPU's perf events, and puts one record of who ran there, and
 * where in its code, into that CPU's ring buffer. User space is not woken: it drains on a timer.
 *
 * One program, no tail calls, no bpf_loop(): a bounded loop over a global function verifies in few
 * instructions on every kernel since 5.6. Stack ids (BPF_MAP_TYPE_STACK_TRACE) were refused: slots
 * are reused under the reader, which gives wrong stacks.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/arch_x86.bpf.h"
#include "bpf/filter.bpf.h"
#include "bpf/frames.bpf.h"
#include "bpf/lifecycle.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/program_list.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Who runs here. Global for the same reason as frames_user(). */
__attribute__((noinline)) int sample_identify(void)
{
	const struct task_struct *task = kernel_current();
	const struct task_struct *leader = kernel_read(task, group_leader);
	struct scratch *s = scratch_get();
	struct record_sample *sample;

	if (!s)
		return 0;
	sample = &s->sample;
	sample->tgid = kernel_read(task, tgid);
	sample->tid = kernel_read(task, pid);
	sample->start_ns = kernel_read(leader, start_boottime);
	sample->exec_id = kernel_read(leader, self_exec_id);
	sample->cgroup = cgroup_id(cgroup_state(task));
	comm_store(sample->comm, comm_of(task));
	comm_store(sample->leader_comm, comm_of(leader));
	return 0;
}

static inline enum bpf_counter sample_send(struct scratch *s)
{
	void *ring = ring_get(s->sample.cpu);
	__u32 bytes = sample_bytes(&s->sample) + s->rest_bytes;

	if (!ring)
		return BPF_COUNTER_SAMPLES_LOST_CPU;
	if (bytes > sizeof(s->bytes))
		return BPF_COUNTER_SAMPLES_LOST_SCRATCH;
	if (bpf_ringbuf_output(ring, s->bytes, bytes, BPF_RB_NO_WAKEUP))
		return BPF_COUNTER_SAMPLES_LOST_RING;
	return BPF_COUNTER_SAMPLES_SENT;
}

/* Takes the sample; what became of it. */
static inline enum bpf_counter sample_take(struct bpf_perf_event_data *ctx, __u64 now_ns,
					   struct bpf_tally *tally)
{
	struct task_struct *task = kernel_current();
	int in_kernel = arch_in_kernel(ctx);
	struct record_sample *sample;
	struct scratch *s;

	if (!kernel_read(task, pid))
		return BPF_COUNTER_SAMPLES_IDLE;
	if (!filter_accepts(task, in_kernel))
		return BPF_COUNTER_SAMPLES_FILTERED;
	s = scratch_get();
	if (!s)
		return BPF_COUNTER_SAMPLES_LOST_SCRATCH;

	sample = &s->sample;
	sample->time_ns = now_ns;
	sample->value = ctx->sample_period;
	sample->cpu = bpf_get_smp_processor_id();
	sample->kernel_frames = 0;
	sample->user_frames = 0;
	sample->flags = (in_kernel ? RECORD_FLAG_KERNEL : 0) |
			(kernel_read(task, flags) & PF_KTHREAD ? RECORD_FLAG_KTHREAD : 0);
	sample->stamp = 0;
	s->rest_bytes = 0;
	sample_identify();
	if (in_kernel && !frames_kernel(sample, ctx))
		tally->count[BPF_COUNTER_KERNEL_STACK_FAILED]++;
	if (sample->kernel_frames == RECORD_MAX_KERNEL_FRAMES)
		tally->count[BPF_COUNTER_KERNEL_STACKS_CUT]++;
	arch_context_registers(ctx, &s->user);
	s->sample.stack_end = frames_user();
	return sample_send(s);
}

SEC("perf_event")
int sampler_tick(struct bpf_perf_event_data *ctx)
{
	__u64 start_ns = bpf_ktime_get_ns();
	struct bpf_tally *tally = tally_get();

	if (!tally)
		return 0;
	tally->count[sample_take(ctx, start_ns, tally)]++;
	tally->own_ns += bpf_ktime_get_ns() - start_ns;
	return 0;
}
