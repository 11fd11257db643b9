// SPDX-License-Identifier: Apache-2.0
/*
 * A frame of Go's, of `delta` bytes, and its two prologues:
 *
 *	           ┌────────────────┐         until Go 1.20                  since
 *	CFA ─────► │ caller's frame │         sub  $delta, %rsp              push %rbp
 *	CFA - 8    │ return address │         mov  %rbp, delta-8(%rsp)       mov  %rsp, %rbp
 *	CFA - 16   │ caller's rbp   │         lea  delta-8(%rsp), %rbp       sub  $delta-8, %rsp
 *	           │ …              │         mov  delta-8(%rsp), %rbp       add  $delta-8, %rsp
 *	rsp ─────► └────────────────┘         add  $delta, %rsp; ret         pop  %rbp; ret
 *
 * So rbp is the caller's until it was stored, and again where the frame doesn't reach down to its place: the
 * table tells both but for the one instruction that stores. A frame without either prologue keeps rbp
 * who knows where: lost.
 *
 * Functions that write rsp do so for another stack, or for C's alignment. Those of the runtime that have a
 * frame are found by rbp all the while, since all whom they call give it back: cgocallback, nanotime1, since
 * Go 1.21 systemstack and asmcgocall. Others are unsupported behind the first such instruction.
 */
#include "symbolizer/unwind_go.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define CODE_BYTES 65536u
#define CODE_BACK 4096u
#define MAX_PROLOGUE 64u /* bytes of a frame's code in which its rbp is stored */
#define MAX_FRAME (1 << 30) /* bytes: Go's stacks end at 1 GB */
#define MAX_NAME 64u /* longer names are none of the runtime's below */
#define MAX_SPECIAL 4096u /* bytes of a function that is looked through for what it does to rsp */

#define MAX_SYSTEM 512u /* bytes of systemstack and asmcgocall */
#define C_DEPTH 40 /* where asmcgocall leaves what leads back */

#define FRAME_RBP (-16) /* where both prologues keep it, relative to the CFA */
#define CONTEXT_OFFSET 40 /* of struct sigcontext in what a signal handler's return leaves at rsp */

static const struct unwind_rule rule_none = { .kind = UNWIND_NONE };
static const struct unwind_rule rule_unsupported = { .kind = UNWIND_UNSUPPORTED };
static const struct unwind_rule rule_stop = { .kind = UNWIND_STOP };
static const struct unwind_rule rule_signal = { .kind = UNWIND_SIGNAL,
						.cfa_offset = CONTEXT_OFFSET };

/* What is special about a function. */
enum role {
	ROLE_NONE,
	ROLE_OUTERMOST, /* nobody called it */
	ROLE_LEAVES, /* once it has written rsp, its stack is another's, and this one begins */
	ROLE_SYSTEM, /* runtime.systemstack: goes to the thread's own stack and comes back */
	ROLE_CALLS_C, /* runtime.asmcgocall: the same */
	ROLE_INTERRUPTS, /* the kernel or a handler of Go's made the call: the caller stood elsewhere */
	ROLE_RETURNS, /* rt_sigreturn */
};

static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{ "_rt0_amd64", ROLE_OUTERMOST },
	{ "_rt0_amd64_linux", ROLE_OUTERMOST },
	{ "runtime.asmcgocall", ROLE_CALLS_C },
	{ "runtime.asyncPreempt", ROLE_INTERRUPTS },
	{ "runtime.cgoSigtramp", ROLE_INTERRUPTS },
	{ "runtime.debugCallV1", ROLE_INTERRUPTS },
	{ "runtime.debugCallV2", ROLE_INTERRUPTS },
	{ "runtime.goexit", ROLE_OUTERMOST },
	{ "runtime.mcall", ROLE_LEAVES },
	{ "runtime.morestack", ROLE_LEAVES },
	{ "runtime.mstart", ROLE_OUTERMOST },
	{ "runtime.rt0_go", ROLE_OUTERMOST },
	{ "runtime.sigpanic", ROLE_INTERRUPTS },
	{ "runtime.sigpanic0", ROLE_INTERRUPTS },
	{ "runtime.sigreturn", ROLE_RETURNS },
	{ "runtime.sigreturn__sigaction", ROLE_RETURNS },
	{ "runtime.sigtramp", ROLE_INTERRUPTS },
	{ "runtime.systemstack", ROLE_SYSTEM },
};

struct unwind_go {
	struct elf_file *file;
	struct go_pclntab *table;
	uint32_t number; /* of the function */
	struct go_function function;
	uint64_t code_start;
	uint32_t code_bytes;
	uint8_t code[CODE_BYTES];
};

/* A function while its rows are made. */
struct frame {
	struct unwind_go *go;
	struct unwind_table *table;
	uint64_t floor, limit; /* of its rows */
	enum role role;
	bool runtime; /* it is one of those that keep rbp while they write rsp */
	uint64_t sp_written; /* behind the first instruction that does; UINT64_MAX: none */
	uint64_t rbp_set; /* where rbp points to this frame from; UINT64_MAX: nowhere */
	int32_t delta; /* of the run before */
	bool rbp_stored;
	int32_t rbp_place; /* relative to the CFA */
};

int unwind_go_open(struct elf_file *f, const struct elf_place *section, struct unwind_go **ret)
{
	struct unwind_go *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->file = f;
	r = go_pclntab_open(f, section, &g->table);
	if (r < 0) {
		free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void unwind_go_free(struct unwind_go *g)
{
	if (g)
		go_pclntab_free(g->table);
	free(g);
}

bool unwind_go_next(struct unwind_go *g, uint64_t vaddr, uint64_t limit, struct elf_range *ret)
{
	uint32_t count = go_pclntab_count(g->table);

	if (g->function.limit <= vaddr && g->number == 0) {
		g->number = go_pclntab_find(g->table, vaddr);
		if (g->number == GO_NONE)
			g->number = 0;
	}
	while (g->function.limit <= vaddr && g->number < count) {
		if (!go_pclntab_function(g->table, g->number, &g->function))
			g->function.limit = 0;
		g->number++;
	}
	if (g->function.limit <= vaddr || g->function.start >= limit)
		return false;
	*ret = (struct elf_range){ g->function.start, g->function.limit };
	return true;
}

/* ---- instructions ---- */

/* The code at an address, and how much of it is at hand: fewer than `len` bytes at the end. */
static const uint8_t *code_at(struct unwind_go *g, uint64_t vaddr, uint32_t len, uint32_t *ret)
{
	const struct elf_range *range;
	uint64_t left;

	if (vaddr < g->code_start || vaddr - g->code_start > g->code_bytes ||
	    len > g->code_bytes - (vaddr - g->code_start)) {
		range = elf_file_code(g->file, vaddr);
		/* A page before, since functions are gone through from their ends to their starts as well. */
		g->code_start = range && vaddr - range->start > CODE_BACK ? vaddr - CODE_BACK
				: range                                   ? range->start
									  : vaddr;
		left = range ? range->limit - g->code_start : 0;
		g->code_bytes = left < CODE_BYTES ? (uint32_t)left : CODE_BYTES;
		if (!range || !elf_file_read_code(g->file, g->code_start, g->code, g->code_bytes)) {
			g->code_start = vaddr;
			g->code_bytes = 0;
		}
	}
	left = g->code_bytes - (vaddr - g->code_start);
	*ret = left < len ? (uint32_t)left : len;
	return g->code + (vaddr - g->code_start);
}

/*
 * Bytes of an instruction with this opcode on rbp and a place at rsp, and that place: `mov %rbp, x(%rsp)`
 * (0x89), `mov x(%rsp), %rbp` (0x8b), `lea x(%rsp), %rbp` (0x8d). 0: it is another.
 */
static uint32_t rbp_at_rsp(const uint8_t *code, uint32_t len, uint8_t opcode, int32_t *ret)
{
	if (len < 4 || code[0] != 0x48 || code[1] != opcode || code[3] != 0x24)
		return 0;
	if (code[2] == 0x2c) {
		*ret = 0;
		return 4;
	}
	if (code[2] == 0x6c && len >= 5) {
		*ret = code[4] < 0x80 ? code[4] : code[4] - 0x100;
		return 5;
	}
	if (code[2] == 0xac && len >= 8) {
		memcpy(ret, code + 4, sizeof(*ret));
		return 8;
	}
	return 0;
}

/* Bytes of an instruction that writes rsp other than by a constant sum, push or pop. 0: it doesn't. */
static uint32_t writes_sp(const uint8_t *code, uint32_t len)
{
	uint8_t mod, reg, rm;

	if (len < 4 || (code[0] & 0xf8) != 0x48)
		return 0;
	mod = code[2] >> 6;
	reg = code[2] >> 3 & 7;
	rm = code[2] & 7;
	if (code[1] == 0x8b && reg == 4 &&
	    !(code[0] & 4)) /* mov …, %rsp: REX.R would make it r12 */
		return 3 + (mod < 3 && rm == 4) + (mod == 1) + (mod == 2) * 4;
	if (code[1] == 0x89 && mod == 3 && rm == 4 && !(code[0] & 1))
		return 3;
	if (code[0] == 0x48 && code[2] == 0xe4) /* and $…, %rsp */
		return code[1] == 0x83 ? 4 : code[1] == 0x81 ? 7 : 0;
	return 0;
}

/* Behind the function's first instruction that writes rsp. */
static uint64_t sp_written_find(struct unwind_go *g, const struct go_function *f)
{
	uint64_t limit = f->limit - f->start < MAX_SPECIAL ? f->limit : f->start + MAX_SPECIAL;

	for (uint64_t at = f->start; at < limit; at++) {
		uint32_t len, bytes;
		const uint8_t *code = code_at(g, at, 8, &len);

		bytes = writes_sp(code, len);
		if (bytes)
			return at + bytes;
	}
	return UINT64_MAX;
}

/* ---- rows ---- */

static int add(struct frame *f, uint64_t from, uint64_t to, const struct unwind_rule *rule)
{
	if (to > f->limit)
		to = f->limit;
	if (from < f->floor)
		from = f->floor;
	return from < to ? unwind_table_add(f->table, from, rule) : 0;
}

/* By rsp; `stored`: rbp is where the prologue stores it, else still where it was. */
static struct unwind_rule rule_by_sp(const struct frame *f, int32_t delta)
{
	struct unwind_rule rule = { .kind = UNWIND_SP, .cfa_offset = delta + 8 };
	uint32_t fp = UNWIND_FP_SAME;

	if (f->rbp_stored && -f->rbp_place <= delta + 8) {
		fp = UNWIND_FP_AT_CFA;
		rule.fp_offset = (int16_t)f->rbp_place;
	} else if (!f->rbp_stored && delta > 0) {
		fp = UNWIND_FP_LOST;
	}
	rule.how = UNWIND_HOW(fp, f->role == ROLE_INTERRUPTS ? UNWIND_INTERRUPTED : 0);
	return rule;
}

static const struct unwind_rule rule_by_rbp = {
	.kind = UNWIND_FP,
	.how = UNWIND_HOW(UNWIND_FP_AT_CFA, UNWIND_OTHER_STACK),
	.fp_offset = FRAME_RBP,
	.cfa_offset = 16,
};

/*
 * The first run with a frame: where in it rbp is stored. Up to there it is the caller's. Returns where its
 * rows go on.
 */
static int prologue(struct frame *f, const struct go_values *v, uint64_t *ret)
{
	struct unwind_rule same = { .kind = UNWIND_SP, .cfa_offset = v->value + 8 };
	uint32_t len, searched, bytes, first;
	const uint8_t *code = code_at(f->go, v->start - 1, MAX_PROLOGUE, &len);
	int32_t place;

	*ret = v->start;
	if (len && code[0] == 0x55 && v->value == f->delta + 8) { /* push %rbp */
		f->rbp_stored = true;
		f->rbp_place = -v->value - 8;
		if (f->rbp_place == FRAME_RBP && len >= 4 &&
		    memcmp(code + 1, "\x48\x89\xe5", 3) == 0)
			f->rbp_set = v->start + 3;
		return 0;
	}
	/* In assembler code other registers may come first. */
	searched = f->go->function.flags & GO_FUNCTION_ASM ? len : 2;
	for (uint32_t i = 1; i < searched && i < len && v->start + i <= v->limit; i++) {
		bytes = rbp_at_rsp(code + i, len - i, 0x89, &place);
		if (!bytes)
			continue;
		f->rbp_stored = true;
		f->rbp_place = place - v->value - 8;
		*ret = v->start - 1 + i + bytes;
		first = rbp_at_rsp(code + i + bytes, len - i - bytes, 0x8d, &place);
		if (first && f->rbp_place == FRAME_RBP && place - v->value - 8 == FRAME_RBP)
			f->rbp_set = *ret + first;
		same.how = UNWIND_HOW(UNWIND_FP_SAME,
				      f->role == ROLE_INTERRUPTS ? UNWIND_INTERRUPTED : 0);
		return add(f, v->start, *ret, &same);
	}
	return 0;
}

/*
 * Where rbp is the caller's again before the frame is gone: the instruction that ends this run takes the
 * frame away, and the one before has loaded rbp. Else the run's end.
 */
static uint64_t epilogue(struct frame *f, const struct go_values *v)
{
	uint8_t code[16] = { 0 };
	uint32_t len, sum, back = sizeof(code);
	const uint8_t *at;
	int32_t place;

	if (v->limit - v->start < back)
		return v->limit;
	at = code_at(f->go, v->limit - back, back, &len);
	if (len < back)
		return v->limit;
	if (memcmp(at + 12, "\x48\x83\xc4", 3) == 0) /* add $…, %rsp */
		sum = 4;
	else if (memcmp(at + 9, "\x48\x81\xc4", 3) == 0)
		sum = 7;
	else
		return v->limit;
	if (rbp_at_rsp(at + back - sum - 5, 5, 0x8b, &place) == 5 ||
	    rbp_at_rsp(at + back - sum - 8, 8, 0x8b, &place) == 8)
		return v->limit - sum;
	return v->limit;
}

/*
 * systemstack without a frame. On its way back it takes the goroutine's sp from where it can be found meanwhile:
 *
 *	mov fs:tls, %rax; mov 48(%rax), %rbx; mov curg(%rbx), %rax; mov %rax, fs:tls; mov 56(%rax), %rsp
 *
 * The two with the thread's g have the offset in them, or take it from `mov $tls, %rcx` in front.
 */
static bool system_find(struct frame *f, struct unwind_rule *ret, uint64_t *ret_end)
{
	static const uint8_t get_m[] = { 0x48, 0x8b, 0x58, UNWIND_GO_M, 0x48, 0x8b, 0x83 };
	static const uint8_t get_sp[] = { 0x48, 0x8b, 0x60, UNWIND_GO_SCHED_SP };
	static const uint8_t tls[] = { 0x64, 0x48, 0x8b, 0x04, 0x25 };
	static const uint8_t tls_rcx[] = { 0x64, 0x48, 0x8b, 0x01 },
			     set_rcx[] = { 0x48, 0xc7, 0xc1 };
	uint32_t len;
	const uint8_t *code = code_at(f->go, f->sp_written, MAX_SYSTEM, &len), *m, *sp;
	int32_t g, curg;

	m = memmem(code, len, get_m, sizeof(get_m));
	if (!m || m - code < 11 || (uint32_t)(m - code) + sizeof(get_m) + sizeof(curg) > len)
		return false;
	memcpy(&curg, m + sizeof(get_m), sizeof(curg));
	if (memcmp(m - 9, tls, sizeof(tls)) == 0)
		memcpy(&g, m - 4, sizeof(g));
	else if (memcmp(m - 4, tls_rcx, sizeof(tls_rcx)) == 0 &&
		 memcmp(m - 11, set_rcx, sizeof(set_rcx)) == 0)
		memcpy(&g, m - 8, sizeof(g));
	else
		return false;
	sp = memmem(m, len - (size_t)(m - code), get_sp, sizeof(get_sp));
	if (!sp || g != (int16_t)g)
		return false;
	*ret = (struct unwind_rule){ .kind = UNWIND_GOROUTINE,
				     .fp_offset = (int16_t)g,
				     .cfa_offset = curg };
	*ret_end = f->sp_written + (uint64_t)(sp - code) + sizeof(get_sp);
	return true;
}

static int system_rows(struct frame *f, const struct go_values *v, uint64_t from)
{
	struct unwind_rule rule, by_sp = rule_by_sp(f, v->value);
	uint64_t end = v->limit, begin = f->sp_written > from ? f->sp_written : from;
	int r = add(f, from, f->sp_written < end ? f->sp_written : end, &by_sp);

	if (r < 0 || begin >= end)
		return r;
	if (!system_find(f, &rule, &end))
		return add(f, begin, v->limit, &rule_unsupported);
	end = end < v->limit ? end : v->limit;
	r = add(f, begin, end, &rule);
	return r == 0 ? add(f, end > from ? end : from, v->limit, &by_sp) : r;
}

/*
 * asmcgocall without a frame. Twice, for a goroutine and without one, it makes room for C (sub $64, %rsp), leaves there
 * what leads back, calls (call *%rax) and goes back (mov %rsi, %rsp). Between the first two nothing leads back.
 */
static int calls_c_rows(struct frame *f, const struct go_values *v, uint64_t from)
{
	static const uint8_t back[] = {
		0x48,   0x8b, 0x7c, 0x24,
		0x30, /* mov 48(%rsp), %rdi */
		0x48,   0x8b, 0x77, UNWIND_GO_STACK_HI, /* mov 8(%rdi), %rsi */
		0x48,   0x2b, 0x74, 0x24,
		C_DEPTH
	}; /* sub 40(%rsp), %rsi */
	struct unwind_rule by_sp = rule_by_sp(f, v->value);
	struct unwind_rule calls = { .kind = UNWIND_GO_CALLS_C, .cfa_offset = C_DEPTH };
	const struct unwind_rule *rule = &by_sp;
	uint64_t done = from;
	uint32_t len;
	const uint8_t *code = code_at(f->go, from, MAX_SYSTEM, &len);
	int r = 0;

	if (!memmem(code, len, back, sizeof(back)))
		calls = rule_unsupported;
	for (uint32_t i = 0; r == 0 && i + 4 <= len && from + i < v->limit; i++) {
		const struct unwind_rule *next = rule;
		uint64_t at = from + i;

		if (rule == &rule_unsupported && memcmp(code + i, "\xff\xd0", 2) == 0)
			next = &calls;
		else if (memcmp(code + i, "\x48\x89\xf4", 3) == 0)
			next = &by_sp, at += 3;
		else if (memcmp(code + i, "\x48\x83\xec\x40", 4) == 0 || writes_sp(code + i, 4))
			next = &rule_unsupported, at += 4;
		if (next == rule)
			continue;
		r = add(f, done, at, rule);
		rule = next;
		done = at;
	}
	return r == 0 ? add(f, done, v->limit, rule) : r;
}

/*
 * [from, v->limit) of a function that writes rsp: it is as it was up to `begin`, and from `end` on.
 */
static int run_writing_sp(struct frame *f, const struct go_values *v, uint64_t from)
{
	struct unwind_rule by_sp = rule_by_sp(f, v->value);
	const struct unwind_rule *rule = f->role == ROLE_LEAVES ? &rule_stop : &rule_unsupported;
	uint64_t begin = f->sp_written, end = v->limit;
	int r;

	if (f->role == ROLE_SYSTEM && f->rbp_set == UINT64_MAX)
		return system_rows(f, v, from);
	if (f->role == ROLE_CALLS_C && f->rbp_set == UINT64_MAX)
		return calls_c_rows(f, v, from);
	if (f->role != ROLE_LEAVES && f->runtime && f->rbp_set != UINT64_MAX) {
		rule = &rule_by_rbp;
		begin = unwind_rule_fp(&by_sp) == UNWIND_FP_AT_CFA ? f->rbp_set : end;
		end = epilogue(f, v);
	}
	begin = begin > end ? end : begin < from ? from : begin;
	r = add(f, from, begin, &by_sp);
	if (r == 0)
		r = add(f, begin, end, rule);
	return r == 0 ? add(f, end, v->limit, &by_sp) : r;
}

static int run(struct frame *f, const struct go_values *v)
{
	struct unwind_rule rule;
	uint64_t from = v->start;
	int r = 0;

	if (v->value < 0 || v->value % 8 || v->value > MAX_FRAME)
		return add(f, from, v->limit, &rule_unsupported);
	if (v->value > 0 && !f->rbp_stored)
		r = prologue(f, v, &from);
	if (r < 0)
		return r;
	f->delta = v->value;
	if (f->sp_written != UINT64_MAX)
		return run_writing_sp(f, v, from);
	rule = rule_by_sp(f, v->value);
	return add(f, from, v->limit, &rule);
}

static enum role role_find(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].role;
	return ROLE_NONE;
}

static void frame_begin(struct frame *f)
{
	const struct go_function *function = &f->go->function;
	char name[MAX_NAME];

	go_pclntab_name(f->go->table, function, name, sizeof(name));
	f->sp_written = f->rbp_set = UINT64_MAX;
	f->role = role_find(name);
	f->runtime = strncmp(name, "runtime.", 8) == 0 || strcmp(name, "time.now") == 0;
	if (function->flags & GO_FUNCTION_WRITES_SP || !function->flags_known)
		f->sp_written = sp_written_find(f->go, function);
	if (function->flags & GO_FUNCTION_WRITES_SP && f->sp_written == UINT64_MAX)
		f->sp_written = function->start; /* in a way that isn't seen */
}

int unwind_go_rows(struct unwind_go *g, uint64_t floor, uint64_t limit, struct unwind_table *t)
{
	struct frame f = { .go = g, .table = t, .floor = floor, .limit = limit };
	uint64_t end = g->function.start;
	struct go_values v;
	int r = 0;

	frame_begin(&f);
	if (f.role == ROLE_OUTERMOST || f.role == ROLE_RETURNS) {
		end = go_pclntab_end(g->table, &g->function);
		r = add(&f, floor, end, f.role == ROLE_RETURNS ? &rule_signal : &rule_stop);
		return r == 0 ? add(&f, end, limit, &rule_none) : r;
	}
	go_values_begin(g->table, &g->function, g->function.frame_values, &v);
	while (r == 0 && go_values_next(&v)) {
		r = run(&f, &v);
		end = v.limit;
	}
	return r == 0 ? add(&f, end, limit, &rule_none) : r;
}
