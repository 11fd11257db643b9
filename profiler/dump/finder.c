// SPDX-License-Identifier: Apache-2.0
/*
 * Symbols name the function that an address is in, DWARF what was inlined there; each is sought in the file, then in
 * its debug file, which is looked for only if something is missing. Lines are asked for until all are there: a reply has only
 * so much room.
 */
#include "profiler/dump/finder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/line_frames.h"
#include "profiler/base/cleanup.h"

#define MAX_NAME_BYTES (64u << 20)

/* Of one address. */
struct asked {
	uint64_t vaddr; /* UINT64_MAX: in no segment */
	uint64_t offset; /* the same; if it was asked for by that */
	uint32_t order; /* as it was asked for */
	uint32_t name, system_name; /* in names; 0: none */
	uint64_t within; /* the function, if it has a name */
};

/* ---- sources ---- */

__attribute__((format(printf, 3, 4))) static void origin_add(struct finder *f, const char *what,
							     const char *fmt, ...)
{
	struct origin *o;
	va_list args;

	if (f->origin_count == FINDER_MAX_ORIGINS)
		return;
	o = &f->origins[f->origin_count++];
	o->what = what;
	va_start(args, fmt);
	vsnprintf(o->result, sizeof(o->result), fmt, args);
	va_end(args);
}

static const char *symbols_words(uint32_t status)
{
	static const char *const words[SYMBOLS_STATUS_COUNT] = {
		[SYMBOLS_OK] = "",
		[SYMBOLS_NOT_ELF] = "; it is no ELF file",
		[SYMBOLS_NO_TABLE] = "; it has no symbols",
		[SYMBOLS_DAMAGED] = "; a table of it is damaged",
		[SYMBOLS_LIMIT] = "; it is too large",
	};

	return status < SYMBOLS_STATUS_COUNT && words[status] ? words[status] : "";
}

static uint32_t string_keep(struct finder *f, const char *s)
{
	size_t at = f->names.len;

	if (!*s)
		return 0;
	buffer_append(&f->names, s, strlen(s) + 1);
	return buffer_error(&f->names) < 0 ? 0 : (uint32_t)at;
}

/* Asks the file alone. */
static int file_ask(struct finder *f, const uint64_t *offsets, uint32_t count, struct symbols *ret,
		    struct err *err)
{
	const void *bytes;
	uint32_t len;
	int r = symbols_client_ask(f->client, SYMBOLS_ELF, &f->subject.fd, 1, offsets, count, ret,
				   &bytes, &len, err);

	if (r == 0 && ret->reply->status == SYMBOLS_NOT_ELF)
		return err_set(err, -ENOEXEC, "\"%s\" is no ELF file of this machine",
			       f->subject.name);
	return r;
}

/* Offsets of the addresses, by the file's segments; what lies in none keeps its address. */
static int offsets_find(struct finder *f, struct err *err)
{
	struct symbols s;
	int r = file_ask(f, NULL, 0, &s, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < f->count; i++) {
		f->offsets[i] = UINT64_MAX;
		for (uint32_t j = 0; j < s.reply->module_count; j++) {
			const struct symbol_module *m = &s.modules[j];

			if (f->vaddrs[i] >= m->start && f->vaddrs[i] < m->limit)
				f->offsets[i] = m->offset + (f->vaddrs[i] - m->start);
		}
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The answer about this offset among ascending ones, or NULL. */
static const struct symbol_answer *answer_of(const struct symbols *s, const uint64_t *sorted,
					     uint32_t count, uint64_t offset)
{
	const uint64_t *at = bsearch(&offset, sorted, count, sizeof(*sorted), compare_u64);

	return at && offset != UINT64_MAX ? &s->answers[at - sorted] : NULL;
}

/* How many of the addresses the file's tables name, or with its debug file's; negative errno. */
static int names_take(struct finder *f, const char *what)
{
	_cleanup_(free_ptr) uint64_t *sorted = reallocarray(NULL, f->count + 1ul, sizeof(*sorted));
	const void *bytes;
	struct symbols s;
	struct err err;
	uint32_t named = 0, len;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, f->offsets, f->count * sizeof(*sorted));
	qsort(sorted, f->count, sizeof(*sorted), compare_u64);
	if (symbols_client_ask(f->client, SYMBOLS_ELF, (const int[]){ f->subject.fd, f->debug },
			       f->debug < 0 ? 1 : 2, sorted, f->count, &s, &bytes, &len,
			       &err) < 0) {
		origin_add(f, what, "%s", err.text);
		return 0;
	}
	for (uint32_t i = 0; i < f->count; i++) {
		const struct symbol_answer *a = answer_of(&s, sorted, f->count, f->offsets[i]);
		struct asked *x = &f->asked[i];

		if (!a || a->function == SYMBOLS_NONE)
			continue;
		named++;
		if (x->name)
			continue;
		x->name = string_keep(f, s.strings + s.functions[a->function].name);
		x->system_name = string_keep(f, s.strings + s.functions[a->function].system_name);
		x->within = a->vaddr - s.functions[a->function].start;
	}
	origin_add(f, what, "%u of %u addresses named%s", named, f->count,
		   symbols_words(s.reply->status));
	return (int)named;
}

/* ---- lines ---- */

/* Addresses with lines, and how many were answered at all. */
static uint32_t placed_count(const struct finder *f, uint32_t *ret_answered)
{
	uint32_t count = 0;

	*ret_answered = 0;
	for (uint32_t p = 0; p < f->part_count; p++) {
		for (uint32_t i = 0; i < f->parts[p].count; i++)
			count += f->parts[p].lines.answers[i].count != 0;
		*ret_answered += f->parts[p].count;
	}
	return count;
}

static void lines_tell(struct finder *f, const struct lines_reply *h, const char *what)
{
	uint32_t answered, placed = placed_count(f, &answered);

	if (h->status == SYMBOLS_NO_TABLE)
		origin_add(f, what, "it has none");
	else if (h->status != SYMBOLS_OK)
		origin_add(f, what, "it is not read: %s",
			   h->status == SYMBOLS_LIMIT ? "too large" : "no x86-64 ELF file");
	else
		origin_add(f, what, "%u of %u addresses known, by %u units%s%s%s%s%s", placed,
			   f->count, h->units, h->units_damaged ? "; some are damaged" : "",
			   h->flags & LINES_DAMAGED ? "; a section is damaged" : "",
			   h->flags & LINES_NO_ALTERNATE ? "; the file of what dwz moved is missing"
							 : "",
			   h->flags & LINES_SPLIT ? "; .dwo files are not read" : "",
			   answered < f->count ? "; too many to be told" : "");
}

/* Keeps a reply, which is the client's until it is asked again. */
static int part_keep(struct finder *f, uint32_t first, const struct lines_answers *a)
{
	struct finder_part *p = &f->parts[f->part_count];
	uint32_t len = lines_bytes(a);
	void *bytes = malloc(len);

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, a->reply, len);
	*p = (struct finder_part){ .first = first, .count = lines_answered(a), .bytes = bytes };
	f->part_count++;
	return lines_check(bytes, len, a->reply->answer_count, &p->lines, NULL);
}

/* The lines from address number `first` on: how many were answered, or negative errno and a sentence. */
static int part_ask(struct finder *f, int fd, uint32_t first, struct err *err)
{
	const int fds[] = { fd, f->alternate };
	struct lines_answers a;
	int r = symbols_client_lines(f->client, fds, f->alternate < 0 ? 1 : 2, f->vaddrs + first,
				     f->count - first, f->subject.patience_ns, &a, err);

	if (r < 0)
		return r;
	r = part_keep(f, first, &a);
	return r < 0 ? err_errno(err, r, "cannot keep lines") : (int)lines_answered(&a);
}

static void lines_take(struct finder *f, int fd, const char *what)
{
	struct err err;
	uint32_t done = 0;
	int r;

	do {
		r = part_ask(f, fd, done, &err);
		if (r < 0)
			origin_add(f, what, "%s", err.text);
		f->lines_late |= r == -ETIMEDOUT;
		if (r > 0)
			done += (uint32_t)r;
		if (f->part_count == 1 && *symbols_client_index(f->client))
			snprintf(f->index, sizeof(f->index), "%s", symbols_client_index(f->client));
	} while (r > 0 && done < f->count && f->part_count < FINDER_MAX_PARTS);
	if (f->part_count)
		lines_tell(f, f->parts[0].lines.reply, what);
	if (*f->index)
		origin_add(f, "index of lines", "%s", f->index);
}

static void debug_find(struct finder *f)
{
	int r = debug_files_find(f->names_from->debug, f->subject.file, &f->subject.place,
				 f->subject.fd, &f->debug);

	if (r == -ENODATA)
		origin_add(f, "debug file", "the file names none");
	else if (r == -ESTALE)
		origin_add(f, "debug file", "there is one, but it does not belong to the file");
	else if (r < 0)
		origin_add(f, "debug file", "none found: %s", strerror(-r));
}

/* What dwz moved out of `fd`. */
static void alternate_find(struct finder *f, int fd)
{
	int r = debug_files_find_alternate(f->names_from->debug, &f->subject.place, fd,
					   &f->alternate);

	if (r < 0 && r != -ENOENT)
		origin_add(f, "alternate file", "none found: %s", strerror(-r));
}

static int ask(struct finder *f, struct err *err)
{
	struct debug_reply said;
	int named = names_take(f, "symbols"), r;
	bool dwarf;

	if (named < 0)
		return err_errno(err, named, "cannot look up addresses");
	r = symbols_client_debug(f->client, DEBUG_OF_FILE, &f->subject.fd, 1, &said, err);
	if (r < 0)
		return r;
	dwarf = said.flags & DEBUG_REPLY_DWARF;
	if (!dwarf)
		origin_add(f, "DWARF", "the file has none");
	if ((!dwarf && f->subject.patience_ns) || (uint32_t)named < f->count)
		debug_find(f);
	if (f->debug >= 0)
		names_take(f, "symbols, debug file");
	if (!f->subject.patience_ns || (!dwarf && f->debug < 0))
		return 0;
	alternate_find(f, dwarf ? f->subject.fd : f->debug);
	lines_take(f, dwarf ? f->subject.fd : f->debug, dwarf ? "DWARF" : "DWARF, debug file");
	return 0;
}

/* ---- life ---- */

static int compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static int room_make(struct finder *f)
{
	size_t room = f->count + 1ul;

	f->asked = calloc(room, sizeof(*f->asked));
	f->vaddrs = calloc(room, sizeof(*f->vaddrs));
	f->offsets = calloc(room, sizeof(*f->offsets));
	f->positions = calloc(room, sizeof(*f->positions));
	return f->asked && f->vaddrs && f->offsets && f->positions ? 0 : -ENOMEM;
}

/* By ELF address, as lines are asked for. */
static void addresses_sort(struct finder *f)
{
	qsort(f->asked, f->count, sizeof(*f->asked), compare_asked);
	for (uint32_t i = 0; i < f->count; i++) {
		f->vaddrs[i] = f->asked[i].vaddr;
		f->positions[f->asked[i].order] = i;
	}
}

/* ELF addresses of offsets, by the segments that the symbolizer finds them in. */
static int vaddrs_find(struct finder *f, struct err *err)
{
	_cleanup_(free_ptr) uint64_t *sorted = reallocarray(NULL, f->count + 1ul, sizeof(*sorted));
	struct symbols s;
	int r;

	if (!sorted)
		return err_errno(err, -ENOMEM, "cannot look up addresses");
	memcpy(sorted, f->subject.addresses, f->count * sizeof(*sorted));
	qsort(sorted, f->count, sizeof(*sorted), compare_u64);
	r = file_ask(f, sorted, f->count, &s, err);
	for (uint32_t i = 0; r == 0 && i < f->count; i++) {
		const struct symbol_answer *a =
			answer_of(&s, sorted, f->count, f->subject.addresses[i]);
		bool known = a && a->module != SYMBOLS_NONE;

		f->asked[i] = (struct asked){
			.vaddr = known ? a->vaddr : UINT64_MAX,
			.order = i,
			.offset = known ? f->subject.addresses[i] : UINT64_MAX,
		};
	}
	return r;
}

/* What each address is, both in the file and as ELF address. */
static int addresses_take(struct finder *f, struct err *err)
{
	int r = 0;

	if (f->subject.by_offset)
		r = vaddrs_find(f, err);
	for (uint32_t i = 0; i < f->count && !f->subject.by_offset; i++)
		f->asked[i] = (struct asked){ .vaddr = f->subject.addresses[i], .order = i };
	if (r < 0)
		return r;
	addresses_sort(f);
	if (!f->subject.by_offset)
		return offsets_find(f, err);
	for (uint32_t i = 0; i < f->count; i++)
		f->offsets[i] = f->asked[i].offset;
	return 0;
}

int finder_run(struct finder *f, struct live_names *names, const struct finder_subject *subject,
	       struct err *err)
{
	int r;

	*f = (struct finder){ .subject = *subject,
			      .names_from = names,
			      .client = names->client,
			      .count = subject->count,
			      .debug = -1,
			      .alternate = -1 };
	buffer_init(&f->names, MAX_NAME_BYTES);
	buffer_append(&f->names, "", 1);
	r = room_make(f);
	if (r < 0)
		return err_errno(err, r, "cannot look up addresses");
	r = addresses_take(f, err);
	return r < 0 ? r : ask(f, err);
}

void finder_release(struct finder *f)
{
	free(f->asked);
	free(f->vaddrs);
	free(f->offsets);
	free(f->positions);
	for (uint32_t i = 0; i < f->part_count; i++)
		free(f->parts[i].bytes);
	fd_close(&f->debug);
	fd_close(&f->alternate);
	buffer_release(&f->names);
}

bool finder_vaddr(const struct finder *f, uint32_t i, uint64_t *ret)
{
	*ret = f->vaddrs[f->positions[i]];
	return *ret != UINT64_MAX;
}

bool finder_within(const struct finder *f, uint32_t i, uint64_t *ret)
{
	const struct asked *x = &f->asked[f->positions[i]];

	*ret = x->within;
	return x->name;
}

/* The lines of the address at `position`, and its number among them; NULL: there are none. */
static const struct lines_answers *lines_of(const struct finder *f, uint32_t position,
					    uint32_t *ret_number)
{
	for (uint32_t i = 0; i < f->part_count; i++) {
		const struct finder_part *p = &f->parts[i];

		*ret_number = position - p->first;
		if (position - p->first < p->count)
			return &p->lines;
	}
	return NULL;
}

uint32_t finder_frames(const struct finder *f, uint32_t i, struct finder_frame *ret, uint32_t max)
{
	struct line_frame frames[LINE_FRAMES_MAX];
	const struct asked *x = &f->asked[f->positions[i]];
	uint32_t number = 0;
	const struct lines_answers *lines = lines_of(f, f->positions[i], &number);
	uint32_t count = line_frames(lines, number, x->name ? f->names.data + x->name : "",
				     x->name ? f->names.data + x->system_name : "", frames,
				     max < LINE_FRAMES_MAX ? max : LINE_FRAMES_MAX);

	for (uint32_t j = 0; j < count; j++)
		ret[j] = (struct finder_frame){ frames[j].name, frames[j].system_name,
						frames[j].file, frames[j].line };
	return count;
}
