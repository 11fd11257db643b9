// SPDX-License-Identifier: Apache-2.0
/*
 * Are the rows of real files what libdw says of the same addresses? Every row of libdw's is looked
 * up in ours and every change of ours in libdw's: CFA, rbp and return address. Where libdw knows
 * nothing we may know what instructions say; where we can't say what it says, it must be something that no rule can
 * say.
 *
 * Run as a test, it compares some libraries that every machine has. With arguments (files, or
 * @FILE with a path in each line) it compares those: `make unwind-oracle` gives it all ELF files of
 * the machine.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/unwind_compile.h"
#include "symbolizer/unwind_sections.h"
#include "tests/unit/symbolizer_rows.h"

#define PROBE_BYTES 16 /* how far apart we look for functions that we don't know */
#define MAX_SHOWN 5 /* differences of a file */

/* Why a row of libdw's can't be a rule. */
enum reason {
	REASON_NONE,
	REASON_CFA, /* an expression, or a register beyond the 16 */
	REASON_RETURN_ADDRESS, /* not at CFA - 8 */
	REASON_SP, /* the caller's rsp isn't the CFA */
	REASON_RANGE, /* an offset that doesn't fit */
	REASON_EH_RETURN, /* where the function overwrites what it had saved */
	REASON_LIBDW, /* libdw itself can't: def_cfa_register behind an expression */
	REASON_COUNT
};

static const char *const reasons[REASON_COUNT] = {
	"",
	"CFA by another expression or register",
	"return address not at CFA - 8",
	"rsp not the CFA",
	"offset out of range",
	"registers overwritten by __builtin_eh_return",
	"not known to libdw",
};

static struct {
	uint64_t files, skipped, rows, differences, none, guessed, solved, refused;
	uint64_t unsupported[REASON_COUNT], fp_lost, kinds[UNWIND_KIND_COUNT];
	uint64_t compile_ns, compiled_rows, oracle_ns;
} totals;

/* A file, both ways. */
struct oracle {
	const char *path;
	Elf *elf;
	Dwarf *dwarf;
	Dwarf_CFI *cfis[2];
	struct unwind_table *table;
	uint32_t differences;
	bool go;
};

static enum reason expect_cfa(const Dwarf_Op *ops, size_t count, struct unwind_rule *ret,
			      uint32_t *ret_parameter)
{
	static const uint8_t plt[] = { DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0,
				       DW_OP_ge,     DW_OP_lit3,  DW_OP_shl, DW_OP_plus };
	uint64_t number;
	int64_t offset;

	if (count == 0)
		return REASON_CFA;
	number = ops[0].atom == DW_OP_bregx ? ops[0].number : ops[0].atom - (uint64_t)DW_OP_breg0;
	offset = (int64_t)(ops[0].atom == DW_OP_bregx ? ops[0].number2 : ops[0].number);
	if (number > 15)
		return REASON_CFA;
	ret->cfa_offset = (int32_t)offset;
	*ret_parameter = 0;
	if (count == 1) {
		ret->kind = number == 7 ? UNWIND_SP : number == 6 ? UNWIND_FP : UNWIND_REGISTER;
		*ret_parameter = ret->kind == UNWIND_REGISTER ? (uint32_t)number : 0;
	} else if (ops[1].atom == DW_OP_deref && (number == 6 || number == 7) &&
		   (count == 2 || (count == 3 && ops[2].atom == DW_OP_plus_uconst))) {
		ret->kind = number == 7 ? UNWIND_DEREF_SP : UNWIND_DEREF_FP;
		*ret_parameter = count == 3 ? (uint32_t)ops[2].number / 8 : 0;
	} else if (number == 7 && count == 1 + sizeof(plt)) {
		for (size_t i = 0; i < sizeof(plt); i++) {
			if (i != 3 && ops[i + 1].atom != plt[i])
				return REASON_CFA;
		}
		ret->kind = UNWIND_PLT;
		*ret_parameter = ops[4].atom - DW_OP_lit0;
	} else {
		return REASON_CFA;
	}
	return ret->cfa_offset == offset ? REASON_NONE : REASON_RANGE;
}

/* "CFA + offset, in memory" */
static bool at_cfa(const Dwarf_Op *ops, size_t count, int64_t *ret_offset)
{
	if (count < 1 || count > 2 || ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	if (count == 2 && ops[1].atom != DW_OP_plus_uconst)
		return false;
	*ret_offset = count == 2 ? (int64_t)ops[1].number : 0;
	return true;
}

/*
 * "register + offset, in memory": an expression, to which libdw adds what is on the stack before it
 */
static bool at_register(const Dwarf_Op *ops, size_t count, uint8_t op, int64_t *ret_offset)
{
	if (count != 2 || ops[0].atom != DW_OP_call_frame_cfa || ops[1].atom != op)
		return false;
	*ret_offset = (int64_t)ops[1].number;
	return true;
}

static enum unwind_fp expect_fp(Dwarf_Frame *frame, const Dwarf_Op *cfa, size_t cfa_count,
				struct unwind_rule *ret)
{
	enum unwind_fp fp = UNWIND_FP_AT_CFA;
	Dwarf_Op memory[3], *ops;
	int64_t offset = 0;
	size_t count;

	if (dwarf_frame_register(frame, 6, memory, &ops, &count) < 0)
		return UNWIND_FP_LOST;
	if (count == 0)
		return ops ? UNWIND_FP_LOST : UNWIND_FP_SAME;
	if (at_register(ops, count, DW_OP_breg6, &offset)) {
		/* Believed only where the CFA, too, is found by rbp. */
		if (ret->kind != UNWIND_FP && ret->kind != UNWIND_DEREF_FP)
			return ret->kind == UNWIND_SP && ret->cfa_offset == 8 ? UNWIND_FP_SAME
									      : UNWIND_FP_LOST;
		fp = UNWIND_FP_AT_FP;
	} else if (at_register(ops, count, DW_OP_breg7, &offset) && cfa_count == 1 &&
		   cfa[0].atom == DW_OP_breg7)
		offset -= (int64_t)cfa[0].number;
	else if (!at_cfa(ops, count, &offset))
		return UNWIND_FP_LOST;
	if (offset != (int16_t)offset)
		return UNWIND_FP_LOST;
	ret->fp_offset = (int16_t)offset;
	return fp;
}

static bool is_signal(Dwarf_Frame *frame, const Dwarf_Op *cfa, size_t count)
{
	Dwarf_Op memory[3], *ops;
	int64_t offset;
	size_t n;

	if (count != 2 || cfa[0].atom != DW_OP_breg7 || cfa[1].atom != DW_OP_deref)
		return false;
	return dwarf_frame_register(frame, 16, memory, &ops, &n) == 0 &&
	       at_register(ops, n, DW_OP_breg7, &offset) && offset == (int64_t)cfa[0].number + 8 &&
	       dwarf_frame_register(frame, 6, memory, &ops, &n) == 0 &&
	       at_register(ops, n, DW_OP_breg7, &offset) && offset == (int64_t)cfa[0].number - 40;
}

static bool is_saved(Dwarf_Frame *frame, int number)
{
	Dwarf_Op memory[3], *ops;
	int64_t offset;
	size_t count;

	return dwarf_frame_register(frame, number, memory, &ops, &count) == 0 &&
	       at_cfa(ops, count, &offset);
}

/* libdw's row as a rule, or why it can't be one. */
static enum reason expect(Dwarf_Frame *frame, struct unwind_rule *ret)
{
	Dwarf_Op memory[3], *ops, *cfa;
	size_t count, cfa_count;
	enum reason reason;
	uint32_t parameter;
	int64_t offset;

	*ret = (struct unwind_rule){ 0 };
	if (dwarf_frame_register(frame, 16, memory, &ops, &count) < 0)
		return REASON_RETURN_ADDRESS;
	if (count == 0 && ops) {
		ret->kind = UNWIND_STOP;
		return REASON_NONE;
	}
	if (dwarf_frame_cfa(frame, &cfa, &cfa_count) < 0)
		return REASON_LIBDW;
	if (is_signal(frame, cfa, cfa_count)) {
		ret->kind = UNWIND_SIGNAL;
		ret->cfa_offset = (int32_t)cfa[0].number - 120;
		return REASON_NONE;
	}
	if (!at_cfa(ops, count, &offset) || offset != -8)
		return REASON_RETURN_ADDRESS;
	if (dwarf_frame_register(frame, 7, memory, &ops, &count) < 0 || count != 2 ||
	    ops[0].atom != DW_OP_call_frame_cfa || ops[1].atom != DW_OP_stack_value)
		return REASON_SP;
	reason = expect_cfa(cfa, cfa_count, ret, &parameter);
	if (reason == REASON_NONE)
		ret->how = UNWIND_HOW(expect_fp(frame, cfa, cfa_count, ret), parameter);
	return reason;
}

static void show(struct oracle *o, uint64_t vaddr, const struct unwind_rule *ours,
		 const struct unwind_rule *theirs, const char *what)
{
	struct buffer text = BUFFER_INIT(4096);

	totals.differences++;
	if (o->differences++ >= MAX_SHOWN)
		return;
	buffer_printf(&text, "%s: 0x%" PRIx64 ": ours \"", o->path, vaddr);
	rows_rule(ours, &text);
	buffer_text(&text, "\", libdw's \"");
	if (theirs)
		rows_rule(theirs, &text);
	buffer_printf(&text, "\"%s", what);
	printf("# %s\n", buffer_cstr(&text));
	buffer_release(&text);
}

static void compare(struct oracle *o, uint64_t vaddr, Dwarf_Frame *frame)
{
	const struct unwind_rule *ours = rows_find(o->table, vaddr);
	struct unwind_rule theirs;
	enum reason reason = expect(frame, &theirs);

	totals.rows++;
	totals.kinds[ours->kind]++;
	totals.fp_lost += unwind_rule_fp(ours) == UNWIND_FP_LOST;
	if (reason != REASON_NONE) {
		totals.unsupported[reason]++;
		if (reason != REASON_LIBDW && ours->kind != UNWIND_UNSUPPORTED)
			show(o, vaddr, ours, NULL, reasons[reason]);
	} else if (ours->kind == UNWIND_UNSUPPORTED && is_saved(frame, 0) && is_saved(frame, 1)) {
		totals.unsupported[REASON_EH_RETURN]++;
	} else if (memcmp(ours, &theirs, sizeof(theirs)) != 0) {
		show(o, vaddr, ours, &theirs, "");
	}
}

/* The first address behind vaddr at which our rule may be another. */
static uint64_t next_change(const struct unwind_table *t, uint64_t vaddr)
{
	uint64_t number = (vaddr - t->start) >> UNWIND_PAGE_SHIFT;
	const struct unwind_page *page = &t->pages.items[number];
	uint64_t base = t->start + (number << UNWIND_PAGE_SHIFT);

	for (uint32_t i = 0; i < page->count; i++) {
		uint64_t at = base + unwind_row_within(t->rows.items[page->row + i]);

		if (at > vaddr)
			return at;
	}
	return base + UNWIND_PAGE_BYTES;
}

static Dwarf_Frame *find(struct oracle *o, uint64_t vaddr)
{
	for (size_t i = 0; i < 2; i++) {
		Dwarf_Frame *frame = NULL;

		if (o->cfis[i] && dwarf_cfi_addrframe(o->cfis[i], vaddr, &frame) == 0)
			return frame;
	}
	return NULL;
}

/* libdw has nothing here. */
static void compare_none(struct oracle *o, uint64_t vaddr)
{
	const struct unwind_rule *ours = rows_find(o->table, vaddr);

	if (ours->kind == UNWIND_NONE)
		totals.none++;
	else if (ours->kind == UNWIND_FRAME_POINTER)
		totals.guessed++;
	else if (strstr(dwarf_errmsg(-1), "invalid CFI"))
		totals.refused++;
	else if (ours->kind == UNWIND_UNSUPPORTED)
		show(o, vaddr, ours, NULL, "nothing");
	else
		totals.solved++; /* by instructions: symbolizer_code_oracle.c */
}

static void walk(struct oracle *o)
{
	uint64_t at = o->table->start;

	while (at < o->table->limit) {
		Dwarf_Frame *frame = find(o, at);
		uint64_t end = at + PROBE_BYTES - at % PROBE_BYTES;
		uint64_t ours = next_change(o->table, at);
		Dwarf_Addr start;

		if (!frame) {
			compare_none(o, at);
			at = ours < end ? ours : end;
			continue;
		}
		compare(o, at, frame);
		if (dwarf_frame_info(frame, &start, &end, NULL) < 0 || end <= at)
			end = at + 1;
		free(frame);
		at = ours < end ? ours : end;
	}
}

static int oracle_compile(struct oracle *o, int fd)
{
	struct unwind_sections sections;
	struct unwind_outcome outcome;
	struct elf_file f;
	uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r = elf_file_open(&f, fd);

	unwind_table_init(o->table, 0, 0);
	if (r == 0)
		r = unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, o->table, &outcome);
	/* By design, frame pointers are preferred to what Go says in .debug_frame. */
	if (r == 0)
		r = unwind_sections_find(&f, &sections);
	o->go = r == 0 && sections.go;
	elf_file_release(&f);
	totals.compile_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	totals.compiled_rows += o->table->rows.count;
	return r;
}

/* True if it is a file that both can read. */
static bool oracle_run(const char *path)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct oracle o = { .path = path, .table = calloc(1, sizeof(*o.table)) };
	uint64_t start;
	bool done = false;

	if (fd < 0 || !o.table || oracle_compile(&o, fd) < 0)
		goto out;
	start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	elf_version(EV_CURRENT);
	o.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!o.elf)
		goto out;
	o.cfis[0] = dwarf_getcfi_elf(o.elf);
	o.dwarf = dwarf_begin_elf(o.elf, DWARF_C_READ, NULL);
	o.cfis[1] = o.dwarf && !o.go ? dwarf_getcfi(o.dwarf) : NULL;
	walk(&o);
	totals.oracle_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	done = true;
out:
	if (o.cfis[0])
		dwarf_cfi_end(o.cfis[0]);
	dwarf_end(o.dwarf);
	elf_end(o.elf);
	if (o.table)
		unwind_table_release(o.table);
	free(o.table);
	totals.files += done;
	totals.skipped += !done;
	return done;
}

static void print_totals(void)
{
	printf("# %" PRIu64 " files (%" PRIu64 " skipped), %" PRIu64 " rows compared, %" PRIu64
	       " differ\n",
	       totals.files, totals.skipped, totals.rows, totals.differences);
	for (int i = 1; i < REASON_COUNT; i++) {
		if (totals.unsupported[i])
			printf("# unsupported: %" PRIu64 " %s\n", totals.unsupported[i],
			       reasons[i]);
	}
	printf("# kinds:");
	for (int i = 0; i < UNWIND_KIND_COUNT; i++)
		printf(" %" PRIu64, totals.kinds[i]);
	printf("; rbp unknown: %" PRIu64 "\n", totals.fp_lost);
	printf("# without CFI: %" PRIu64 " no rows, %" PRIu64 " by frame pointer, %" PRIu64
	       " by instructions\n",
	       totals.none, totals.guessed, totals.solved);
	printf("# refused by libdw: %" PRIu64 "\n", totals.refused);
	printf("# compiled %" PRIu64 " rows in %.3f s: %.1f M rows/s; libdw and comparing %.1f s\n",
	       totals.compiled_rows, (double)totals.compile_ns / NS_PER_S,
	       (double)totals.compiled_rows * 1e3 / (double)(totals.compile_ns + 1),
	       (double)totals.oracle_ns / NS_PER_S);
}

static void test_libraries(void **state)
{
	static const char *const paths[] = {
		"/proc/self/exe",
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libm.so.6",
		"/lib/x86_64-linux-gnu/libgcc_s.so.1",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/lib/x86_64-linux-gnu/libsqlite3.so.0",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		oracle_run(paths[i]);
	print_totals();
	if (totals.files == 0 || totals.rows < 1000)
		fail_msg("%" PRIu64 " files, %" PRIu64 " rows: nothing was compared", totals.files,
			 totals.rows);
	if (totals.differences)
		fail_msg("%" PRIu64 " rows differ", totals.differences);
}

static void run_list(const char *path)
{
	_cleanup_(file_close) FILE *list = fopen(path, "re");
	_cleanup_(free_ptr) char *line = NULL;
	size_t capacity = 0;

	while (list && getline(&line, &capacity, list) > 0) {
		line[strcspn(line, "\n")] = 0;
		oracle_run(line);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libraries),
	};

	if (argc == 1)
		return cmocka_run_group_tests(tests, NULL, NULL);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '@')
			run_list(argv[i] + 1);
		else
			oracle_run(argv[i]);
	}
	print_totals();
	return totals.differences || !totals.rows;
}
