// SPDX-License-Identifier: Apache-2.0
/*
 * The state machine has two registers that matter here beside the address: file and line. Paths are put together
 * as llvm-symbolizer does: the unit's directory, the file's directory, its name; nothing is normalised, since
 * ".." may lead through a link.
 *
 * Refused: programs for machines with several operations in an instruction (VLIW), of which there is no x86.
 */
#include "symbolizer/dwarf_line.h"

#include <errno.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/dwarf_value.h"
#include "symbolizer/protocol.h"

#define MAX_FILES (1u << 20)
#define MAX_FORMATS 16u /* of directories and files, DWARF 5 */

struct program {
	struct dwarf *dwarf;
	const struct dwarf_unit *unit;
	struct lines_builder *builder;
	struct dwarf_line_files *files;
	struct dwarf_format format;
	struct bytes code;
	uint8_t min_instruction, line_range, opcode_base;
	int8_t line_base;
	uint8_t lengths[UINT8_MAX + 1]; /* of standard opcodes: operands */
	/* registers */
	uint64_t addr, file;
	uint32_t line;
	/* The path of `file`: it changes less often than rows come. */
	uint64_t path_file;
	uint32_t path;
};

/* ---- files ---- */

static bool file_add(struct program *p, const char *name, uint64_t directory)
{
	struct dwarf_line_file *f = array_push(&p->files->items, MAX_FILES);

	if (!f) {
		p->dwarf->out_of_memory |= p->files->items.count < MAX_FILES;
		return false;
	}
	*f = (struct dwarf_line_file){ name, directory, LINES_NONE };
	return true;
}

static bool directory_add(struct program *p, const char *name)
{
	const char **at = array_push(&p->files->directories, MAX_FILES);

	if (!at) {
		p->dwarf->out_of_memory |= p->files->directories.count < MAX_FILES;
		return false;
	}
	*at = name;
	return true;
}

/* A string that stands there; NULL if it doesn't end. */
static const char *inline_string(struct bytes *b)
{
	const uint8_t *start = b->at, *nul = memchr(start, '\0', bytes_left(b));

	if (!nul) {
		b->bad = true;
		return NULL;
	}
	b->at = nul + 1;
	return (const char *)start;
}

/* DWARF 2 to 4: two lists that end with an empty name. */
static bool files_read_old(struct program *p, struct bytes *b)
{
	const char *name;

	while ((name = inline_string(b)) && *name)
		if (!directory_add(p, name))
			return false;
	while (name && (name = inline_string(b)) && *name) {
		uint64_t directory = bytes_uleb(b);

		bytes_uleb(b); /* time */
		bytes_uleb(b); /* size */
		if (!file_add(p, name, directory))
			return false;
	}
	return !b->bad;
}

/* DWARF 5: how entries are written, then the entries. */
static bool entries_read(struct program *p, struct bytes *b, bool directories)
{
	struct dwarf_spec formats[MAX_FORMATS];
	uint32_t format_count = bytes_u8(b);
	uint64_t count;

	if (format_count > MAX_FORMATS)
		return false;
	for (uint32_t i = 0; i < format_count; i++) {
		uint64_t content = bytes_uleb(b), form = bytes_uleb(b);

		formats[i] = (struct dwarf_spec){ .attribute = content < UINT16_MAX
								       ? (uint16_t)content
								       : UINT16_MAX,
						  .form = form < UINT16_MAX ? (uint16_t)form : 0 };
	}
	count = bytes_uleb(b);
	for (uint64_t i = 0; i < count; i++) {
		const char *name = NULL;
		uint64_t directory = 0;

		/* An entry may have no bytes. */
		if (b->bad || !format_count || !dwarf_step(p->dwarf, format_count))
			return false;
		for (uint32_t j = 0; j < format_count; j++) {
			struct dwarf_value v;

			if (!dwarf_value_read(b, &formats[j], &p->format, &v))
				return false;
			if (formats[j].attribute == DW_LNCT_path)
				name = dwarf_value_string(p->dwarf, p->unit, &v);
			else if (formats[j].attribute == DW_LNCT_directory_index)
				directory = v.number;
		}
		if (!(directories ? directory_add(p, name) : file_add(p, name, directory)))
			return false;
	}
	return !b->bad;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/';
}

/* Appends a part of a path, with one slash before it. */
static void path_append(char *path, size_t size, size_t *len, const char *part)
{
	size_t room, n;

	if (!part || !*part)
		return;
	if (*len && path[*len - 1] == '/')
		part += *part == '/';
	else if (*len && *part != '/' && *len < size - 1)
		path[(*len)++] = '/';
	room = size - 1 - *len;
	n = strnlen(part, room);
	memcpy(path + *len, part, n);
	*len += n;
}

/* The directory's number 0 is the unit's: in DWARF 5 it is in the list, before it is not. */
static const char *directory_of(const struct dwarf_line_files *files,
				const struct dwarf_line_file *f)
{
	uint64_t i = files->version >= 5 ? f->directory : f->directory - 1;

	return i < files->directories.count ? files->directories.items[i] : NULL;
}

uint32_t dwarf_line_path(struct dwarf *d, struct dwarf_line_files *files, struct lines_builder *b,
			 uint64_t number)
{
	uint64_t i = files->version >= 5 ? number : number - 1;
	char path[SYMBOLS_MAX_NAME + 1];
	struct dwarf_line_file *f;
	const char *directory;
	size_t len = 0;

	if (i >= files->items.count || !files->version)
		return 0;
	f = &files->items.items[i];
	if (f->place != LINES_NONE || !f->name)
		return f->place != LINES_NONE ? f->place : 0;
	if (!is_absolute(f->name)) {
		directory = directory_of(files, f);
		if ((files->version < 5 || f->directory) && !(directory && is_absolute(directory)))
			path_append(path, sizeof(path), &len, files->directory);
		path_append(path, sizeof(path), &len, directory);
	}
	path_append(path, sizeof(path), &len, f->name);
	if (!dwarf_step_string(d, len))
		return 0;
	f->place = lines_builder_string(b, path, len);
	return f->place;
}

void dwarf_line_files_release(struct dwarf_line_files *files)
{
	array_release(&files->directories);
	array_release(&files->items);
}

/* ---- header ---- */

static bool header_read(struct program *p, struct bytes *b)
{
	uint64_t len = bytes_fixed(b, 4), header;
	uint8_t max_operations = 1;
	struct bytes head;

	p->format = p->unit->format;
	p->format.offset_bytes = len == UINT32_MAX ? 8 : 4;
	if (len == UINT32_MAX)
		len = bytes_fixed(b, 8);
	*b = bytes_cut(b, len);
	p->format.version = (uint8_t)bytes_fixed(b, 2);
	if (b->bad || p->format.version < 2 || p->format.version > 5)
		return false;
	if (p->format.version >= 5) {
		p->format.address_bytes = bytes_u8(b);
		bytes_skip(b, 1); /* segment selectors: there are none */
	}
	header = bytes_fixed(b, p->format.offset_bytes);
	head = bytes_cut(b, header);
	p->code = *b;
	p->min_instruction = bytes_u8(&head);
	if (p->format.version >= 4)
		max_operations = bytes_u8(&head);
	bytes_skip(&head, 1); /* is_stmt at first */
	p->line_base = (int8_t)bytes_u8(&head);
	p->line_range = bytes_u8(&head);
	p->opcode_base = bytes_u8(&head);
	for (uint32_t i = 1; i < p->opcode_base; i++)
		p->lengths[i] = bytes_u8(&head);
	if (head.bad || !p->line_range || max_operations > 1)
		return false;
	/* As many units may name the same one. */
	if (!dwarf_step(p->dwarf, bytes_left(&head)))
		return false;
	p->files->version = p->format.version;
	if (p->format.version >= 5)
		return entries_read(p, &head, true) && entries_read(p, &head, false);
	return files_read_old(p, &head);
}

/* ---- the machine ---- */

static void reset(struct program *p)
{
	p->addr = 0;
	p->file = 1;
	p->line = 1;
}

static void emit(struct program *p)
{
	if (p->file != p->path_file) {
		p->path = dwarf_line_path(p->dwarf, p->files, p->builder, p->file);
		p->path_file = p->file;
	}
	lines_builder_row(p->builder, p->addr, p->path, p->line);
}

static bool run_extended(struct program *p)
{
	struct bytes operand = bytes_cut(&p->code, bytes_uleb(&p->code));
	uint8_t opcode = bytes_u8(&operand);

	if (operand.bad)
		return false;
	if (opcode == DW_LNE_end_sequence) {
		lines_builder_end_sequence(p->builder, p->addr);
		reset(p);
	} else if (opcode == DW_LNE_set_address) {
		size_t len = bytes_left(&operand);

		if (len > 8)
			return false;
		p->addr = bytes_fixed(&operand, len);
	} else if (opcode == DW_LNE_define_file) {
		const char *name = inline_string(&operand);

		return name && file_add(p, name, bytes_uleb(&operand));
	}
	return true;
}

static bool run_standard(struct program *p, uint8_t opcode)
{
	struct bytes *b = &p->code;

	switch (opcode) {
	case DW_LNS_copy:
		emit(p);
		break;
	case DW_LNS_advance_pc:
		p->addr += bytes_uleb(b) * p->min_instruction;
		break;
	case DW_LNS_advance_line:
		p->line += (uint32_t)bytes_sleb(b);
		break;
	case DW_LNS_set_file:
		p->file = bytes_uleb(b);
		break;
	case DW_LNS_const_add_pc:
		p->addr += (uint64_t)((UINT8_MAX - p->opcode_base) / p->line_range) *
			   p->min_instruction;
		break;
	case DW_LNS_fixed_advance_pc:
		p->addr += bytes_fixed(b, 2);
		break;
	default:
		for (uint32_t i = 0; i < p->lengths[opcode]; i++)
			bytes_uleb(b);
	}
	return !b->bad;
}

static bool run(struct program *p)
{
	reset(p);
	while (bytes_left(&p->code) && !p->builder->error) {
		uint8_t opcode = bytes_u8(&p->code);

		if (opcode >= p->opcode_base) {
			opcode -= p->opcode_base;
			p->addr += (uint64_t)(opcode / p->line_range) * p->min_instruction;
			p->line += (uint32_t)(p->line_base + opcode % p->line_range);
			emit(p);
		} else if (!(opcode ? run_standard(p, opcode) : run_extended(p))) {
			return false;
		}
	}
	return true;
}

bool dwarf_line_read(struct dwarf *d, const struct dwarf_unit *u, struct dwarf_line_files *files,
		     struct lines_builder *b)
{
	struct program p = {
		.dwarf = d, .unit = u, .builder = b, .files = files, .path_file = UINT64_MAX
	};
	struct bytes bytes;
	bool whole;

	files->version = 0;
	files->directory = u->directory;
	files->directories.count = 0;
	files->items.count = 0;
	if (u->stmt_list == DWARF_NO_OFFSET || u->tag == DW_TAG_partial_unit)
		return true;
	bytes = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_LINE, u->stmt_list);
	if (bytes.bad || !header_read(&p, &bytes))
		return false;
	if (!dwarf_step(d, bytes_left(&p.code)))
		return false;
	whole = run(&p);
	/* What has no end is nowhere. */
	lines_builder_abandon_sequence(b);
	return whole;
}
