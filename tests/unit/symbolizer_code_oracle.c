// SPDX-License-Identifier: Apache-2.0
/*
 * Are the rules made from instructions what call frame information says? Code that has such information is
 * taken for a gap without any, symbols left out, and each rule found is compared with the row: the CFA
 * and where the caller's rbp is, in terms of what is known at that instruction.
 *
 * Run as a test, it looks at some libraries that every machine has. With arguments (files, or @FILE with
 * a path in each line) at those.
 */
#include <errno.h>
#include <fcntl.h>
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
#include "symbolizer/code_rules.h"
#include "symbolizer/unwind_compile.h"
#include "tests/unit/symbolizer_rows.h"

#define PIECE_BYTES (1u << 20)
#define MAX_SHOWN 60 /* of a file */

static struct {
	uint64_t files, insns, described, told, agree, cfa, fp, cant, ns;
} totals;

struct oracle {
	const char *path;
	struct unwind_table *table;
	uint64_t piece; /* its address */
	uint8_t *opinions; /* by offset in it */
	uint32_t shown;
	uint64_t last; /* difference: one of each run is shown */
};

static void show(struct oracle *o, uint64_t vaddr, const struct unwind_rule *ours,
		 const struct unwind_rule *theirs)
{
	struct buffer text = BUFFER_INIT(4096);

	if (vaddr - o->last < 2048 || o->shown >= MAX_SHOWN) {
		o->last = vaddr;
		return;
	}
	o->last = vaddr;
	o->shown++;
	buffer_printf(&text, "%s: 0x%" PRIx64 ": ours \"", o->path, vaddr);
	rows_rule(ours, &text);
	buffer_text(&text, "\", the file's \"");
	rows_rule(theirs, &text);
	printf("# %s\"\n", buffer_cstr(&text));
	buffer_release(&text);
}

static bool is_told(const struct unwind_rule *rule)
{
	return rule->kind != UNWIND_NONE && rule->kind != UNWIND_FRAME_POINTER;
}

static void witness(void *who, uint64_t vaddr, const struct unwind_rule *rule,
		    const struct code_view *view)
{
	struct oracle *o = who;
	uint8_t opinion;
	struct unwind_rule theirs = *rows_find(o->table, vaddr);

	if (theirs.kind == UNWIND_PLT) {
		theirs.cfa_offset += (vaddr & 15) >= unwind_rule_parameter(&theirs) ? 8 : 0;
		theirs.kind = UNWIND_SP;
		theirs.how = 0;
	}
	opinion = (uint8_t)code_view_compare(view, &theirs);
	if (memcmp(rule, &theirs, sizeof(theirs)) == 0 ||
	    (opinion == CODE_FP_DIFFERS && unwind_rule_fp(rule) == UNWIND_FP_LOST))
		opinion = CODE_AGREES;
	o->opinions[vaddr - o->piece] = opinion;
}

static void count(struct oracle *o, uint64_t vaddr, const struct unwind_rule *ours)
{
	const struct unwind_rule *theirs = rows_find(o->table, vaddr);

	totals.insns++;
	totals.described += is_told(theirs);
	if (!is_told(ours) || !is_told(theirs))
		return;
	totals.told++;
	switch (o->opinions[vaddr - o->piece]) {
	case CODE_AGREES:
		totals.agree++;
		return;
	case CODE_CFA_DIFFERS:
		totals.cfa++;
		break;
	case CODE_FP_DIFFERS:
		totals.fp++;
		break;
	default:
		totals.cant++;
		return;
	}
	show(o, vaddr, ours, theirs);
}

static void run_piece(struct oracle *o, struct elf_file *f, const struct elf_range *range,
		      uint64_t from, uint64_t to)
{
	_cleanup_(free_ptr) uint8_t *bytes = malloc(to - from);
	struct code_piece piece = { .file = f,
				    .bytes = bytes,
				    .vaddr = from,
				    .len = (uint32_t)(to - from),
				    .cut_start = from > range->start,
				    .cut_end = to < range->limit,
				    .witness = witness,
				    .who = o };
	struct code_rules rules = { 0 };
	uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (!bytes || !elf_file_read_code(f, from, bytes, piece.len))
		return;
	o->piece = from;
	o->opinions = calloc(1, piece.len);
	if (o->opinions && code_rules_find(&piece, &rules) == 0) {
		totals.ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
		for (uint32_t i = 0; i < rules.insns.list.count; i++)
			count(o, from + rules.insns.list.items[i].at, &rules.rules[i]);
	}
	free(o->opinions);
	code_rules_release(&rules);
}

static void oracle_run(const char *path)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct oracle o = { .path = path, .table = calloc(1, sizeof(*o.table)) };
	struct unwind_outcome outcome;
	struct elf_file f = { 0 };

	if (!o.table)
		return;
	if (fd >= 0 && elf_file_open(&f, fd) == 0 &&
	    unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, o.table, &outcome) == 0 &&
	    outcome.fdes && !outcome.go) {
		totals.files++;
		for (uint32_t i = 0; i < f.code.count; i++) {
			const struct elf_range *range = &f.code.items[i];

			for (uint64_t at = range->start; at < range->limit; at += PIECE_BYTES)
				run_piece(&o, &f, range, at,
					  range->limit - at < PIECE_BYTES ? range->limit
									  : at + PIECE_BYTES);
		}
	}
	elf_file_release(&f);
	unwind_table_release(o.table);
	free(o.table);
}

static void print_totals(void)
{
	printf("# %" PRIu64 " files, %" PRIu64 " instructions, %" PRIu64
	       " with call frame information; of these %" PRIu64 " told (%.2f %%), %" PRIu64
	       " as it says\n",
	       totals.files, totals.insns, totals.described, totals.told,
	       100.0 * (double)totals.told / (double)(totals.described + 1), totals.agree);
	printf("# CFA differs: %" PRIu64 ", rbp differs: %" PRIu64 ", can't be compared: %" PRIu64
	       "; %.1f M instructions/s\n",
	       totals.cfa, totals.fp, totals.cant,
	       (double)totals.insns * 1e3 / (double)(totals.ns + 1));
}

static void test_libraries(void **state)
{
	static const char *const paths[] = {
		"/proc/self/exe",
		"/lib/x86_64-linux-gnu/libm.so.6",
		"/lib/x86_64-linux-gnu/libc.so.6",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		oracle_run(paths[i]);
	print_totals();
	if (totals.told < totals.described / 2)
		fail_msg("%" PRIu64 " of %" PRIu64 " told", totals.told, totals.described);
	/* glibc's assembly for long numbers pushes two registers and doesn't say so: the file is wrong there. */
	if ((totals.cfa + totals.fp) * 1000 > totals.told)
		fail_msg("%" PRIu64 " CFAs and %" PRIu64 " rbps differ of %" PRIu64, totals.cfa,
			 totals.fp, totals.told);
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
	return 0;
}
