// SPDX-License-Identifier: Apache-2.0
/*
 * As gdb and eu-stack print stacks, so that eyes and scripts that know those can read it:
 *
 *	PID 4711 sleep
 *	TID 4711 sleep, S (sleeping), stopped for 0.21 ms:
 *	#0  0x00007f4b2a0d9b41 clock_nanosleep+0x61  [libc.so.6]
 *	#1  (inlined)          idle  at /src/sleep.c:12
 *	#1  0x000055d0c7e0b163 main+0x13  [sleep]  at /src/sleep.c:40
 *
 * What was inlined into a frame's function has its number and comes before it, innermost first. An address is where the frame would go on; its name is of the call before, as it may be the last of its function.
 */
#include "profiler/dump/report.h"

#include <inttypes.h>
#include <string.h>

#include "profiler/base/text.h"
#include "version.h"

static const struct {
	char letter;
	const char *words;
} states[] = {
	{ 'R', "running" },         { 'S', "sleeping" }, { 'D', "waiting in the kernel" },
	{ 'T', "stopped" },         { 't', "traced" },   { 'I', "idle" },
	{ 'Z', "ended, a zombie" }, { 'X', "ended" },
};

static const char *state_words(char letter)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (states[i].letter == letter)
			return states[i].words;
	return "?";
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void report_init(struct report *r, bool json, bool verify)
{
	*r = (struct report){ .json = json, .verify = verify };
	buffer_init(&r->out, REPORT_MAX_BYTES);
}

void report_release(struct report *r)
{
	buffer_release(&r->out);
}

/* ---- a frame ---- */

struct named {
	uint64_t ip;
	const char *name; /* "" */
	uint64_t within; /* the function */
	const char *path; /* "" if it is in no file */
	const struct label *label; /* NULL: nothing is known */
	bool mapped;
};

static struct named named(const struct dump_frame *f, const struct target *t,
			  const struct labels *l)
{
	uint64_t addr = f->flags & DUMP_FRAME_EXACT ? f->ip : f->ip - 1;
	const struct unwinder_mapping *m = target_mapping(t, addr);
	struct named n = { .ip = f->ip, .name = "", .path = "", .mapped = m };
	const struct label *label;

	if (!m)
		return n;
	n.path = target_path(t->from, m->file);
	label = labels_find(l, m->file,
			    m->file == UNWINDER_NO_FILE ? addr : m->offset + (addr - m->start));
	n.name = label_name(l, label);
	n.label = label;
	if (label)
		n.within = label->within + (f->ip - addr);
	return n;
}

static void put_escaped(struct buffer *out, const char *s)
{
	text_escape(out, s, strlen(s));
}

/* The line of the function itself; NULL: none is known. */
static const struct label_line *line_of(const struct named *n, const struct labels *l)
{
	const struct label *x = n->label;

	return x && x->line_count ? &l->lines.items[x->first_line + x->line_count - 1] : NULL;
}

static void put_line_text(struct buffer *out, const struct label_line *line, const struct labels *l)
{
	if (!line || !line->file)
		return;
	buffer_text(out, "  at ");
	put_escaped(out, label_text(l, line->file));
	buffer_printf(out, ":%u", line->line);
}

/* What was inlined into frame `number`. */
static void put_inlined_text(struct buffer *out, uint32_t number, const struct named *n,
			     const struct labels *l)
{
	const struct label *x = n->label;

	for (uint32_t i = 0; x && i + 1 < x->line_count; i++) {
		const struct label_line *line = &l->lines.items[x->first_line + i];

		buffer_printf(out, "#%-2u %-18s ", number, "(inlined)");
		put_escaped(out, line->name ? label_text(l, line->name) : "??");
		put_line_text(out, line, l);
		buffer_text(out, "\n");
	}
}

static void put_frame_text(struct buffer *out, const struct named *n, const struct dump_frame *f,
			   const struct labels *l)
{
	buffer_printf(out, "0x%016" PRIx64 " ", n->ip);
	if (*n->name) {
		put_escaped(out, n->name);
		if (n->label->placed)
			buffer_printf(out, "+0x%" PRIx64, n->within);
	} else {
		buffer_text(out, "??");
	}
	buffer_text(out, "  [");
	put_escaped(out,
		    *n->path ? base_name(n->path) : (n->mapped ? "anonymous memory" : "unknown"));
	buffer_text(out, "]");
	if (f->flags & DUMP_FRAME_GUESSED)
		buffer_text(out, " by frame pointer");
	if (f->flags & DUMP_FRAME_ROWS)
		buffer_text(out, " by rows");
	put_line_text(out, line_of(n, l), l);
	buffer_text(out, "\n");
}

/* ", "source": …, "line": …". */
static void put_line_json(struct buffer *out, const struct label_line *line, const struct labels *l)
{
	const char *file = line ? label_text(l, line->file) : "";

	if (!*file)
		return;
	buffer_text(out, ", \"source\": ");
	text_json(out, file, strlen(file));
	buffer_printf(out, ", \"line\": %u", line->line);
}

static void put_inlined_json(struct buffer *out, const struct label *x, const struct labels *l)
{
	buffer_text(out, ", \"inlined\": [");
	for (uint32_t i = 0; i + 1 < x->line_count; i++) {
		const struct label_line *line = &l->lines.items[x->first_line + i];
		const char *name = label_text(l, line->name);

		buffer_printf(out, "%s{\"function\": ", i ? ", " : "");
		text_json(out, name, strlen(name));
		put_line_json(out, line, l);
		buffer_text(out, "}");
	}
	buffer_text(out, "]");
}

static void put_frame_json(struct buffer *out, const struct named *n, const struct dump_frame *f,
			   const struct labels *l)
{
	buffer_printf(out, "{\"address\": \"0x%" PRIx64 "\", \"sp\": \"0x%" PRIx64 "\"", n->ip,
		      f->sp);
	if (*n->name) {
		buffer_text(out, ", \"function\": ");
		text_json(out, n->name, strlen(n->name));
		if (n->label->placed)
			buffer_printf(out, ", \"offset\": %" PRIu64, n->within);
	}
	put_line_json(out, line_of(n, l), l);
	if (n->label && n->label->line_count > 1)
		put_inlined_json(out, n->label, l);
	if (*n->path) {
		buffer_text(out, ", \"file\": ");
		text_json(out, n->path, strlen(n->path));
	}
	if (f->flags & DUMP_FRAME_GUESSED)
		buffer_text(out, ", \"guessed\": true");
	if (f->flags & DUMP_FRAME_ROWS)
		buffer_text(out, ", \"by_rows\": true");
	buffer_text(out, "}");
}

/* ---- text ---- */

static void put_stack_text(struct buffer *out, const struct stacks *s, const struct stack *stack,
			   const struct target *t, const struct labels *l)
{
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct dump_frame *f = &s->frames.items[stack->first + i];
		struct named n = named(f, t, l);

		put_inlined_text(out, i, &n, l);
		buffer_printf(out, "#%-2u ", i);
		put_frame_text(out, &n, f, l);
	}
	if (stack->end != DUMP_END_BOTTOM)
		buffer_printf(out, "    the stack ends here: %s\n", dump_end_text(stack->end));
}

static void put_side(struct buffer *out, const char *whose, uint32_t number, const struct stacks *s,
		     const struct stack *stack, const struct target *t, const struct labels *l)
{
	buffer_printf(out, "    #%-2u by %-9s ", number, whose);
	if (number < stack->count) {
		const struct dump_frame *f = &s->frames.items[stack->first + number];
		struct named n = named(f, t, l);

		buffer_printf(out, "sp 0x%" PRIx64 " ", f->sp);
		put_frame_text(out, &n, f, l);
	} else {
		buffer_printf(out, "none: %s\n", dump_end_text(stack->end));
	}
}

static void put_differences_text(struct buffer *out, const struct stacks *s,
				 const struct thread_stacks *x, const struct target *t,
				 const struct labels *l)
{
	uint32_t most = x->theirs.count > x->ours.count ? x->theirs.count : x->ours.count;

	for (uint32_t i = 0; i < most; i++) {
		const struct dump_frame *a = &s->frames.items[x->theirs.first + i];
		const struct dump_frame *b = &s->frames.items[x->ours.first + i];

		if (i < x->theirs.count && i < x->ours.count && a->ip == b->ip && a->sp == b->sp)
			continue;
		put_side(out, "libunwind", i, s, &x->theirs, t, l);
		put_side(out, "our rows", i, s, &x->ours, t, l);
		if (i >= x->theirs.count || i >= x->ours.count)
			break; /* the rest is only the other's */
	}
}

static void put_comparison_text(struct buffer *out, const struct comparison *c,
				const struct stacks *s, const struct thread_stacks *x,
				const struct target *t, const struct labels *l)
{
	switch (c->agreement) {
	case AGREEMENT_SAME:
		buffer_printf(out, "    our rows: the same %u frame%s\n", x->ours.count,
			      x->ours.count == 1 ? "" : "s");
		break;
	case AGREEMENT_UNFINISHED:
		buffer_printf(
			out,
			"    unfinished: libunwind's %u frames end by \"%s\", our rows' %u by "
			"\"%s\"; none differs\n",
			x->theirs.count, dump_end_text(x->theirs.end), x->ours.count,
			dump_end_text(x->ours.end));
		break;
	case AGREEMENT_DIFFERS:
		buffer_printf(out, "    our rows DIFFER in %u frame%s, from #%u on:\n", c->differ,
			      c->differ == 1 ? "" : "s", c->first);
		put_differences_text(out, s, x, t, l);
		break;
	}
}

static void put_thread_text(struct report *r, const struct stacks *s, const struct thread_stacks *x,
			    const struct comparison *c, const struct target *t,
			    const struct labels *l)
{
	struct buffer *out = &r->out;

	buffer_printf(out, "TID %u ", x->tid);
	put_escaped(out, x->status.comm);
	if (x->status.state)
		buffer_printf(out, ", %c (%s)", x->status.state, state_words(x->status.state));
	if (x->walked && x->stopped_ns)
		buffer_printf(out, ", stopped for %.2f ms:\n", (double)x->stopped_ns / 1e6);
	else if (x->walked) /* the tracer failed */
		buffer_text(out, ", stopped for an unknown time:\n");
	else
		buffer_text(out, ": no stack\n");
	if (*x->why.text) {
		buffer_text(out, "    ");
		put_escaped(out, x->why.text);
		buffer_text(out, "\n");
	}
	if (x->walked)
		put_stack_text(out, s, &x->theirs, t, l);
	if (x->walked && r->verify)
		put_comparison_text(out, c, s, x, t, l);
}

/* ---- JSON ---- */

static void put_stack_json(struct buffer *out, const char *key, const struct stacks *s,
			   const struct stack *stack, const struct target *t,
			   const struct labels *l)
{
	buffer_printf(out, ",\n\t\t\t \"%s\": {\"end\": \"%s\", \"whole\": %s, \"frames\": [", key,
		      dump_end_text(stack->end), stack->end == DUMP_END_BOTTOM ? "true" : "false");
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct dump_frame *f = &s->frames.items[stack->first + i];
		struct named n = named(f, t, l);

		buffer_text(out, i ? ",\n\t\t\t\t" : "\n\t\t\t\t");
		put_frame_json(out, &n, f, l);
	}
	buffer_text(out, "]}");
}

static void put_thread_json(struct report *r, const struct stacks *s, const struct thread_stacks *x,
			    const struct comparison *c, const struct target *t,
			    const struct labels *l)
{
	static const char *const words[] = {
		[AGREEMENT_SAME] = "same",
		[AGREEMENT_UNFINISHED] = "unfinished",
		[AGREEMENT_DIFFERS] = "differs",
	};
	struct buffer *out = &r->out;

	buffer_printf(out, "%s\n\t\t\t{\"tid\": %u, \"name\": ", r->threads_shown ? "," : "",
		      x->tid);
	text_json(out, x->status.comm, strlen(x->status.comm));
	if (x->status.state)
		buffer_printf(out, ", \"state\": \"%c\"", x->status.state);
	if (*x->why.text) {
		buffer_text(out, ", \"error\": ");
		text_json(out, x->why.text, strlen(x->why.text));
	}
	if (x->walked) {
		buffer_printf(out, ", \"stopped_ns\": %" PRIu64, x->stopped_ns);
		put_stack_json(out, "stack", s, &x->theirs, t, l);
	}
	if (x->walked && r->verify) {
		put_stack_json(out, "rows", s, &x->ours, t, l);
		buffer_printf(out, ",\n\t\t\t \"agreement\": \"%s\", \"differ\": %u",
			      words[c->agreement], c->differ);
	}
	buffer_text(out, "}");
}

/* ---- both ---- */

void report_begin(struct report *r)
{
	if (!r->json)
		return;
	buffer_text(&r->out, "{\n\t\"version\": ");
	text_json(&r->out, SLOWBURN_VERSION, strlen(SLOWBURN_VERSION));
	buffer_text(&r->out, ",\n\t\"processes\": [");
}

void report_process(struct report *r, uint32_t pid, const char *comm)
{
	struct buffer *out = &r->out;

	if (r->json) {
		buffer_printf(out, "%s\n\t\t{\"pid\": %u, \"name\": ", r->processes ? "," : "",
			      pid);
		text_json(out, comm, strlen(comm));
		buffer_text(out, ", \"threads\": [");
	} else {
		buffer_printf(out, "%sPID %u ", r->processes ? "\n" : "", pid);
		put_escaped(out, comm);
		buffer_text(out, "\n");
	}
	r->processes++;
	r->threads_shown = 0;
}

void report_threads(struct report *r, const struct stacks *s, const struct target *t,
		    const struct labels *l)
{
	for (uint32_t i = 0; i < s->threads.count; i++) {
		const struct thread_stacks *x = &s->threads.items[i];
		struct comparison c = { 0 };

		if (x->walked && r->verify)
			c = stacks_compare(s, &x->theirs, &x->ours);
		if (r->json)
			put_thread_json(r, s, x, &c, t, l);
		else
			put_thread_text(r, s, x, &c, t, l);
		r->threads_shown++;
		r->threads += x->walked;
		r->failed += !x->walked;
		r->frames += x->theirs.count;
		r->differ += c.differ;
		r->unfinished += x->walked && c.agreement == AGREEMENT_UNFINISHED;
	}
}

void report_process_end(struct report *r, const struct err *why)
{
	r->failed += why != NULL;
	if (!r->json)
		return;
	buffer_text(&r->out, r->threads_shown ? "\n\t\t]" : "]");
	if (why) {
		buffer_text(&r->out, ", \"error\": ");
		text_json(&r->out, why->text, strlen(why->text));
	}
	buffer_text(&r->out, "}");
}

void report_end(struct report *r)
{
	struct buffer *out = &r->out;

	if (r->json) {
		buffer_printf(out, "\n\t],\n\t\"threads\": %u,\n\t\"frames\": %u", r->threads,
			      r->frames);
		if (r->verify)
			buffer_printf(out, ",\n\t\"differ\": %u,\n\t\"unfinished\": %u", r->differ,
				      r->unfinished);
		buffer_text(out, "\n}\n");
	} else if (r->verify) {
		buffer_printf(out, "%s%u thread%s, %u frames, %u differ", r->threads ? "\n" : "",
			      r->threads, r->threads == 1 ? "" : "s", r->frames, r->differ);
		if (r->unfinished)
			buffer_printf(out, "; %u stack%s unfinished", r->unfinished,
				      r->unfinished == 1 ? " is" : "s are");
		buffer_text(out, "\n");
	}
}
