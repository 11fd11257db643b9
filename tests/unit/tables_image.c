// SPDX-License-Identifier: Apache-2.0
#include "profiler/tables/image.h"

#include "profiler/collect/batch.h"
#include "tests/unit/tables_answer.h"
#include "tests/unit/torture.h"

#define PIDS 40u
#define MAPPINGS 30u
#define FILES 8u
#define STEPS 20000

/* What there is: a process table, and what the kernel side does by itself. */
static struct {
	struct mapping mappings[PIDS][MAPPINGS];
	uint32_t count[PIDS];
	uint64_t start_ns[PIDS];
	uint32_t exec_id[PIDS];
	bool alive[PIDS];
} world;

struct fixture {
	struct chunks chunks;
	struct rules rules;
	struct exes exes;
	struct images images;
	struct counters counters;
	uint64_t now_ns;
};

static int fixture_init(struct fixture *f, uint32_t chunks)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->now_ns = 1;
	chunks_init(&f->chunks, NULL, (uint64_t)chunks * UNWIND_CHUNK_BYTES);
	r = rules_init(&f->rules, NULL, 1024);
	if (r == 0)
		r = exes_init(&f->exes, NULL, &f->chunks, &f->rules, &f->counters, FILES);
	return r < 0 ? r : images_init(&f->images, NULL, &f->chunks, &f->exes, &f->counters, PIDS);
}

static void fixture_release(struct fixture *f)
{
	images_release(&f->images);
	exes_release(&f->exes);
	rules_release(&f->rules);
	chunks_release(&f->chunks);
	fake_reset();
	memset(&world, 0, sizeof(world));
}

static uint32_t mappings_of(void *ctx, uint32_t pid, const struct mapping **ret)
{
	*ret = world.mappings[pid];
	return world.count[pid];
}

static uint32_t exe_of(void *ctx, uint32_t pid, const struct mapping *m)
{
	struct fixture *f = ctx;

	return exes_intern(&f->exes, m->file, f->now_ns);
}

/* The file's code is at 0x1000 of its addresses and of itself. */
static void compile(struct fixture *f, uint32_t file)
{
	static const struct unwind_segment segment = { 0x401000, 0x1000, 0x100000 };
	struct unwind_request request = { .limit = UINT64_MAX, .max_rows = 1000 };
	struct unwind_rule rules[2] = { { .kind = UNWIND_NONE }, { .kind = UNWIND_UNSUPPORTED } };
	struct unwind_page pages[256];
	uint32_t row = 0, exe = exes_find(&f->exes, file);
	struct unwind_reply reply = { .start = 0x401000,
				      .limit = 0x501000,
				      .segment_count = 1,
				      .rule_count = 2,
				      .page_count = 256,
				      .row_count = 1 };
	struct unwind_answer a = { &reply, &segment, rules, pages, &row };

	for (int i = 0; i < 256; i++)
		pages[i] = (struct unwind_page){ .row = 0, .count = 1 };
	if (exe != EXE_NONE && f->exes.all[exe].state == EXE_UNKNOWN)
		exes_store(&f->exes, exe, &a, &request, f->now_ns);
}

static void flush(struct fixture *f)
{
	images_follow(&f->images,
		      f->now_ns > BATCH_HOLD_BACK_NS ? f->now_ns - BATCH_HOLD_BACK_NS : 0,
		      f->now_ns);
	images_flush(&f->images, mappings_of, exe_of, f, UINT32_MAX, f->now_ns);
}

/* Is the list that this entry leads to still its own? As the sampler asks. */
static bool has_list(const struct unwind_process *p)
{
	const struct unwind_list *list = fake_at(p->mappings - UNWIND_LIST_WORDS);

	return list->id == p->id && list->count == p->count;
}

/* What the kernel has of a process is what there is, as far as files are known. */
static void shown_check(const struct fixture *f, uint32_t pid)
{
	const struct unwind_process *p = &fake.processes[pid];
	const struct unwind_mapping *all = fake_at(p->mappings);

	assert_true(has_list(p));
	assert_int_equal(p->count, world.count[pid]);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct mapping *m = &world.mappings[pid][i];
		uint32_t exe = exes_find(&f->exes, m->file);

		assert_int_equal(all[i].start, m->start);
		assert_int_equal(all[i].end, m->end);
		if (m->kind == MAPPING_ANONYMOUS) {
			assert_int_equal(all[i].kind, UNWIND_MAPPING_ANONYMOUS);
			continue;
		}
		if (!f->exes.all[exe].segments) {
			assert_int_equal(all[i].kind, UNWIND_MAPPING_UNRESOLVED);
			continue;
		}
		assert_int_equal(all[i].kind, UNWIND_MAPPING_FILE);
		assert_int_equal(all[i].exe, exe);
		assert_int_equal(all[i].vaddr, m->offset + 0x400000);
	}
}

static bool is_shown(uint32_t pid)
{
	const struct unwind_process *p = &fake.processes[pid];

	return fake.there[pid] && p->count && p->start_ns == world.start_ns[pid] &&
	       p->exec_id == world.exec_id[pid] && has_list(p);
}

/* ---- events: in the kernel first, then as we are told ---- */

static void world_mmap(struct fixture *f, uint32_t pid)
{
	uint32_t i = world.count[pid];

	if (i == MAPPINGS)
		return;
	world.mappings[pid][i] = (struct mapping){
		.start = 0x10000000ULL * (i + 1),
		.end = 0x10000000ULL * (i + 1) + 0x5000,
		.offset = 0x1000 * (1 + fake_random(200)),
		.file = fake_random(FILES),
		.kind = fake_random(4) ? MAPPING_FILE : MAPPING_ANONYMOUS,
	};
	world.count[pid]++;
	images_mmap(&f->images, pid);
}

static void world_fork(struct fixture *f, uint32_t pid, uint32_t parent)
{
	if (world.alive[pid] || !world.alive[parent])
		return;
	memcpy(world.mappings[pid], world.mappings[parent], sizeof(world.mappings[pid]));
	world.count[pid] = world.count[parent];
	world.alive[pid] = true;
	world.start_ns[pid] = f->now_ns;
	world.exec_id[pid] = world.exec_id[parent];
	if (is_shown(parent)) {
		fake.processes[pid] = fake.processes[parent];
		fake.processes[pid].start_ns = world.start_ns[pid];
		fake.processes[pid].since_ns = 1; /* events are told at once */
		fake.there[pid] = true;
	}
	images_fork(&f->images, pid, parent, f->now_ns);
}

static void world_exec(struct fixture *f, uint32_t pid)
{
	world.exec_id[pid]++;
	world.count[pid] = 0;
	fake.processes[pid] = (struct unwind_process){ .start_ns = world.start_ns[pid],
						       .exec_id = world.exec_id[pid],
						       .since_ns = 1 };
	fake.there[pid] = true;
	images_exec(&f->images, pid, f->now_ns);
}

static void world_exit(struct fixture *f, uint32_t pid)
{
	world.alive[pid] = false;
	world.count[pid] = 0;
	fake.there[pid] = fake_random(4) == 0; /* its leader only */
	images_exit(&f->images, pid, f->now_ns);
	assert_false(is_shown(pid) && fake.there[pid]);
}

static void event(struct fixture *f)
{
	uint32_t pid = fake_random(PIDS);

	if (!world.alive[pid]) {
		world_fork(f, pid, fake_random(PIDS));
		return;
	}
	switch (fake_random(8)) {
	case 0:
		world_exec(f, pid);
		break;
	case 1:
		if (pid) /* somebody has to live */
			world_exit(f, pid);
		break;
	case 2:
	case 3:
		images_sampled(&f->images, pid, world.start_ns[pid], world.exec_id[pid], f->now_ns);
		break;
	case 4: /* late, of an image that is gone */
		if (world.exec_id[pid])
			images_sampled(&f->images, pid, world.start_ns[pid], world.exec_id[pid] - 1,
				       f->now_ns);
		break;
	case 5:
		compile(f, fake_random(FILES));
		break;
	default:
		world_mmap(f, pid);
	}
}

static void test_random(void **state)
{
	struct fixture f;
	uint32_t shown = 0;

	assert_int_equal(fixture_init(&f, 4), 0);
	world.alive[0] = true;
	world.start_ns[0] = 1;
	world_mmap(&f, 0);
	images_sampled(&f.images, 0, 1, 0, 1);
	for (int i = 0; i < STEPS; i++) {
		f.now_ns += fake_random(30000000);
		event(&f);
		if (fake_random(5))
			continue;
		flush(&f);
		for (uint32_t pid = 0; pid < PIDS; pid++) {
			if (!world.alive[pid] || !is_shown(pid))
				continue;
			shown_check(&f, pid);
			shown++;
		}
		chunks_unmap(&f.chunks);
	}
	if (shown < 10 * STEPS / 5)
		fail_msg("only %u were shown", shown);
	for (uint32_t pid = 0; pid < PIDS; pid++)
		images_exit(&f.images, pid, f.now_ns);
	for (uint32_t i = 0; i < f.exes.count; i++)
		assert_int_equal(f.exes.all[i].users, 0);
	fixture_release(&f);
}

/* Old mappings stay as they were while a copy of the entry may be in use. */
static void test_swap(void **state)
{
	struct unwind_mapping before[2];
	struct unwind_process was;
	struct fixture f;

	assert_int_equal(fixture_init(&f, 1), 0);
	world.alive[1] = true;
	world.start_ns[1] = 5;
	world_mmap(&f, 1);
	world_mmap(&f, 1);
	flush(&f);
	assert_false(fake.there[1]); /* nobody was seen in it */
	assert_int_equal(f.images.high, 0);
	images_sampled(&f.images, 1, 5, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(1));
	was = fake.processes[1];
	memcpy(before, fake_at(was.mappings), sizeof(before));
	for (int i = 0; i < 19; i++) {
		f.now_ns += 100000000;
		world.count[1] = 1 + fake_random(1);
		world_mmap(&f, 1);
		flush(&f);
		assert_true(fake.processes[1].mappings != was.mappings);
		assert_memory_equal(fake_at(was.mappings), before, sizeof(before));
	}
	assert_int_equal(fake.processes[1].stamp, 20);
	fixture_release(&f);
}

/* A copy of the entry that we never hear of is not used any more when the list that it leads to is another's. */
static void test_copy(void **state)
{
	struct unwind_process copy;
	struct fixture f;

	assert_int_equal(fixture_init(&f, 1), 0);
	world.alive[1] = world.alive[2] = true;
	world_mmap(&f, 1);
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	copy = fake.processes[1];
	assert_true(has_list(&copy));
	images_exit(&f.images, 1, f.now_ns);
	assert_false(has_list(&copy));
	/* At the same place, as many. */
	f.now_ns += 2 * UNWIND_GRACE_NS;
	chunks_give(&f.chunks, chunks_take(&f.chunks, 1, f.now_ns), 1, f.now_ns);
	f.now_ns += 2 * UNWIND_GRACE_NS;
	world_mmap(&f, 2);
	images_sampled(&f.images, 2, 0, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(2));
	assert_int_equal(fake.processes[2].mappings, copy.mappings);
	assert_int_equal(fake.processes[2].count, copy.count);
	assert_false(has_list(&copy));
	fixture_release(&f);
}

/* ---- events reach us late ---- */

#define SPACE_SHIFT 32
#define MAX_TOLD 4096u

/* What happened, in the kernel at once; we are told of it later. */
static struct late {
	struct {
		uint64_t time_ns;
		enum { LATE_FORK, LATE_EXEC, LATE_EXIT, LATE_MMAP, LATE_SAMPLE } kind;
		uint32_t pid, parent;
		uint64_t start_ns;
		uint32_t exec_id;
		struct mapping mapping;
	} events[MAX_TOLD];
	uint32_t count, told;
	uint32_t spaces; /* address spaces that there were; 0 is none */
	uint32_t space[PIDS]; /* by pid; 0: there is no such process */
	uint64_t start_ns[PIDS];
	uint32_t exec_id[PIDS];
} late;

static bool late_is_shown(uint32_t pid)
{
	const struct unwind_process *p = &fake.processes[pid];

	return late.space[pid] && fake.there[pid] && p->start_ns == late.start_ns[pid] &&
	       p->exec_id == late.exec_id[pid] && p->count && has_list(p);
}

static void late_event(uint64_t now_ns, uint32_t kind, uint32_t pid, uint32_t parent)
{
	assert_true(late.count < MAX_TOLD);
	late.events[late.count].time_ns = now_ns;
	late.events[late.count].kind = kind;
	late.events[late.count].pid = pid;
	late.events[late.count].parent = parent;
	late.events[late.count].start_ns = late.start_ns[pid];
	late.events[late.count].exec_id = late.exec_id[pid];
	late.events[late.count].mapping = (struct mapping){
		.start = (uint64_t)late.space[pid] << SPACE_SHIFT | (fake_random(MAPPINGS) << 16),
		.kind = MAPPING_ANONYMOUS,
	};
	late.events[late.count].mapping.end = late.events[late.count].mapping.start + 4096;
	late.count++;
}

static void late_happen(uint64_t now_ns)
{
	uint32_t pid = fake_random(PIDS), parent = fake_random(PIDS);

	if (!late.space[pid] && !late.space[parent])
		return;
	if (!late.space[pid]) {
		late.space[pid] = late.space[parent];
		late.start_ns[pid] = now_ns;
		late.exec_id[pid] = late.exec_id[parent];
		fake.there[pid] = late_is_shown(parent);
		fake.processes[pid] = fake.processes[parent];
		fake.processes[pid].start_ns = now_ns;
		fake.processes[pid].since_ns = now_ns;
		late_event(now_ns, LATE_FORK, pid, parent);
		return;
	}
	switch (fake_random(8)) {
	case 0:
		if (pid) { /* somebody has to live */
			late_event(now_ns, LATE_EXIT, pid, 0);
			late.space[pid] = 0;
			fake.there[pid] = false;
		}
		break;
	case 1:
		late.space[pid] = ++late.spaces;
		late_event(now_ns, LATE_EXEC, pid, 0);
		late_event(now_ns, LATE_MMAP, pid, 0);
		fake.there[pid] = true;
		fake.processes[pid] = (struct unwind_process){ .start_ns = late.start_ns[pid],
							       .exec_id = ++late.exec_id[pid],
							       .since_ns = now_ns };
		break;
	case 2: /* of one without tables */
		if (!late_is_shown(pid))
			late_event(now_ns, LATE_SAMPLE, pid, 0);
		break;
	default:
		late_event(now_ns, LATE_MMAP, pid, 0);
	}
}

/* As the process table would have it: sorted, no two at the same place. */
static void late_mmap(uint32_t pid, const struct mapping *m)
{
	uint32_t n = world.count[pid], i = n;

	for (uint32_t j = 0; j < n; j++)
		if (world.mappings[pid][j].start == m->start)
			return;
	if (n == MAPPINGS)
		return;
	for (; i && world.mappings[pid][i - 1].start > m->start; i--)
		world.mappings[pid][i] = world.mappings[pid][i - 1];
	world.mappings[pid][i] = *m;
	world.count[pid]++;
}

static void late_tell(struct fixture *f, uint64_t until_ns)
{
	for (; late.told < late.count && late.events[late.told].time_ns <= until_ns; late.told++) {
		uint32_t pid = late.events[late.told].pid, parent = late.events[late.told].parent;

		switch (late.events[late.told].kind) {
		case LATE_FORK:
			memcpy(world.mappings[pid], world.mappings[parent],
			       sizeof(world.mappings[pid]));
			world.count[pid] = world.count[parent];
			images_fork(&f->images, pid, parent, f->now_ns);
			break;
		case LATE_EXEC:
			world.count[pid] = 0;
			images_exec(&f->images, pid, f->now_ns);
			break;
		case LATE_EXIT:
			world.count[pid] = 0;
			images_exit(&f->images, pid, f->now_ns);
			break;
		case LATE_MMAP:
			late_mmap(pid, &late.events[late.told].mapping);
			images_mmap(&f->images, pid);
			break;
		case LATE_SAMPLE:
			images_sampled(&f->images, pid, late.events[late.told].start_ns,
				       late.events[late.told].exec_id, f->now_ns);
		}
	}
	if (late.told < MAX_TOLD / 2)
		return;
	late.count -= late.told;
	memmove(late.events, late.events + late.told, late.count * sizeof(late.events[0]));
	late.told = 0;
}

/* No process goes by mappings of an address space that isn't its own. */
static uint32_t late_check(void)
{
	uint32_t shown = 0;

	for (uint32_t pid = 0; pid < PIDS; pid++) {
		const struct unwind_process *p = &fake.processes[pid];
		const struct unwind_mapping *all;

		if (!late_is_shown(pid))
			continue;
		all = fake_at(p->mappings);
		for (uint32_t i = 0; i < p->count; i++)
			if (all[i].start >> SPACE_SHIFT != late.space[pid])
				fail_msg("pid %u in address space %u has mappings of %lu", pid,
					 late.space[pid],
					 (unsigned long)(all[i].start >> SPACE_SHIFT));
		shown++;
	}
	return shown;
}

static void test_late(void **state)
{
	struct fixture f;
	uint64_t now_ns = 1000000000, next_ns = now_ns;
	uint32_t shown = 0;

	assert_int_equal(fixture_init(&f, 4), 0);
	memset(&late, 0, sizeof(late));
	late.space[0] = late.spaces = 1;
	for (int i = 0; i < STEPS * 5; i++) {
		now_ns += fake_random(4000000);
		late_happen(now_ns);
		if (now_ns < next_ns) {
			late_check();
			continue;
		}
		late_tell(&f, now_ns - BATCH_HOLD_BACK_NS);
		next_ns = now_ns + 20000000 + fake_random(80000000);
		f.now_ns = now_ns;
		flush(&f);
		flush(&f);
		shown += late_check();
	}
	if (shown < STEPS / 20)
		fail_msg("only %u were shown", shown);
	print_message("%u shown\n", shown);
	fixture_release(&f);
}

/* Events were lost: nobody's mappings are believed until a sample came, and what is gone is found to be so. */
static void test_losses(void **state)
{
	struct unwind_process copy;
	struct fixture f;

	assert_int_equal(fixture_init(&f, 1), 0);
	for (uint32_t pid = 1; pid < 30; pid++) {
		world.alive[pid] = true;
		world_mmap(&f, pid);
		images_sampled(&f.images, pid, 0, 0, f.now_ns);
	}
	flush(&f);
	for (uint32_t pid = 1; pid < 30; pid++)
		assert_true(is_shown(pid));
	copy = fake.processes[1];
	counter_add(&f.counters, COUNTER_EVENTS_LOST, 1);
	f.now_ns += 100000000;
	flush(&f);
	for (uint32_t pid = 1; pid < 30; pid++)
		assert_false(is_shown(pid));
	assert_false(has_list(&copy));
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(1));
	assert_false(is_shown(2));

	/* Their exits were among what was lost. */
	for (uint32_t pid = 2; pid < 30; pid++)
		fake.there[pid] = false;
	for (int i = 0; i < 4; i++) {
		f.now_ns += 100000000;
		flush(&f);
	}
	for (uint32_t pid = 100; pid < 100 + PIDS - 1; pid++)
		images_mmap(&f.images, pid);
	assert_int_equal(counter_get(&f.counters, COUNTER_UNWIND_PROCESSES_REFUSED), 0);
	assert_true(is_shown(1));
	fixture_release(&f);
}

/* What a process had mapped isn't believed when nobody can say what it has mapped since. */
static void test_unsayable(void **state)
{
	struct fixture f;

	assert_int_equal(fixture_init(&f, 1), 0);
	world.alive[1] = true;
	world_mmap(&f, 1);
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(1));
	world.count[1] = 0;
	images_mmap(&f.images, 1);
	flush(&f);
	assert_false(is_shown(1));
	world.count[1] = 1;
	f.now_ns += 200000000;
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(1));
	fixture_release(&f);
}

static void test_no_room(void **state)
{
	struct fixture f;

	assert_int_equal(fixture_init(&f, 1), 0);
	world.alive[1] = true;
	world_mmap(&f, 1);
	fake.refuse_processes = true;
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	flush(&f); /* not again at once */
	assert_int_equal(counter_get(&f.counters, COUNTER_UNWIND_PROCESSES_REFUSED), 1);
	fake.refuse_processes = false;
	f.now_ns += 200000000;
	images_sampled(&f.images, 1, 0, 0, f.now_ns);
	flush(&f);
	assert_true(is_shown(1));
	/* More processes than there may be. */
	for (uint32_t pid = 100; pid < 100 + PIDS; pid++)
		images_sampled(&f.images, pid, 0, 0, f.now_ns);
	assert_int_equal(counter_get(&f.counters, COUNTER_UNWIND_PROCESSES_REFUSED), 2);
	fixture_release(&f);
}

static int scenario(void *ctx)
{
	struct fixture f;
	int r = fixture_init(&f, 1);

	for (uint32_t pid = 1; pid < 4 && r == 0; pid++) {
		world.alive[pid] = true;
		world_mmap(&f, pid);
		images_sampled(&f.images, pid, 0, 0, f.now_ns);
	}
	if (r == 0) {
		flush(&f);
		world_fork(&f, 9, 2);
		for (uint32_t file = 0; file < FILES; file++)
			compile(&f, file);
		for (int i = 0; i < 2; i++) { /* until the fork is an old story */
			f.now_ns += 2 * BATCH_HOLD_BACK_NS;
			flush(&f);
		}
		for (uint32_t pid = 1; pid < 10; pid++)
			if (is_shown(pid) && f.images.queue.count == 0)
				r = 0;
			else if (pid < 4 || pid == 9)
				r = -ENOMEM;
	}
	fixture_release(&f);
	return r;
}

static void test_torture(void **state)
{
	assert_true(torture(scenario, NULL) > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),  cmocka_unit_test(test_swap),
		cmocka_unit_test(test_losses),  cmocka_unit_test(test_unsayable),
		cmocka_unit_test(test_late),    cmocka_unit_test(test_copy),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
