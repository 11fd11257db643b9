// SPDX-License-Identifier: Apache-2.0
/*
 * A region is what can be reached from one instruction without call or return. Its states are found going
 * forward, in terms of its start (code_state.h); then its exits say what the CFA and the caller's rbp
 * are in these terms; then each of its instructions gets a rule. An exit is a ret, a jump out of the piece or to
 * where a function begins, and also an instruction that has a rule already: what is reached by a
 * jump table only, begins somewhere in the middle, and ends in what is known.
 *
 * Functions of symbols come first, then what is called, then what is left, by address.
 *
 * Refused: to follow jump tables (what they lead to ends in a ret as well), and a search for where functions
 * begin (nothing depends on it but calls that don't return).
 */
#include "symbolizer/code_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/code_frame.h"
#include "symbolizer/code_returns.h"
#include "symbolizer/code_state.h"

#define NO_PLACE UINT32_MAX
#define REGION_STEPS 4u /* what a region costs beside its instructions */
#define ARGUMENTS 0x03c7u /* registers: rax, rcx, rdx, rsi, rdi, r8, r9 */
#define SIGRETURN 15 /* system calls */
#define CLONE 56
#define CLONE3 435
#define SIGNAL_CONTEXT \
	40 /* of a signal frame, from rsp when its handler has returned: in ucontext */

enum progress { FRESH, TOLD, REFUSED };

enum trust {
	TRUST_NONE,
	TRUST_CALLED, /* somebody calls it, or has its address; nothing else leads there */
	TRUST_SYMBOL, /* the file says that a function begins there */
	TRUST_PROGRAM, /* the first function of a program: it has no caller */
};

struct place {
	uint32_t insn;
	bool waits; /* to be followed (again) */
	uint8_t says; /* if it is doubtful: SAYS_… */
	struct code_state state;
};

struct region {
	uint32_t start;
	enum trust trust;
	bool refused, has_exit;
	ARRAY(struct place) places;
	ARRAY(uint32_t) waiting;
	struct code_frame frame; /* what the exits say */
};

struct solver {
	const struct code_piece *piece;
	struct code_insns *code;
	struct code_insn *insns; /* its */
	uint32_t count;
	struct unwind_rule *rules;
	uint8_t *progress;
	uint8_t *says; /* each instruction's way on: SAYS_… */
	uint32_t at; /* the instruction looked at */
	uint32_t *place_of; /* each instruction's in the region, or NO_PLACE */
	uint64_t steps, max_steps;
	uint32_t told;
	struct region region;
	bool no_memory;
};

/* What is done on the way along a region's instructions. */
enum walk { WALK_SPREAD, WALK_EXITS, WALK_DOUBTS, WALK_RULES };

/*
 * Behind the last call of a function that throws or aborts is another function. So what is behind a call of
 * which nobody knows whether it returns is believed only if it leads to what is known anyway.
 */
enum { SAYS_SAME = 1, SAYS_OTHER = 2 };

struct code_view {
	struct region *region;
	const struct code_state *state;
};

static const struct unwind_rule none = { .kind = UNWIND_NONE };

/* ---- system calls that are not like others */

static bool sets_number(const struct code_insn *i, int32_t number)
{
	return i->op == CODE_CONSTANT && i->to == CODE_RAX && i->value == number;
}

/*
 * What a signal handler returns to: gdb, too, knows it by these two instructions. Its address less one is
 * looked up, so that the padding before it counts as well.
 */
static void restorers_find(struct solver *s)
{
	struct unwind_rule rule = { .kind = UNWIND_SIGNAL, .cfa_offset = SIGNAL_CONTEXT };

	for (uint32_t n = 0; n + 1 < s->count; n++) {
		uint32_t first = n && s->insns[n - 1].flags & CODE_PADDING ? n - 1 : n;

		if (!sets_number(&s->insns[n], SIGRETURN) || s->insns[n + 1].op != CODE_SYSCALL)
			continue;
		for (uint32_t k = first; k <= n + 1; k++) {
			s->rules[k] = rule;
			s->progress[k] = TOLD;
			s->told++;
		}
	}
}

/*
 * clone() returns on two stacks. Its number is known, or what comes out of a system call is looked at
 * at once, as nobody else does.
 */
static bool is_fork(const struct solver *s, uint32_t n, const struct code_state *state)
{
	struct code_value number = state->registers[CODE_RAX];
	const struct code_insn *next = n + 1 < s->count ? &s->insns[n + 1] : NULL;

	if (s->insns[n].op != CODE_SYSCALL)
		return false;
	if (number.base == CODE_NUMBER)
		return number.offset == CLONE || number.offset == CLONE3;
	return next && next->op == CODE_TEST_RAX;
}

static struct unwind_rule rule_for(const struct region *g, const struct code_state *s)
{
	const struct code_value *fp = &s->registers[CODE_FP];
	struct unwind_rule rule;

	if (g->trust == TRUST_PROGRAM)
		return (struct unwind_rule){ .kind = UNWIND_STOP };
	/* A new thread's first function: it has no caller, and says so as the ABI has it. */
	if (s->child && fp->base == CODE_NUMBER && fp->offset == 0)
		return (struct unwind_rule){ .kind = UNWIND_STOP };
	return !s->child && !s->forked && code_frame_rule(&g->frame, s, &rule) ? rule : none;
}

enum code_opinion code_view_compare(const struct code_view *view, const struct unwind_rule *other)
{
	return code_frame_compare(&view->region->frame, view->state, other);
}

/* ---- exits */

static void exit_note(struct solver *s, const struct code_state *state, struct code_value cfa,
		      struct code_value fp, enum walk walk)
{
	struct region *g = &s->region;

	if (state->doubtful) {
		s->says[s->at] |= code_value_equal(g->frame.cfa, cfa) &&
						  code_value_equal(g->frame.fp, fp)
					  ? SAYS_SAME
					  : SAYS_OTHER;
		return;
	}
	if (walk != WALK_EXITS)
		return;
	if (!g->has_exit) {
		g->has_exit = true;
		g->frame.cfa = cfa;
		g->frame.fp = fp;
		return;
	}
	if (!code_value_equal(g->frame.cfa, cfa))
		g->refused = true;
	if (!code_value_equal(g->frame.fp, fp))
		g->frame.fp = (struct code_value){ 0 };
}

static void exit_returns(struct solver *s, const struct code_state *state, enum walk walk)
{
	if (walk != WALK_SPREAD && !state->child)
		exit_note(s, state, code_value_add(state->registers[CODE_SP], 8),
			  state->registers[CODE_FP], walk);
}

/* Before an instruction that has a rule. */
static void exit_by_rule(struct solver *s, const struct code_state *state,
			 const struct unwind_rule *rule, enum walk walk)
{
	struct code_value cfa, fp;

	if (walk != WALK_SPREAD && !state->child && !state->forked &&
	    code_frame_values(&s->region.frame, state, rule, &cfa, &fp))
		exit_note(s, state, cfa, fp, walk);
}

/* Jumps through a word of data are calls from the end of a function, but for those of lazy binding. */
static void exit_by_stub(struct solver *s, const struct code_state *state, enum walk walk)
{
	struct code_value sp = state->registers[CODE_SP];

	if (sp.base == CODE_START_SP && sp.offset == 0)
		exit_returns(s, state, walk);
}

/*
 * A jump table or a call from the end of a function: they tell nothing. But who has taken off more than there was
 * when the function began, began with more: what lazy binding goes through.
 */
static void exit_anywhere(struct solver *s, const struct code_state *state)
{
	struct code_value sp = state->registers[CODE_SP];

	if (!state->doubtful && !state->child && s->region.trust != TRUST_NONE &&
	    sp.base == CODE_START_SP && sp.offset > 0)
		s->region.refused = true;
}

/* ---- walking */

static struct place *place_new(struct solver *s, uint32_t n)
{
	struct region *g = &s->region;
	struct place *p = array_push(&g->places, CODE_MAX_PLACES);

	if (!p) {
		g->refused = true;
		return NULL;
	}
	s->place_of[n] = g->places.count - 1;
	p->insn = n;
	p->waits = false;
	p->says = 0;
	return p;
}

static void wait(struct solver *s, struct place *p)
{
	struct region *g = &s->region;
	uint32_t *slot = p->waits ? NULL : array_push(&g->waiting, CODE_MAX_PLACES);

	if (slot)
		*slot = (uint32_t)(p - g->places.items);
	else if (!p->waits)
		g->refused = true;
	p->waits = true;
}

/* Where ways meet: what is true of both. One that is doubtful gives way. */
static void join(struct solver *s, struct place *p, const struct code_state *state)
{
	int r = code_state_join(&p->state, state);

	if (r < 0 && state->doubtful)
		return;
	if (r < 0 && p->state.doubtful)
		p->state = *state;
	else if (r < 0)
		s->region.refused = true;
	if (r)
		wait(s, p);
}

/* The way arrives where ways meet. */
static void meet(struct solver *s, uint32_t n, const struct code_state *state, enum walk walk)
{
	uint32_t number = s->place_of[n];
	struct place *p = number == NO_PLACE ? place_new(s, n) : &s->region.places.items[number];

	if (!p)
		return;
	if (number == NO_PLACE) {
		p->state = *state;
		wait(s, p);
	} else if (walk == WALK_SPREAD) {
		join(s, p, state);
	} else if (state->doubtful) {
		s->says[s->at] |=
			!code_value_equal(p->state.registers[CODE_SP], state->registers[CODE_SP])
				? SAYS_OTHER
			: p->state.doubtful ? p->says
					    : SAYS_SAME;
	}
}

/* By a jump, or by what precedes, n is reached: true if the way goes on there, within the region. */
static bool arrive(struct solver *s, uint32_t n, const struct code_state *state, enum walk walk)
{
	if (s->place_of[n] != NO_PLACE)
		return true;
	if (s->progress[n] == TOLD)
		exit_by_rule(s, state, &s->rules[n], walk);
	else if (s->insns[n].flags & CODE_SYMBOL)
		exit_returns(s, state, walk);
	else
		return true;
	return false;
}

static void go(struct solver *s, uint32_t target, const struct code_state *state, enum walk walk)
{
	if (target == CODE_OUTSIDE) {
		if (!s->piece->cut_start && !s->piece->cut_end)
			exit_returns(s, state, walk);
	} else if (target == CODE_MIDDLE) {
		return; /* as deep as it is here, which says nothing */
	} else if (target >= s->count) {
		s->region.refused |= !state->doubtful;
	} else if (arrive(s, target, state, walk)) {
		meet(s, target, state, walk);
	}
}

/* Both ways of a branch; behind clone() each is another stack's. */
static void branch(struct solver *s, const struct code_insn *i, struct code_state *state,
		   enum walk walk)
{
	struct code_state there = *state;

	if (state->forked && i->flags & (CODE_IF_ZERO | CODE_UNLESS_ZERO)) {
		there.forked = false;
		there.child |= (i->flags & CODE_IF_ZERO) != 0;
		state->forked = false;
		state->child |= (i->flags & CODE_UNLESS_ZERO) != 0;
	}
	go(s, i->target, &there, walk);
}

/* Behind instruction n: true if the way goes on with the next. */
static bool flow(struct solver *s, uint32_t n, struct code_state *state, enum walk walk)
{
	const struct code_insn *i = &s->insns[n];

	switch (i->flow) {
	case CODE_NEXT:
		return true;
	case CODE_BRANCH:
		branch(s, i, state, walk);
		return true;
	case CODE_CALL:
		s->region.refused |= i->target == CODE_NOWHERE && !state->doubtful;
		state->doubtful |= !code_call_surely_returns(s->code, i);
		return code_call_returns(s->code, n);
	case CODE_JUMP:
		go(s, i->target, state, walk);
		return false;
	case CODE_RETURN:
		exit_returns(s, state, walk);
		return false;
	case CODE_JUMP_ANYWHERE:
		exit_anywhere(s, state);
		return false;
	case CODE_JUMP_STUB:
		exit_by_stub(s, state, walk);
		return false;
	case CODE_BAD:
		s->region.refused |= !state->doubtful;
		return false;
	}
	return false;
}

static void tell(struct solver *s, uint32_t n, const struct code_state *state)
{
	s->rules[n] = rule_for(&s->region, state);
	s->told += s->rules[n].kind != UNWIND_NONE;
	s->progress[n] = TOLD;
	if (s->piece->witness) {
		struct code_view view = { &s->region, state };

		s->piece->witness(s->piece->who, s->piece->vaddr + s->insns[n].at, &s->rules[n],
				  &view);
	}
}

/* What is said of the doubtful instructions from..to that were gone along; without rules if need be. */
static uint8_t doubts_settle(struct solver *s, uint32_t from, uint32_t to, enum walk walk)
{
	uint8_t says = 0;

	for (uint32_t n = to + 1; n-- > from;) {
		says |= s->says[n];
		if (walk != WALK_RULES || says == SAYS_SAME)
			continue;
		s->told -= s->rules[n].kind != UNWIND_NONE;
		s->rules[n] = none;
		s->progress[n] = FRESH;
	}
	return says;
}

static void look(struct solver *s, uint32_t n, const struct code_state *state, enum walk walk)
{
	s->at = n;
	s->says[n] = 0;
	s->steps++;
	if (walk == WALK_RULES)
		tell(s, n, state);
	else if (s->progress[n] == FRESH && !state->doubtful)
		s->progress[n] = REFUSED; /* until it is told */
}

/* From a place to where the way ends, or meets another. Says what is said there. */
static uint8_t walk_from(struct solver *s, uint32_t number, enum walk walk)
{
	struct region *g = &s->region;
	struct code_state state = g->places.items[number].state;
	uint32_t n = g->places.items[number].insn, doubtful_from = UINT32_MAX;

	for (;;) {
		bool fork = is_fork(s, n, &state);

		if (state.doubtful && doubtful_from == UINT32_MAX)
			doubtful_from = n;
		look(s, n, &state, walk);
		code_state_step(&state, &g->frame.bases, &s->insns[n], n, fork);
		if (!flow(s, n, &state, walk) || g->refused)
			break;
		if (++n == s->count) {
			g->refused |= !s->piece->cut_end && !state.doubtful;
			break;
		}
		if (!arrive(s, n, &state, walk))
			break;
		if (s->insns[n].flags & CODE_TARGET || s->place_of[n] != NO_PLACE) {
			meet(s, n, &state, walk);
			break;
		}
	}
	return doubtful_from == UINT32_MAX || walk < WALK_DOUBTS
		       ? 0
		       : doubts_settle(s, doubtful_from, s->at, walk);
}

static void region_spread(struct solver *s)
{
	struct region *g = &s->region;
	struct code_state *start;
	struct place *p;

	g->places.count = 0;
	g->waiting.count = 0;
	code_bases_init(&g->frame.bases);
	p = place_new(s, g->start);
	if (!p)
		return;
	start = &p->state;
	code_state_init(start);
	wait(s, p);
	while (g->waiting.count && !g->refused) {
		uint32_t number = g->waiting.items[--g->waiting.count];

		g->places.items[number].waits = false;
		walk_from(s, number, WALK_SPREAD);
		if (s->steps > s->max_steps)
			g->refused = true;
	}
}

/*
 * Is the way out on a stack that one of a function's arguments points to? Then this goes to another stack, as switches
 * between coroutines do: for what is before that it would be the wrong one. (Others may have kept rsp in a register
 * for a function that only a jump table gets into the middle of.)
 */
static bool is_argument(struct code_value cfa)
{
	return cfa.base >= CODE_START && cfa.base < CODE_START + CODE_REGISTERS &&
	       ARGUMENTS >> (cfa.base - CODE_START) & 1;
}

/* What the exits say, and what is known of the start: do they agree? */
static void region_judge(struct region *g)
{
	struct code_value cfa = { 8, CODE_START_SP }, fp = { 0, CODE_START_FP };

	if (g->trust == TRUST_PROGRAM)
		return;
	if (!g->has_exit) {
		g->refused |= g->trust == TRUST_NONE;
		g->frame.cfa = cfa;
		g->frame.fp = fp;
	}
	if (g->trust != TRUST_NONE)
		g->refused |= !code_value_equal(g->frame.cfa, cfa);
	if (g->trust == TRUST_SYMBOL)
		g->frame.fp = fp;
	if (is_argument(g->frame.cfa) || !code_bases_is_sound(&g->frame.bases, g->frame.cfa) ||
	    code_bases_is_written(&g->frame.bases, code_value_add(g->frame.cfa, -8)))
		g->refused = true;
	if (!code_bases_is_sound(&g->frame.bases, g->frame.fp))
		g->frame.fp = (struct code_value){ 0 };
}

static bool region_walk(struct solver *s, enum walk walk)
{
	struct region *g = &s->region;
	bool changed = false;

	for (uint32_t i = 0; i < g->places.count && !g->refused; i++) {
		struct place *p = &g->places.items[i];
		uint8_t says = p->says | walk_from(s, i, walk);

		changed |= says != p->says;
		p->says = says;
		g->refused |= s->steps > s->max_steps;
	}
	return changed;
}

static void region_solve(struct solver *s, uint32_t start, enum trust trust)
{
	struct region *g = &s->region;

	s->steps += REGION_STEPS;
	g->start = start;
	g->trust = trust;
	g->refused = false;
	g->has_exit = false;
	region_spread(s);
	region_walk(s, WALK_EXITS);
	if (!g->refused)
		region_judge(g);
	while (!g->refused && region_walk(s, WALK_DOUBTS))
		;
	if (!g->refused)
		region_walk(s, WALK_RULES);
	if (s->progress[start] == FRESH)
		s->progress[start] = REFUSED;
	for (uint32_t i = 0; i < g->places.count; i++)
		s->place_of[g->places.items[i].insn] = NO_PLACE;
}

/* Does a way lead from the instruction before to this one? */
static bool is_fallen_into(const struct solver *s, uint32_t n)
{
	while (n > 0 && s->insns[n - 1].flags & CODE_PADDING)
		n--;
	if (n == 0)
		return s->piece->cut_start;
	return s->insns[n - 1].flow == CODE_NEXT || s->insns[n - 1].flow == CODE_BRANCH;
}

/* It says that it has no caller as the ABI has it: by a zero in rbp. Libraries have an entry address, too. */
static bool is_program_start(const struct solver *s, uint32_t n)
{
	const struct code_insn *i = &s->insns[n];

	if (s->piece->vaddr + i->at != s->piece->program_start || n + 1 == s->count)
		return false;
	for (uint32_t k = 0; k < 2; k++) { /* behind an endbr64 */
		if (i[k].op == CODE_CONSTANT && i[k].to == CODE_FP && i[k].value == 0)
			return true;
	}
	return false;
}

static enum trust trust_of(const struct solver *s, uint32_t n)
{
	const struct code_insn *i = &s->insns[n];

	if (is_program_start(s, n))
		return TRUST_PROGRAM;
	if (i->flags & CODE_SYMBOL)
		return TRUST_SYMBOL;
	if (i->flags & CODE_CALLED && !(i->flags & CODE_TARGET) && !is_fallen_into(s, n))
		return TRUST_CALLED;
	return TRUST_NONE;
}

/* Nothing is known of where a trap leads; padding is of such. */
static bool may_begin(const struct code_insn *i)
{
	return !(i->flags & CODE_PADDING) && (i->flags & CODE_SYMBOL || i->flow < CODE_TRAP);
}

static void solve(struct solver *s)
{
	for (int least = TRUST_PROGRAM; least >= TRUST_NONE; least--) {
		for (uint32_t n = 0; n < s->count && s->steps <= s->max_steps; n++) {
			if (s->progress[n] == FRESH && may_begin(&s->insns[n]) &&
			    (least == TRUST_NONE || (int)trust_of(s, n) == least))
				region_solve(s, n, (enum trust)least);
		}
	}
}

static int solver_run(struct solver *s, struct code_rules *x)
{
	s->rules = calloc(s->count ? s->count : 1, sizeof(*s->rules));
	s->progress = calloc(s->count ? s->count : 1, sizeof(*s->progress));
	s->says = calloc(s->count ? s->count : 1, sizeof(*s->says));
	s->place_of = malloc((s->count ? s->count : 1) * sizeof(*s->place_of));
	x->rules = s->rules;
	if (!s->rules || !s->progress || !s->says || !s->place_of)
		return -ENOMEM;
	memset(s->place_of, 0xff, s->count * sizeof(*s->place_of));
	s->max_steps = (uint64_t)s->count * CODE_MAX_STEPS_EACH;
	if (s->piece->max_steps && s->piece->max_steps < s->max_steps)
		s->max_steps = s->piece->max_steps;
	code_returns_find(s->code);
	restorers_find(s);
	solve(s);
	x->told = s->told;
	x->steps += s->steps;
	x->too_large = x->insns.too_large || s->steps > s->max_steps;
	return 0;
}

/* Most gaps are. */
static bool is_padding(const struct code_insns *x)
{
	for (uint32_t i = 0; i < x->list.count; i++) {
		const struct code_insn *insn = &x->list.items[i];

		if (!(insn->flags & CODE_PADDING) && insn->flow != CODE_TRAP &&
		    insn->flow != CODE_BAD)
			return false;
	}
	return true;
}

/*
 * Haskell's code has its stack in rbp, returns by "jmp *(%rbp)", and what is at rsp is none of its business. C's
 * rbp points to the caller's.
 */
static bool is_haskell(const struct code_insns *x)
{
	uint32_t jumps = 0, returns = 0;

	for (uint32_t i = 0; i < x->list.count; i++) {
		jumps += (x->list.items[i].flags & CODE_BY_FP) != 0;
		returns += x->list.items[i].flow == CODE_RETURN;
	}
	return jumps > returns;
}

int code_rules_find(const struct code_piece *piece, struct code_rules *ret)
{
	struct solver *s;
	int r;

	*ret = (struct code_rules){ 0 };
	r = code_sweep(piece, &ret->insns);
	if (r < 0)
		return r;
	ret->too_large = ret->insns.too_large;
	ret->steps = ret->insns.list.count;
	if (is_padding(&ret->insns) || is_haskell(&ret->insns))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->piece = piece;
	s->code = &ret->insns;
	s->insns = ret->insns.list.items;
	s->count = ret->insns.list.count;
	r = solver_run(s, ret);
	array_release(&s->region.places);
	array_release(&s->region.waiting);
	free(s->progress);
	free(s->says);
	free(s->place_of);
	free(s);
	return r;
}

void code_rules_release(struct code_rules *x)
{
	code_insns_release(&x->insns);
	free(x->rules);
	x->rules = NULL;
}
