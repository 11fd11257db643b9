// SPDX-License-Identifier: Apache-2.0
/*
 * The unwinder in the kernel, against stacks that are known: children of this process run known calls,
 * the tables are filled by hand from what the compiler makes of their files, and each sample has to show
 * exactly the known frames down to the bottom, of which libgcc's unwinder said beforehand what it is.
 *
 * It prints what a sample and a frame cost.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/collect/decode.h"
#include "profiler/collect/session.h"
#include "profiler/process/maps.h"
#include "profiler/tables/walk.h"
#include "symbolizer/unwind_compile.h"

#define FREQUENCY_HZ 999
#define CAPTURE_MS 300
#define ENOUGH_SAMPLES 10
#define MAX_WAITS 100 /* of 50 ms */
#define MAX_TAIL 128
#define DEPTH 100

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

/* ---- known calls: each function is a section of its own, so that its bounds are known ---- */

#define PLACES(X) X(spin) X(descend) X(dynamic) X(compare) X(handler) X(body) X(launch)
#define IN(place) __attribute__((noinline, section("live_" #place)))

#define X(place) extern const char __start_live_##place[], __stop_live_##place[];
PLACES(X)
#undef X

enum place {
	PLACE_NONE, /* the end of a pattern */
#define X(place) PLACE_##place,
	PLACES(X)
#undef X
		PLACE_OWN, /* elsewhere in this program: PLT stubs */
	PLACE_JIT, /* code made at run time */
	PLACE_OTHER, /* in another file, or the vDSO */
};

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

struct span {
	enum place place;
	uint32_t least, most;
};

#define MAX_SPANS 8

static const struct scenario {
	const char *name;
	void (*body)(void);
	struct span spans[MAX_SPANS]; /* from the leaf to launch() */
	bool too_deep;
	bool too_long; /* for a copy of its stack */
} scenarios[] = {
	{ "calls",
	  body_calls,
	  { { PLACE_spin, 1, 1 }, { PLACE_descend, DEPTH + 1, DEPTH + 1 }, { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "alloca",
	  body_alloca,
	  { { PLACE_spin, 1, 1 }, { PLACE_dynamic, DEPTH + 1, DEPTH + 1 }, { PLACE_body, 1, 1 } },
	  false,
	  true },
	{ "callback",
	  body_callback,
	  { { PLACE_spin, 1, 1 },
	    { PLACE_compare, 1, 1 },
	    { PLACE_OTHER, 1, 6 },
	    { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "raise",
	  body_raise,
	  { { PLACE_spin, 1, 1 },
	    { PLACE_handler, 1, 1 },
	    { PLACE_OTHER, 2, 5 },
	    { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "alarm",
	  body_alarm,
	  { { PLACE_spin, 1, 1 },
	    { PLACE_handler, 1, 1 },
	    { PLACE_OTHER, 1, 1 },
	    { PLACE_spin, 1, 1 },
	    { PLACE_descend, DEPTH + 1, DEPTH + 1 },
	    { PLACE_body, 1, 1 } },
	  false,
	  true },
	{ "jit",
	  body_jit,
	  { { PLACE_spin, 1, 1 }, { PLACE_JIT, 1, 1 }, { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "plt",
	  body_plt,
	  { { PLACE_OTHER, 0, 1 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "vdso",
	  body_vdso,
	  { { PLACE_OTHER, 0, 3 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "read",
	  body_read,
	  { { PLACE_OTHER, 0, 2 }, { PLACE_OWN, 0, 1 }, { PLACE_body, 1, 1 } },
	  false,
	  false },
	{ "deep",
	  body_deep,
	  { { PLACE_spin, 1, 1 },
	    { PLACE_descend, RECORD_MAX_USER_FRAMES - 1, RECORD_MAX_USER_FRAMES - 1 } },
	  true,
	  true },
};

static uint64_t own_start, own_end; /* this program's code */

static enum place place_of(uint64_t addr)
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

static void print_stack(const struct record_sample *s)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;

	for (uint32_t i = 0; i < s->user_frames; i++)
		print_message("  %3u kind %u place %u %llx\n", i,
			      (unsigned int)(user[i] >> FRAME_KIND_SHIFT),
			      place_of(user[i] & FRAME_ADDR_MASK),
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
		       place_of(user[at] & FRAME_ADDR_MASK) == spans->place) {
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
	    place_of(user[0] & FRAME_ADDR_MASK) != PLACE_launch)
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
		expected = place_of(user[i] & FRAME_ADDR_MASK) == PLACE_JIT ? FRAME_POINTER
									    : FRAME_TABLE;
	}
	return true;
}

static bool is_exact(const struct record_sample *s, const struct scenario *c)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;
	uint32_t at;

	if (!kinds_are_exact(user, s->user_frames) || !follows(user, s->user_frames, c->spans, &at))
		return false;
	if (c->too_deep)
		return s->stack_end == STACK_END_TOO_DEEP && at == s->user_frames;
	return s->stack_end == STACK_END_BOTTOM && ends_as_said(user + at, s->user_frames - at);
}

/* ---- filling the tables ---- */

struct filler {
	struct tables *tables;
	uint32_t word; /* the next free one */
	uint32_t rule, exe, lists;
	uint32_t count;
	struct unwind_mapping mappings[256];
};

static uint32_t take_words(struct filler *f, uint32_t count)
{
	uint32_t left = UNWIND_CHUNK_WORDS - (f->word & (UNWIND_CHUNK_WORDS - 1)), word;

	assert_true(count <= UNWIND_CHUNK_WORDS);
	f->word += left < count ? left : 0;
	word = f->word;
	f->word += (count + 1) & ~1U;
	return word;
}

static uint32_t *words_at(struct filler *f, uint32_t word)
{
	uint32_t *chunk = tables_map_chunk(f->tables, word >> UNWIND_CHUNK_SHIFT);

	assert_non_null(chunk);
	return chunk + (word & (UNWIND_CHUNK_WORDS - 1));
}

static void fill_rows(struct filler *f, const struct unwind_table *t,
		      const struct unwind_page *from, struct unwind_page *to)
{
	uint32_t word = take_words(f, from->count), *rows = words_at(f, word);

	for (uint32_t i = 0; i < from->count; i++) {
		uint32_t row = t->rows.items[from->row + i], rule = unwind_row_rule(row);

		rule += rule >= UNWIND_RULE_FIRST ? f->rule : 0;
		rows[i] = UNWIND_ROW(unwind_row_within(row), rule);
	}
	*to = (struct unwind_page){ .row = word, .count = from->count };
}

static void fill_exe(struct filler *f, const struct unwind_table *t)
{
	uint32_t index = take_words(f, (uint32_t)t->pages.count * 2);
	struct unwind_page *pages = (struct unwind_page *)words_at(f, index);

	assert_true(f->rule + t->rule_count < UNWIND_MAX_RULES && f->exe < UNWIND_MAX_EXES);
	for (uint32_t i = 0; i < t->pages.count; i++) {
		const struct unwind_page *page = &t->pages.items[i];

		if (i && page->row == page[-1].row && page->count == page[-1].count)
			pages[i] = pages[i - 1];
		else
			fill_rows(f, t, page, &pages[i]);
	}
	tables_rules(f->tables)[UNWIND_RULE_UNSUPPORTED].kind = UNWIND_UNSUPPORTED;
	memcpy(tables_rules(f->tables) + UNWIND_RULE_FIRST + f->rule, t->rules + UNWIND_RULE_FIRST,
	       (t->rule_count - UNWIND_RULE_FIRST) * sizeof(t->rules[0]));
	f->rule += t->rule_count - UNWIND_RULE_FIRST;
	tables_exes(f->tables)[f->exe] = (struct unwind_exe){
		.start = t->start,
		.index = index,
		.pages = (uint32_t)t->pages.count,
	};
}

static int open_mapped(const struct maps_line *line)
{
	int fd;

	if (strcmp(line->path, "[vdso]") != 0)
		return open(line->path, O_RDONLY | O_CLOEXEC);
	fd = memfd_create("vdso", MFD_CLOEXEC);
	assert_int_equal(
		fd_write_all(fd, (void *)getauxval(AT_SYSINFO_EHDR), line->end - line->start), 0);
	return fd;
}

static void fill_mapping(struct filler *f, const struct maps_line *line)
{
	_cleanup_(fd_close) int fd = open_mapped(line);
	struct unwind_mapping *m = &f->mappings[f->count];
	struct unwind_outcome outcome;
	struct unwind_table table;
	struct elf_file file;

	assert_true(fd >= 0 && f->count < sizeof(f->mappings) / sizeof(f->mappings[0]));
	assert_int_equal(elf_file_open(&file, fd), 0);
	assert_int_equal(unwind_compile(&file, 0, UINT64_MAX, UNWIND_MAX_ROWS, &table, &outcome),
			 0);
	*m = (struct unwind_mapping){ .start = line->start, .end = line->end, .exe = f->exe };
	for (size_t i = 0; i < file.segments.count; i++) {
		const struct elf_segment *segment = &file.segments.items[i];

		if (segment->executable && line->offset + 4096 > segment->offset &&
		    line->offset < segment->offset + segment->size)
			m->vaddr = segment->vaddr - segment->offset + line->offset;
	}
	fill_exe(f, &table);
	f->exe++;
	f->count++;
	unwind_table_release(&table);
	elf_file_release(&file);
}

/* All that this process has mapped, and so its children. */
static void fill(struct filler *f, struct tables *tables)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(1 << 20);
	_cleanup_(fd_close) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	static struct maps_line line;
	size_t used;

	*f = (struct filler){ .tables = tables, .word = 2, .exe = 1, .lists = f->lists };
	assert_int_equal(buffer_read_fd(&text, fd), 0);
	for (size_t at = 0; maps_line_parse(text.data + at, text.len - at, &line, &used) == 0;
	     at += used) {
		if (!line.executable || line.start >> 63)
			continue;
		if (line.start <= (uintptr_t)fill && (uintptr_t)fill < line.end) {
			own_start = line.start;
			own_end = line.end;
		}
		if (line.path[0])
			fill_mapping(f, &line);
		else
			f->mappings[f->count++] = (struct unwind_mapping){
				.start = line.start,
				.end = line.end,
				.kind = UNWIND_MAPPING_ANONYMOUS,
			};
	}
}

/* An array of the mappings of its own, for one process. */
static struct unwind_process entry(struct filler *f, const struct record_sample *s, uint32_t stamp)
{
	const struct unwind_list list = { .id = ++f->lists, .count = f->count };
	uint32_t bytes = f->count * (uint32_t)sizeof(f->mappings[0]);
	uint32_t word = take_words(f, UNWIND_LIST_WORDS + bytes / (uint32_t)sizeof(uint32_t));

	memcpy(words_at(f, word), &list, sizeof(list));
	memcpy(words_at(f, word) + UNWIND_LIST_WORDS, f->mappings, bytes);
	return (struct unwind_process){
		.start_ns = s->start_ns,
		.exec_id = s->exec_id,
		.mappings = word + UNWIND_LIST_WORDS,
		.id = list.id,
		.count = list.count,
		.stamp = stamp,
	};
}

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
	fill(&c->filler, session_tables(c->session));
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

static void spend_ms(int ms)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * NS_PER_MS;

	while (clock_ns(CLOCK_MONOTONIC) < until_ns)
		work++;
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
			spend_ms(50);
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

static pid_t start_child(const struct scenario *c, bool alone)
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

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

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
		if (!is_exact(s, scenario)) {
			print_stack(s);
			fail_msg("%s: sample %u has %u frames and end %u, as above", scenario->name,
				 count, s->user_frames, s->stack_end);
		}
		count++;
		frames += s->user_frames;
		in_syscall += s->flags & RECORD_FLAG_KERNEL &&
			      is_syscall(s->frames[s->kernel_frames] & FRAME_ADDR_MASK);
		in_kernel += !!(s->flags & RECORD_FLAG_KERNEL);
		in_other += place_of(s->frames[s->kernel_frames] & FRAME_ADDR_MASK) >= PLACE_OWN;
	}
	if (count < ENOUGH_SAMPLES)
		fail_msg("%s: %u samples, %u without tables; expected at least %u", scenario->name,
			 count, without, ENOUGH_SAMPLES);
	if (scenario->body == body_read && in_syscall < in_kernel * 9 / 10)
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
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		pid_t pid = start_child(&scenarios[i], false);
		struct record_sample first;
		struct unwind_process p;
		struct capture c;
		uint64_t ns;

		begin(&c, pid);
		first = first_sample(&c, pid);
		assert_true(first.flags & RECORD_FLAG_NO_TABLES);
		p = entry(&c.filler, &first, 7);
		assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
		pass_ms(&c, 50);
		drop(&c);
		ns = session_bpf_ns(c.session);
		pass_ms(&c, CAPTURE_MS);
		ns = session_bpf_ns(c.session) - ns;
		stop_child(pid);
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
		pages = (const struct unwind_page *)words_at(f, exe->index);
		row = unwind_row_find(words_at(f, pages[page].row), UINT32_MAX, 0,
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

/*
 * A stack that is longer than its copy, or goes on beyond a signal's own: it ends there, and what is there of it is
 * right.
 */
static bool is_cut(const struct whole_sample *s, const struct scenario *c)
{
	const uint64_t *user = s->frames + s->s.kernel_frames;
	uint32_t count = s->s.user_frames, at = 0;

	if (s->s.stack_end != STACK_END_BAD_READ || !kinds_are_exact(user, count))
		return false;
	for (const struct span *span = c->spans; span->place && at < count; span++) {
		uint32_t n = 0;

		for (; at < count && n < span->most; n++, at++)
			if (place_of(user[at] & FRAME_ADDR_MASK) != span->place)
				break;
		if (n < span->least && at < count)
			return false;
	}
	for (uint32_t i = 1; at + i < count; i++)
		if ((user[at + i] & FRAME_ADDR_MASK) != (uintptr_t)shared->tail[i] - 1)
			return false;
	return true;
}

/* Nothing of what lies above a thread's stack is copied. A signal's handler may be on another. */
static void check_copy(const struct record_rest *rest, const struct scenario *scenario)
{
	uint64_t end = rest->stack + rest->bytes;

	if (rest->sp < shared->thread && end > shared->thread && rest->stack < shared->thread)
		fail_msg("%s: copied up to %#" PRIx64 ", its thread's stack ends at %#" PRIx64,
			 scenario->name, end, shared->thread);
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
		if (is_exact(&whole.s, scenario)) {
			exact++;
		} else if (is_cut(&whole, scenario)) {
			cut++;
		} else {
			print_stack(&whole.s);
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
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		pid_t pid = start_child(&scenarios[i], true);
		struct capture c;

		begin(&c, pid);
		pass_ms(&c, CAPTURE_MS / 2);
		stop_child(pid);
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
	struct unwind_page *pages = (struct unwind_page *)words_at(f, exe->index);

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
	uint32_t word = take_words(f, 1);

	*words_at(f, word) = UNWIND_ROW(0, rule);
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
			print_stack(s);
			fail_msg("%s: %u frames and end %u, expected %u and %u", name,
				 s->user_frames, s->stack_end, frames, end);
		}
	}
	if (count < ENOUGH_SAMPLES)
		fail_msg("%s: %u samples, expected at least %u", name, count, ENOUGH_SAMPLES);
}

static void test_ends(void **state)
{
	static const struct scenario callback = { .name = "callback", .body = body_callback };
	struct record_sample first;
	struct unwind_process p;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	pid = start_child(&callback, false);
	begin(&c, pid);
	first = first_sample(&c, pid);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		fill(&c.filler, c.filler.tables);
		spoils[i].spoil(&c.filler);
		p = entry(&c.filler, &first, 7);
		assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
		pass_ms(&c, 50);
		drop(&c);
		check_ends(&c, spoils[i].name, 3, spoils[i].end);
		batch_drop(c.batch);
	}
	/* Below all mappings. */
	fill(&c.filler, c.filler.tables);
	spoil_first_mapping(&c.filler);
	p = entry(&c.filler, &first, 7);
	assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)pid, &p), 0);
	pass_ms(&c, 50);
	drop(&c);
	check_ends(&c, "below all mappings", 1, STACK_END_NO_MAPPING);
	stop_child(pid);
	release(&c);
}

/* An entry of another image is none, nor is one whose mappings were given up, and are another's now. */
static void test_another_image(void **state)
{
	static const struct scenario calls = { .name = "calls", .body = body_calls };
	struct unwind_process other[6];
	const struct record_sample *s;
	struct record_sample first;
	uint32_t count = 0;
	struct capture c;
	pid_t pid;

	NEEDS_ROOT();
	pid = start_child(&calls, false);
	begin(&c, pid);
	first = first_sample(&c, pid);
	for (int i = 0; i < 6; i++)
		other[i] = entry(&c.filler, &first, 7);
	other[0].start_ns++;
	other[1].exec_id++;
	other[2].count = 0;
	other[3].count--;
	other[4].id++;
	*words_at(&c.filler, other[5].mappings - UNWIND_LIST_WORDS) = 0;
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
	stop_child(pid);
	release(&c);
}

/* ---- processes come and go ---- */

static void test_lifecycle(void **state)
{
	static const struct scenario wait = { .name = "wait", .body = body_calls };
	struct unwind_process own, child = { 0 };
	struct record_sample first;
	uint64_t forked_ns;
	struct capture c;
	int status;
	pid_t pid;

	NEEDS_ROOT();
	begin(&c, getpid());
	first = first_sample(&c, getpid());
	own = entry(&c.filler, &first, 9);
	assert_int_equal(tables_set_process(c.filler.tables, (uint32_t)getpid(), &own), 0);

	forked_ns = clock_ns(CLOCK_MONOTONIC);
	pid = start_child(&wait, false); /* fork: the parent's tables, the child's start */
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
	stop_child(pid); /* freed after a grace period */
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

static int setup(void **state)
{
	void *first[1];

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios), cmocka_unit_test(test_rests),
		cmocka_unit_test(test_ends),      cmocka_unit_test(test_another_image),
		cmocka_unit_test(test_lifecycle),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
