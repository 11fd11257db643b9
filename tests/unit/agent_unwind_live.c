// SPDX-License-Identifier: Apache-2.0
/*
 * The unwinder in the kernel, against stacks that are known: children of this process run known calls,
 * the tables are filled by hand from what the compiler makes of their files, and each sample has to show
 * exactly the known frames down to the bottom, of which libgcc's unwinder said beforehand what it is.
 *
 * It prints what a sample and a frame cost.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/collect/decode.h"
#include "profiler/collect/session.h"
#include "profiler/tables/walk.h"
#include "tests/unit/agent_filler.h"
#include "tests/unit/agent_scenarios.h"

#define FREQUENCY_HZ 999
#define CAPTURE_MS 300
#define ENOUGH_SAMPLES 10
#define MAX_WAITS 100 /* of 50 ms */

#define NEEDS_ROOT()                                            \
	do {                                                    \
		if (geteuid() != 0) {                           \
			print_message("needs root: skipped\n"); \
			skip();                                 \
		}                                               \
	} while (0)

/* A sanitizer stands between a program and its C library, with frames of its own. */
#ifdef __SANITIZE_ADDRESS__
#define NEEDS_OWN_FRAMES() skip()
#else
#define NEEDS_OWN_FRAMES() ((void)0)
#endif

/* ---- capturing ---- */

struct capture {
	struct session *session;
	struct batch *batch;
	struct counters counters;
	struct filler filler;
};

static void begin(struct capture *c, pid_t pid)
{
	const uint32_t target = (uint32_t)pid;
	const struct session_config config = {
		.frequency_hz = FREQUENCY_HZ,
		.cgroup_controller = "",
		.pids = &target,
		.pid_count = 1,
	};
	struct err err = { "" };
	int r;

	memset(c, 0, sizeof(*c));
	assert_int_equal(batch_new(&c->batch, &c->counters, 64 << 20), 0);
	r = session_new(&c->session, &config, &err);
	if (r < 0)
		fail_msg("session_new: %d: %s", r, err.text);
	filler_fill(&c->filler, session_tables(c->session));
	scenarios_own_code(c->filler.own_start, c->filler.own_end);
	r = session_start(c->session, &err);
	if (r < 0)
		fail_msg("session_start: %d: %s", r, err.text);
}

static void release(struct capture *c)
{
	session_free(c->session);
	batch_free(c->batch);
}

static const struct record_sample *next_sample(struct capture *c)
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

static void drop(struct capture *c)
{
	while (next_sample(c))
		;
	batch_drop(c->batch);
}

static void pass_ms(struct capture *c, int ms)
{
	for (; ms > 0; ms -= 50) {
		usleep(50000);
		assert_int_equal(session_drain(c->session, c->batch), 0);
	}
}

/* A sample of the process, to know how its image is called. */
static struct record_sample first_sample(struct capture *c, pid_t pid)
{
	for (int i = 0; i < 40; i++) {
		const struct record_sample *s;

		if (pid == getpid())
			scenarios_spend_ms(50);
		pass_ms(c, 50);
		while ((s = next_sample(c)))
			if (s->tgid == (uint32_t)pid)
				return *s;
		drop(c);
	}
	fail_msg("no sample of process %d", pid);
	return (struct record_sample){ 0 };
}

/* ---- scenarios ---- */

/*
 * Is the address within a system call's instruction, not behind it? Files are where they are in the
 * child.
 */
static bool is_syscall(uint64_t addr)
{
	return memcmp((const char *)addr - 1, "\x0f\x05", 2) == 0;
}

static void check_samples(struct capture *c, const struct scenario *scenario, uint64_t ns)
{
	uint32_t count = 0, without = 0, in_kernel = 0, in_other = 0, in_syscall = 0;
	const struct record_sample *s;
	uint64_t frames = 0;

	while ((s = next_sample(c))) {
		if (s->flags & RECORD_FLAG_NO_TABLES) {
			without++;
			assert_int_equal(s->stamp, 0);
			continue;
		}
		assert_int_equal(s->stamp, 7);
		if (!scenario_is_exact(s, scenario)) {
			scenario_print(s);
			fail_msg("%s: sample %u has %u frames and end %u, as above", scenario->name,
				 count, s->user_frames, s->stack_end);
		}
		count++;
		frames += s->user_frames;
		in_syscall += s->flags & RECORD_FLAG_KERNEL &&
			      is_syscall(s->frames[s->kernel_frames] & FRAME_ADDR_MASK);
		in_kernel += !!(s->flags & RECORD_FLAG_KERNEL);
		in_other += scenario_place(s->frames[s->kernel_frames] & FRAME_ADDR_MASK) >=
			    PLACE_OWN;
	}
	if (count < ENOUGH_SAMPLES)
		fail_msg("%s: %u samples, %u without tables; expected at least %u", scenario->name,
			 count, without, ENOUGH_SAMPLES);
	if (scenario->calls_kernel && in_syscall < in_kernel * 9 / 10)
		fail_msg("%s: %u samples in the kernel, %u of them by a system call",
			 scenario->name, in_kernel, in_syscall);
	print_message("%-8s %4u samples exact (%u in the kernel, %u in other code), %.1f frames, "
		      "%.0f ns a sample, %.1f ns a frame\n",
		      scenario->name, count, in_kernel, in_other, (double)frames / count,
		      (double)ns / (count + without), (double)ns / (double)frames);
}

static void test_scenarios(void **state)
{
	NEEDS_OWN_FRAMES();
	NEEDS_ROOT();
	for (size_t i = 0; i < scenario_count; i++) {
		pid_t pid = scenario_start(&scenarios[i], false);
		struct record_sample first;
		struct unwind_process p;
		struct capture c;
		uint64_t ns;

		begin(&c, pid);
		first = first_sample(&c, pid);
		assert_true(first.flags & RECORD_FLAG_NO_TABLES);
		p = filler_entry(&c.filler, &first, 7);
		assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
		pass_ms(&c, 50);
		drop(&c);
		ns = session_bpf_ns(c.session);
		pass_ms(&c, CAPTURE_MS);
		ns = session_bpf_ns(c.session) - ns;
		scenario_stop(pid);
		check_samples(&c, &scenarios[i], ns);
		release(&c);
	}
}

/* ---- the same in user space ---- */

/* By the tables that the kernel has. STACK_END_NONE, or why there is no rule. */
static enum record_stack_end filled_rule(struct filler *f, uint64_t ip, struct unwind_rule *ret)
{
	for (uint32_t i = 0; i < f->count; i++) {
		const struct unwind_mapping *m = &f->mappings[i];
		const struct unwind_exe *exe = &tables_exes(f->tables)[m->exe];
		const struct unwind_page *pages;
		uint64_t vaddr = ip - m->start + m->vaddr, page;
		uint32_t row;

		if (ip < m->start || ip >= m->end)
			continue;
		*ret = (struct unwind_rule){ .kind = UNWIND_FRAME_POINTER };
		if (m->kind == UNWIND_MAPPING_ANONYMOUS)
			return STACK_END_NONE;
		page = (vaddr - exe->start) / UNWIND_PAGE_BYTES;
		assert_true(vaddr >= exe->start && page < exe->pages);
		pages = (const struct unwind_page *)filler_words(f, exe->index);
		row = unwind_row_find(filler_words(f, pages[page].row), UINT32_MAX, 0,
				      pages[page].count, vaddr % UNWIND_PAGE_BYTES);
		*ret = tables_rules(f->tables)[unwind_row_rule(row)];
		return STACK_END_NONE;
	}
	return STACK_END_NO_MAPPING;
}

struct whole_sample {
	struct record_sample s;
	uint64_t frames[RECORD_MAX_FRAMES];
};

/* The sample as it is when its rest was found. */
static void rest_find(struct filler *f, const struct record_sample *s, struct whole_sample *ret)
{
	enum record_stack_end end = STACK_END_NONE;
	struct walk w;

	memcpy(ret, s, decode_sample_bytes(s));
	walk_begin(&w, decode_rest(s));
	while (end == STACK_END_NONE && ret->s.user_frames < RECORD_MAX_USER_FRAMES) {
		struct unwind_rule rule;

		end = filled_rule(f, w.frame.ip, &rule);
		if (end == STACK_END_NONE)
			end = walk_step(&w, &rule,
					&ret->frames[s->kernel_frames + ret->s.user_frames]);
		ret->s.user_frames += end == STACK_END_NONE;
	}
	ret->s.stack_end = (uint8_t)(end == STACK_END_NONE ? STACK_END_TOO_DEEP : end);
}

/* Nothing of what lies above a thread's stack is copied. A signal's handler may be on another. */
static void check_copy(const struct record_rest *rest, const struct scenario *scenario)
{
	uint64_t end = rest->stack + rest->bytes;

	if (rest->sp < scenario_thread() && end > scenario_thread() &&
	    rest->stack < scenario_thread())
		fail_msg("%s: copied up to %#" PRIx64 ", its thread's stack ends at %#" PRIx64,
			 scenario->name, end, scenario_thread());
}

static void check_rests(struct capture *c, const struct scenario *scenario)
{
	uint32_t exact = 0, cut = 0, bare = 0;
	const struct record_sample *s;
	struct whole_sample whole;
	uint64_t bytes = 0;

	while ((s = next_sample(c))) {
		assert_true(s->flags & RECORD_FLAG_NO_TABLES);
		if (!decode_rest(s)) { /* the ring was half full */
			bare++;
			continue;
		}
		bytes += decode_rest(s)->bytes;
		check_copy(decode_rest(s), scenario);
		rest_find(&c->filler, s, &whole);
		if (scenario_is_exact(&whole.s, scenario)) {
			exact++;
		} else if (scenario_is_cut(&whole.s, scenario)) {
			cut++;
		} else {
			scenario_print(&whole.s);
			fail_msg("%s: %u frames and end %u, of %u bytes, as above", scenario->name,
				 whole.s.user_frames, whole.s.stack_end, decode_rest(s)->bytes);
		}
	}
	print_message("%-8s %4u samples finished, exact; %u longer than their copy of %u bytes; %u "
		      "without\n",
		      scenario->name, exact, cut,
		      (uint32_t)(bytes / (exact + cut + !(exact + cut))), bare);
	if (exact + cut < ENOUGH_SAMPLES || !cut != !scenario->too_long)
		fail_msg("%s: %u exact and %u cut; expected at least %u, all of one kind",
			 scenario->name, exact, cut, ENOUGH_SAMPLES);
}

/* Processes that have no tables: what their samples bring with them is enough. */
static void test_rests(void **state)
{
	NEEDS_OWN_FRAMES();
	NEEDS_ROOT();
	for (size_t i = 0; i < scenario_count; i++) {
		pid_t pid = scenario_start(&scenarios[i], true);
		struct capture c;

		begin(&c, pid);
		pass_ms(&c, CAPTURE_MS / 2);
		scenario_stop(pid);
		check_rests(&c, &scenarios[i]);
		release(&c);
	}
}

/* ---- why a stack ends ---- */

static struct unwind_mapping *libc_mapping(struct filler *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->mappings[i].start <= (uintptr_t)qsort &&
		    (uintptr_t)qsort < f->mappings[i].end)
			return &f->mappings[i];
	fail_msg("qsort is in no mapping");
	return NULL;
}

static struct unwind_exe *libc_exe(struct filler *f)
{
	return &tables_exes(f->tables)[libc_mapping(f)->exe];
}

static void spoil_mapping(struct filler *f)
{
	struct unwind_mapping *m = libc_mapping(f);

	f->count--;
	memmove(m, m + 1, (size_t)(f->mappings + f->count - m) * sizeof(*m));
}

static void spoil_first_mapping(struct filler *f)
{
	*f->mappings = *libc_mapping(f);
	f->mappings->end = f->mappings->start + 1;
	f->count = 1;
}

static void spoil_index(struct filler *f)
{
	libc_exe(f)->index = 0;
}

static void spoil_range(struct filler *f)
{
	libc_exe(f)->pages = 0;
}

static void spoil_start(struct filler *f)
{
	libc_exe(f)->start = UINT64_MAX & ~4095ULL;
}

static void set_pages(struct filler *f, struct unwind_page page)
{
	const struct unwind_exe *exe = libc_exe(f);
	struct unwind_page *pages = (struct unwind_page *)filler_words(f, exe->index);

	for (uint32_t i = 0; i < exe->pages; i++)
		pages[i] = page;
}

static void spoil_pages(struct filler *f)
{
	set_pages(f, (struct unwind_page){ 0 });
}

static void spoil_chunk(struct filler *f)
{
	set_pages(f, (struct unwind_page){ .row = UINT32_MAX, .count = 1 });
}

static void set_row(struct filler *f, uint32_t rule)
{
	uint32_t word = filler_take(f, 1);

	*filler_words(f, word) = UNWIND_ROW(0, rule);
	set_pages(f, (struct unwind_page){ .row = word, .count = 1 });
}

static void spoil_rules(struct filler *f)
{
	set_row(f, UNWIND_RULE_UNSUPPORTED);
}

static void spoil_rule(struct filler *f)
{
	set_row(f, UNWIND_MAX_RULES - 1);
}

static void spoil_register(struct filler *f)
{
	tables_rules(f->tables)[UNWIND_MAX_RULES - 1] = (struct unwind_rule){
		.kind = UNWIND_REGISTER,
		.how = UNWIND_HOW(UNWIND_FP_SAME, 7),
	};
	set_row(f, UNWIND_MAX_RULES - 1);
}

static void spoil_cfa(struct filler *f)
{
	tables_rules(f->tables)[UNWIND_MAX_RULES - 1] = (struct unwind_rule){
		.kind = UNWIND_SP,
		.cfa_offset = 12,
	};
	set_row(f, UNWIND_MAX_RULES - 1);
}

static void spoil_read(struct filler *f)
{
	tables_rules(f->tables)[UNWIND_MAX_RULES - 1] = (struct unwind_rule){
		.kind = UNWIND_DEREF_SP,
		.cfa_offset = 1,
	};
	set_row(f, UNWIND_MAX_RULES - 1);
}

/* What is wrong with libc's tables; its frames are the third and on. */
static const struct spoil {
	const char *name;
	void (*spoil)(struct filler *f);
	enum record_stack_end end;
} spoils[] = {
	{ "no mapping", spoil_mapping, STACK_END_NO_MAPPING },
	{ "no index", spoil_index, STACK_END_NOT_COMPILED },
	{ "no pages", spoil_pages, STACK_END_NOT_COMPILED },
	{ "no such chunk", spoil_chunk, STACK_END_NOT_COMPILED },
	{ "beyond the pages", spoil_range, STACK_END_NO_ROW },
	{ "before the pages", spoil_start, STACK_END_NO_ROW },
	{ "an empty rule", spoil_rule, STACK_END_NO_ROW },
	{ "unsupported", spoil_rules, STACK_END_UNSUPPORTED },
	{ "a register that isn't known", spoil_register, STACK_END_LOST },
	{ "a CFA that is none", spoil_cfa, STACK_END_BAD_FRAME },
	{ "a word that isn't aligned", spoil_read, STACK_END_BAD_READ },
};

/* All that come until there are enough, which on a busy machine takes its time. */
static void check_ends(struct capture *c, const char *name, uint32_t frames,
		       enum record_stack_end end)
{
	const struct record_sample *s;
	uint32_t count = 0;

	for (int waits = 0; count < ENOUGH_SAMPLES && waits < MAX_WAITS;) {
		s = next_sample(c);
		if (!s) {
			batch_drop(c->batch);
			pass_ms(c, 50);
			waits++;
			continue;
		}
		if (s->flags & RECORD_FLAG_NO_TABLES)
			continue;
		count++;
		if (s->user_frames != frames || s->stack_end != end) {
			scenario_print(s);
			fail_msg("%s: %u frames and end %u, expected %u and %u", name,
				 s->user_frames, s->stack_end, frames, end);
		}
	}
	if (count < ENOUGH_SAMPLES)
		fail_msg("%s: %u samples, expected at least %u", name, count, ENOUGH_SAMPLES);
}

static void test_ends(void **state)
{
	struct record_sample first;
	struct unwind_process p;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	pid = scenario_start(scenario_find("callback"), false);
	begin(&c, pid);
	first = first_sample(&c, pid);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		filler_fill(&c.filler, c.filler.tables);
		spoils[i].spoil(&c.filler);
		p = filler_entry(&c.filler, &first, 7);
		assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
		pass_ms(&c, 50);
		drop(&c);
		check_ends(&c, spoils[i].name, 3, spoils[i].end);
		batch_drop(c.batch);
	}
	/* Below all mappings. */
	filler_fill(&c.filler, c.filler.tables);
	spoil_first_mapping(&c.filler);
	p = filler_entry(&c.filler, &first, 7);
	assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
	pass_ms(&c, 50);
	drop(&c);
	check_ends(&c, "below all mappings", 1, STACK_END_NO_MAPPING);
	scenario_stop(pid);
	release(&c);
}

/* An entry of another image is none, nor is one whose mappings were given up, and are another's now. */
static void test_another_image(void **state)
{
	struct unwind_process other[6];
	const struct record_sample *s;
	struct record_sample first;
	uint32_t count = 0;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	pid = scenario_start(scenario_find("calls"), false);
	begin(&c, pid);
	first = first_sample(&c, pid);
	for (int i = 0; i < 6; i++)
		other[i] = filler_entry(&c.filler, &first, 7);
	other[0].start_ns++;
	other[1].exec_id++;
	other[2].count = 0;
	other[3].count--;
	other[4].id++;
	*filler_words(&c.filler, other[5].mappings - UNWIND_LIST_WORDS) = 0;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &other[i]), 0);
		pass_ms(&c, 50);
		drop(&c);
		pass_ms(&c, 50);
		while ((s = next_sample(&c))) {
			assert_int_equal(s->flags & RECORD_FLAG_NO_TABLES, RECORD_FLAG_NO_TABLES);
			assert_int_equal(s->stamp, 0);
			count++;
		}
		batch_drop(c.batch);
	}
	assert_true(count >= ENOUGH_SAMPLES);
	scenario_stop(pid);
	release(&c);
}

/* ---- processes come and go ---- */

static void test_lifecycle(void **state)
{
	struct unwind_process own, child = { 0 };
	struct record_sample first;
	uint64_t forked_ns;
	struct capture c;
	int status;
	pid_t pid;

	NEEDS_ROOT();
	begin(&c, getpid());
	first = first_sample(&c, getpid());
	own = filler_entry(&c.filler, &first, 9);
	assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)getpid(), &own), 0);

	forked_ns = clock_ns(CLOCK_MONOTONIC);
	pid = scenario_start(scenario_find("calls"),
			     false); /* fork: the parent's tables, the child's start */
	assert_int_equal(tables_get_process(c.filler.tables, (uint32_t)pid, &child), 0);
	assert_true(child.start_ns > own.start_ns);
	assert_int_equal(child.mappings, own.mappings);
	assert_int_equal(child.id, own.id);
	assert_int_equal(child.count, own.count);
	assert_in_range(child.since_ns, forked_ns, clock_ns(CLOCK_MONOTONIC));
	assert_int_equal(child.stamp, 9);
	first = first_sample(&c, pid);
	assert_int_equal(first.flags & RECORD_FLAG_NO_TABLES, 0);
	assert_int_equal(first.start_ns, child.start_ns);
	assert_int_equal(first.exec_id, child.exec_id);
	scenario_stop(pid); /* freed after a grace period */
	for (int i = 0; i < 100; i++, usleep(10000))
		if (tables_get_process(c.filler.tables, (uint32_t)pid, &child) == -ENOENT)
			break;
	assert_int_equal(tables_get_process(c.filler.tables, (uint32_t)pid, &child), -ENOENT);

	pid = fork(); /* exec: another image, without tables */
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "10", (char *)NULL);
		_exit(1);
	}
	usleep(100000);
	assert_int_equal(tables_get_process(c.filler.tables, (uint32_t)pid, &child), 0);
	assert_int_equal(child.exec_id, own.exec_id + 1);
	assert_int_equal(child.count, 0);
	assert_int_equal(child.mappings, 0);
	assert_int_equal(child.stamp, 0);
	assert_in_range(child.since_ns, forked_ns, clock_ns(CLOCK_MONOTONIC));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(tables_remove_process(c.filler.tables, (uint32_t)getpid()), 0);
	assert_int_equal(tables_get_process(c.filler.tables, (uint32_t)getpid(), &child), -ENOENT);
	release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios), cmocka_unit_test(test_rests),
		cmocka_unit_test(test_ends),      cmocka_unit_test(test_another_image),
		cmocka_unit_test(test_lifecycle),
	};

	return cmocka_run_group_tests(tests, scenarios_setup, NULL);
}
