// SPDX-License-Identifier: Apache-2.0
/*
 * Call frame information made by hand, and the rows that become of it, as text. (Whether real
 * files' are right: symbolizer_unwind_oracle.c.)
 */
#include <stdio.h>
#include <stdlib.h>

#include "symbolizer/unwind_fdes.h"
#include "tests/unit/symbolizer_compiled.h"
#include "tests/unit/torture.h"

/* Programs of a function at 0x401010 of 0x40 bytes. */
struct program {
	const char *name;
	const char *code;
	size_t len;
	const char *rows; /* behind those that are at its start, if this begins with a space */
	bool damaged;
};

#define CODE(s) s, sizeof(s) - 1
#define USUAL "0x401010 cfa=rsp+8\n"
#define END "0x401050 none\n"
#define AT(row) USUAL "0x401011 " row "\n" END
#define A1 "\x41" /* advance 1 */

static const struct program programs[] = {
	{ "empty", CODE(""), USUAL END, false },
	{ "advance: by 6 bits, 1, 2, 4 and 8 bytes",
	  CODE("\x41\x0e\x10" /* 0x401011 */
	       "\x02\x01\x0e\x18" /* 12 */
	       "\x03\x01\x00\x0e\x20" /* 13 */
	       "\x04\x01\x00\x00\x00\x0e\x28" /* 14 */
	       "\x1d\x01\x00\x00\x00\x00\x00\x00\x00\x0e\x30" /* 15 */),
	  USUAL "0x401011 cfa=rsp+16\n0x401012 cfa=rsp+24\n0x401013 cfa=rsp+32\n"
		"0x401014 cfa=rsp+40\n0x401015 cfa=rsp+48\n" END,
	  false },
	{ "advance by nothing: the last word counts", CODE("\x40\x0e\x10\x40\x0e\x18"),
	  "0x401010 cfa=rsp+24\n" END, false },
	{ "advance to the end and beyond", CODE("\x7f\x0e\x10\x41\x0e\x18\x41\x0e\x20"),
	  USUAL "0x40104f cfa=rsp+16\n" END, false },
	{ "advance far beyond", CODE("\x1d\xff\xff\xff\xff\xff\xff\xff\x7f\x0e\x10"), USUAL END,
	  false },
	{ "what doesn't change anything is no row",
	  CODE("\x41\x0e\x08\x41\x86\x02\x41\xc6\x41\x83\x03"),
	  USUAL "0x401012 cfa=rsp+8 rbp=[cfa-16]\n0x401013 cfa=rsp+8\n" END, false },
	{ "CFA: register and offset", CODE(A1 "\x0c\x06\x10"), AT("cfa=rbp+16"), false },
	{ "CFA: register", CODE(A1 "\x0d\x06"), AT("cfa=rbp+8"), false },
	{ "CFA: factored", CODE(A1 "\x12\x06\x7e"), AT("cfa=rbp+16"), false },
	{ "CFA: factored offset", CODE(A1 "\x13\x7d"), AT("cfa=rsp+24"), false },
	{ "CFA: negative", CODE(A1 "\x12\x06\x02"), AT("cfa=rbp-16"), false },
	{ "CFA: other registers", CODE(A1 "\x0c\x0a\x00\x41\x0c\x00\x18"),
	  USUAL "0x401011 cfa=r10+0\n0x401012 cfa=rax+24\n" END, false },
	{ "CFA: rip or beyond", CODE(A1 "\x0c\x10\x00\x41\x0c\x11\x00"), AT("unsupported"), false },
	{ "CFA: largest offset", CODE(A1 "\x0e\xff\xff\xff\xff\x07"), AT("cfa=rsp+2147483647"),
	  false },
	{ "CFA: offset too large", CODE(A1 "\x0e\x80\x80\x80\x80\x08"), AT("unsupported"), false },
	{ "CFA: PLT", CODE(A1 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"),
	  AT("plt=rsp+8, from 11 on +8"), false },
	{ "CFA: PLT with CET", CODE(A1 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3a\x2a\x33\x24\x22"),
	  AT("plt=rsp+8, from 10 on +8"), false },
	{ "CFA: almost a PLT", CODE(A1 "\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3a\x2b\x33\x24\x22"),
	  AT("unsupported"), false },
	{ "CFA: dereferenced", CODE(A1 "\x0f\x03\x76\x78\x06"), AT("cfa=[rbp-8]+0"), false },
	{ "CFA: dereferenced, and more", CODE(A1 "\x0f\x06\x77\x98\x01\x06\x23\x08"),
	  AT("cfa=[rsp+152]+8"), false },
	{ "CFA: dereferenced, and the most", CODE(A1 "\x0f\x06\x77\x00\x06\x23\xf8\x03"),
	  AT("cfa=[rsp+0]+504"), false },
	{ "CFA: dereferenced, and too much", CODE(A1 "\x0f\x06\x77\x00\x06\x23\x80\x04"),
	  AT("unsupported"), false },
	{ "CFA: dereferenced, and something odd", CODE(A1 "\x0f\x05\x77\x00\x06\x23\x07"),
	  AT("unsupported"), false },
	{ "CFA: dereferenced by another register", CODE(A1 "\x0f\x03\x7a\x00\x06"),
	  AT("unsupported"), false },
	{ "CFA: a sum by expression", CODE(A1 "\x0f\x02\x76\x10\x41\x0f\x03\x92\x06\x18"),
	  USUAL "0x401011 cfa=rbp+16\n0x401012 cfa=rbp+24\n" END, false },
	{ "CFA: an empty expression", CODE(A1 "\x0f\x00"), AT("unsupported"), false },
	{ "CFA: register behind an expression, with the offset from before it",
	  CODE("\x0e\x38\x41\x0f\x03\x77\x00\x06\x41\x0d\x07"),
	  "0x401010 cfa=rsp+56\n0x401011 cfa=[rsp+0]+0\n0x401012 cfa=rsp+56\n" END, false },
	{ "CFA: offset behind an expression doesn't end it",
	  CODE(A1 "\x0f\x03\x77\x00\x06\x41\x0e\x10\x41\x0d\x06"),
	  USUAL "0x401011 cfa=[rsp+0]+0\n0x401013 cfa=rbp+16\n" END, false },
	{ "rbp: at CFA", CODE(A1 "\x86\x02\x41\x05\x06\x03\x41\x11\x06\x7c\x41\x2f\x06\x01"),
	  USUAL "0x401011 cfa=rsp+8 rbp=[cfa-16]\n0x401012 cfa=rsp+8 rbp=[cfa-24]\n"
		"0x401013 cfa=rsp+8 rbp=[cfa+32]\n0x401014 cfa=rsp+8 rbp=[cfa+8]\n" END,
	  false },
	{ "rbp: back to where it was",
	  CODE("\x86\x02\x41\xc6\x41\x86\x02\x41\x06\x06\x41\x86\x02\x41\x08\x06"),
	  "0x401010 cfa=rsp+8 rbp=[cfa-16]\n0x401011 cfa=rsp+8\n"
	  "0x401012 cfa=rsp+8 rbp=[cfa-16]\n0x401013 cfa=rsp+8\n"
	  "0x401014 cfa=rsp+8 rbp=[cfa-16]\n0x401015 cfa=rsp+8\n" END,
	  false },
	{ "rbp: undefined, in another register, in itself",
	  CODE(A1 "\x07\x06\x41\x09\x06\x06\x41\x09\x06\x03"),
	  USUAL "0x401011 cfa=rsp+8 rbp=?\n0x401012 cfa=rsp+8\n0x401013 cfa=rsp+8 rbp=?\n" END,
	  false },
	{ "rbp: at itself", CODE(A1 "\x0c\x06\x10\x10\x06\x02\x76\x00"),
	  AT("cfa=rbp+16 rbp=[rbp+0]"), false },
	{ "rbp: at itself, and the CFA at rbp", CODE(A1 "\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00"),
	  AT("cfa=[rbp-8]+0 rbp=[rbp+0]"), false },
	{ "rbp: at itself, behind its pop", CODE(A1 "\x0e\x10\x10\x06\x02\x76\x00\x41\x0e\x08"),
	  USUAL "0x401011 cfa=rsp+16 rbp=?\n0x401012 cfa=rsp+8\n" END, false },
	{ "rbp: at itself, and the CFA at another", CODE(A1 "\x0c\x0a\x00\x10\x06\x02\x76\x00"),
	  AT("cfa=r10+0 rbp=?"), false },
	{ "rbp: at rsp", CODE("\x0e\x20\x41\x10\x06\x02\x77\x08"),
	  "0x401010 cfa=rsp+32\n0x401011 cfa=rsp+32 rbp=[cfa-24]\n" END, false },
	{ "rbp: at rsp, farther than there are numbers",
	  CODE(A1 "\x10\x06\x0b\x77\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f"),
	  AT("cfa=rsp+8 rbp=?"), false },
	{ "rbp: at rsp, with the CFA elsewhere", CODE("\x0c\x03\x20\x41\x10\x06\x02\x77\x08"),
	  "0x401010 cfa=rbx+32\n0x401011 cfa=rbx+32 rbp=?\n" END, false },
	{ "rbp: other expressions and values",
	  CODE(A1 "\x10\x06\x03\x76\x00\x06\x41\xc6\x41\x16\x06\x02\x76\x00\x41\xc6\x41\x14\x06\x01"
		  "\x41\xc6\x41\x15\x06\x01"),
	  USUAL "0x401011 cfa=rsp+8 rbp=?\n0x401012 cfa=rsp+8\n0x401013 cfa=rsp+8 rbp=?\n"
		"0x401014 cfa=rsp+8\n0x401015 cfa=rsp+8 rbp=?\n0x401016 cfa=rsp+8\n"
		"0x401017 cfa=rsp+8 rbp=?\n" END,
	  false },
	{ "rbp: the farthest", CODE(A1 "\x05\x06\x80\x20"), AT("cfa=rsp+8 rbp=[cfa-32768]"),
	  false },
	{ "rbp: too far", CODE(A1 "\x05\x06\x81\x20"), AT("cfa=rsp+8 rbp=?"), false },
	{ "return address: undefined", CODE(A1 "\x07\x10"), AT("stop"), false },
	{ "return address: elsewhere", CODE(A1 "\x90\x02\x41\x09\x10\x05\x41\x08\x10"),
	  AT("unsupported"), false },
	{ "return address: back", CODE("\x90\x02\x41\xd0"),
	  "0x401010 unsupported\n0x401011 cfa=rsp+8\n" END, false },
	{ "rsp: is not the CFA", CODE(A1 "\x87\x02\x41\xc7\x41\x14\x07\x00\x41\x14\x07\x01"),
	  USUAL "0x401011 unsupported\n0x401012 cfa=rsp+8\n0x401014 unsupported\n" END, false },
	{ "a signal frame",
	  CODE("\x0f\x04\x77\xa0\x01\x06\x10\x06\x03\x77\xf8\x00\x10\x07\x03\x77\xa0\x01"
	       "\x10\x10\x03\x77\xa8\x01"),
	  "0x401010 signal=rsp+40\n" END, false },
	{ "almost a signal frame",
	  CODE("\x0f\x04\x77\xa0\x01\x06\x10\x06\x03\x77\xf0\x00\x10\x07\x03\x77\xa0\x01"
	       "\x10\x10\x03\x77\xa8\x01"),
	  "0x401010 unsupported\n" END, false },
	{ "remember, restore", CODE(A1 "\x0e\x10\x86\x02\x0a\x41\x0e\x08\xc6\x41\x0b"),
	  USUAL "0x401011 cfa=rsp+16 rbp=[cfa-16]\n0x401012 cfa=rsp+8\n"
		"0x401013 cfa=rsp+16 rbp=[cfa-16]\n" END,
	  false },
	{ "remember 16 times", CODE("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\x0e\x10\x41\x0b"),
	  "0x401010 cfa=rsp+16\n0x401011 cfa=rsp+8\n" END, false },
	{ "remember too often", CODE(A1 "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\x0e\x10"),
	  AT("unsupported"), true },
	{ "restore what wasn't remembered", CODE(A1 "\x0b\x0e\x10"), AT("unsupported"), true },
	{ "an unknown instruction", CODE(A1 "\x3f\x0e\x10"), AT("unsupported"), true },
	{ "GNU_args_size, and registers of no interest",
	  CODE("\x2e\x10\x41\x8c\x04\x07\x03\x0e\x10"), AT("cfa=rsp+16"), false },
	{ "cut within an instruction", CODE(A1 "\x0e\x10\x41\x0f\x20\x77"),
	  USUAL "0x401011 cfa=rsp+16\n0x401012 unsupported\n" END, true },
};

static void test_programs(void **state)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const struct program *p = &programs[i];

		for (enum frames_shape shape = FRAMES_EH; shape <= FRAMES_HEADLESS; shape++) {
			struct compiled c;
			struct frames f;

			frames_init(&f, shape);
			frames_usual_cie(&f);
			frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, p->code, p->len);
			compile(&c, &f);
			expect_rows(p->name, &c, p->rows);
			if (c.outcome.fdes != 1 || c.outcome.fdes_damaged != p->damaged)
				fail_msg("%s: %u functions, %u damaged", p->name, c.outcome.fdes,
					 c.outcome.fdes_damaged);
			compiled_release(&c);
		}
	}
}

/* set_loc, whose address is written as those of functions are. */
static void test_set_loc(void **state)
{
	static const char ahead[] = "\x41\x01\x15\x10\x40\0\0\0\0\0\x0e\x10";
	static const char behind[] = "\x41\x01\x10\x10\x40\0\0\0\0\0\x0e\x10";
	struct compiled c;
	struct frames f;

	frames_init(&f, FRAMES_DEBUG);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, ahead, sizeof(ahead) - 1);
	compile(&c, &f);
	expect_rows("ahead", &c, USUAL "0x401015 cfa=rsp+16\n" END);
	compiled_release(&c);

	frames_init(&f, FRAMES_DEBUG);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, behind, sizeof(behind) - 1);
	compile(&c, &f);
	expect_rows("behind", &c, AT("unsupported"));
	compiled_release(&c);
}

/* CIEs, and whether a function can use them. */
static void test_cies(void **state)
{
	static const struct {
		const char *name, *content;
		size_t len;
		bool good;
	} cases[] = {
		{ "usual", CODE("\1zR\0\1\x78\x10\1\x1b" FRAMES_PROGRAM), true },
		{ "version 3", CODE("\3zR\0\1\x78\x10\1\x1b" FRAMES_PROGRAM), true },
		{ "version 4", CODE("\4zR\0\x08\0\1\x78\x10\1\x1b" FRAMES_PROGRAM), true },
		{ "version 4, of 32 bits", CODE("\4zR\0\x04\0\1\x78\x10\1\x1b" FRAMES_PROGRAM),
		  false },
		{ "version 4, with segments", CODE("\4zR\0\x08\1\1\x78\x10\1\x1b" FRAMES_PROGRAM),
		  false },
		{ "version 2", CODE("\2zR\0\1\x78\x10\1\x1b" FRAMES_PROGRAM), false },
		{ "LSDA, personality, signal",
		  CODE("\1zPLRSB\0\1\x78\x10\7\x9b\1\2\3\4\x1b\x1b" FRAMES_PROGRAM), true },
		{ "personality of 8 bytes",
		  CODE("\1zPLR\0\1\x78\x10\x0b\0\1\2\3\4\5\6\7\x08\x1b\x1b" FRAMES_PROGRAM), true },
		{ "personality of an unknown form",
		  CODE("\1zPLR\0\1\x78\x10\7\x07\1\2\3\4\x1b\x1b" FRAMES_PROGRAM), false },
		{ "an unknown letter at the end",
		  CODE("\1zR!\0\1\x78\x10\3\x1b\1\2" FRAMES_PROGRAM), true },
		{ "an unknown string", CODE("\1x\0\1\x78\x10" FRAMES_PROGRAM), false },
		{ "augmentation data cut", CODE("\1zR\0\1\x78\x10\x7f\x1b" FRAMES_PROGRAM), false },
		{ "a string without end", CODE("\1zRRRRRRRRRRRRRRRRRRRR"), false },
		{ "another return address", CODE("\1zR\0\1\x78\x0f\1\x1b" FRAMES_PROGRAM), false },
		{ "indirect addresses", CODE("\1zR\0\1\x78\x10\1\x9b" FRAMES_PROGRAM), false },
		{ "addresses relative to data", CODE("\1zR\0\1\x78\x10\1\x3b" FRAMES_PROGRAM),
		  false },
		{ "a restore in it", CODE("\1zR\0\1\x78\x10\1\x1b\x0c\x07\x08\xd0"), false },
		{ "a damaged program", CODE("\1zR\0\1\x78\x10\1\x1b\x3f"), false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct compiled c;
		struct frames f;

		frames_init(&f, FRAMES_EH);
		frames_cie(&f, cases[i].content, cases[i].len);
		frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
		compile(&c, &f);
		expect_rows(cases[i].name, &c, cases[i].good ? USUAL END : "");
		if (c.outcome.fdes_refused != !cases[i].good)
			fail_msg("%s: %u refused", cases[i].name, c.outcome.fdes_refused);
		compiled_release(&c);
	}
}

struct place {
	uint64_t start, size; /* of the text */
};

#define MAX_PLACES 4

static void test_functions(void **state)
{
	static const struct {
		const char *name;
		struct place places[MAX_PLACES]; /* the n-th has the CFA rsp + 16 × n */
		const char *rows;
	} cases[] = {
		{ "none", { { 0, 0 } }, "" },
		{ "all", { { 0, 0x5000 } }, "0x401000 cfa=rsp+16\n" },
		{ "not in order",
		  { { 0x200, 0x10 }, { 0x100, 0x10 } },
		  "0x401100 cfa=rsp+32\n0x401110 none\n0x401200 cfa=rsp+16\n0x401210 none\n" },
		{ "padding of 15",
		  { { 0x100, 0x11 }, { 0x120, 0x10 } },
		  "0x401100 cfa=rsp+16\n0x401111 none\n0x401120 cfa=rsp+32\n0x401130 none\n" },
		{ "a gap of 16",
		  { { 0x100, 0x10 }, { 0x120, 0x10 } },
		  "0x401100 cfa=rsp+16\n0x401110 none\n0x401120 cfa=rsp+32\n0x401130 none\n" },
		{ "no padding at the start", { { 8, 8 } }, "0x401008 cfa=rsp+16\n0x401010 none\n" },
		{ "overlapping: the first holds",
		  { { 0x100, 0x40 }, { 0x120, 0x40 } },
		  "0x401100 cfa=rsp+16\n0x401140 cfa=rsp+32\n0x401160 none\n" },
		{ "one in another",
		  { { 0x100, 0x40 }, { 0x120, 0x10 } },
		  "0x401100 cfa=rsp+16\n0x401140 none\n" },
		{ "twice",
		  { { 0x100, 0x40 }, { 0x100, 0x40 } },
		  "0x401100 cfa=rsp+16\n0x401140 none\n" },
		{ "of no size",
		  { { 0x100, 0 }, { 0x100, 0x40 } },
		  "0x401100 cfa=rsp+32\n0x401140 none\n" },
		{ "over the end of the text", { { 0x4ff0, 0x40 } }, "0x405ff0 cfa=rsp+16\n" },
		{ "before the text, and into it",
		  { { -0x100ULL, 0x40 }, { -0x10ULL, 0x20 } },
		  "0x401000 cfa=rsp+32\n0x401010 none\n" },
		{ "behind the text", { { 0x5000, 0x40 }, { 0x10000000, 0x40 } }, "" },
		{ "across pages",
		  { { 0xff8, 0x1010 }, { 0x3000, 0x10 } },
		  "0x401ff8 cfa=rsp+16\n0x403008 none\n0x404000 cfa=rsp+32\n0x404010 none\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct compiled c;
		struct frames f;

		frames_init(&f, FRAMES_EH);
		frames_usual_cie(&f);
		for (uint32_t j = 0; j < MAX_PLACES; j++) {
			const char program[] = { 0x0e, (char)(16 * (j + 1)) };
			const struct place *p = &cases[i].places[j];

			if (p->start || p->size)
				frames_fde(&f, FRAMES_TEXT + p->start, p->size, program, 2);
		}
		compile(&c, &f);
		expect_rows(cases[i].name, &c, cases[i].rows);
		compiled_release(&c);
	}
}

/* Text between two functions at its ends, 0x4000 bytes apart. */
static void compile_gap(struct compiled *c, enum frames_shape shape, uint32_t prologue_each)
{
	struct frames f;

	frames_init(&f, shape);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT, 0x800, "", 0);
	frames_fde(&f, FRAMES_TEXT + 0x4800, 0x780, "", 0);
	frames_fde(&f, FRAMES_TEXT + 0x4fc0, 0x40, "", 0);
	for (uint32_t i = 0x800; prologue_each && i < 0x4800; i += prologue_each)
		memcpy(f.text + i, "\x55\x48\x89\xe5", 4);
	compile(c, &f);
}

/* "call" to an address, at one. */
static void put_call(struct frames *f, uint64_t at, uint64_t to)
{
	uint32_t distance = (uint32_t)(to - at - 5);

	f->text[at - FRAMES_TEXT] = 0xe8;
	memcpy(f->text + (at - FRAMES_TEXT) + 1, &distance, sizeof(distance));
}

/* A function of 0x400 bytes that saves rax and rdx, jumps away at 0x401310, and goes on at 0x401320. */
#define SAVE_RDX "\x81\x08"
#define BODY(save_rdx) "\x0c\x06\x10\x86\x02" save_rdx "\x80\x09\x03\x10\x03"
#define LEAVE "\x0a\x0c\x02\x08\x48\x0c\x07\x08\x48\x0b"
#define USUAL_BODY "0x401000 cfa=rbp+16 rbp=[cfa-16]\n"
#define BODY_AGAIN "0x401320 cfa=rbp+16 rbp=[cfa-16]\n"
#define CALLEE (FRAMES_TEXT + 0x800)

static void test_eh_return(void **state)
{
	static const struct {
		const char *name;
		const char *program;
		size_t len;
		uint64_t calls[3]; /* where */
		uint64_t target;
		const char *rows; /* of the function */
	} cases[] = {
		{ "from the last call but one",
		  CODE(BODY(SAVE_RDX) LEAVE),
		  { 0x401200, 0x401300, 0x401308 },
		  CALLEE,
		  USUAL_BODY "0x401300 unsupported\n" BODY_AGAIN },
		{ "at the end of what is searched",
		  CODE(BODY(SAVE_RDX) LEAVE),
		  { 0x401110, 0x401300 },
		  CALLEE,
		  USUAL_BODY "0x401110 unsupported\n" BODY_AGAIN },
		{ "beyond it: all of it",
		  CODE(BODY(SAVE_RDX) LEAVE),
		  { 0x40110f, 0x401300 },
		  CALLEE,
		  "0x401000 unsupported\n" BODY_AGAIN },
		{ "no calls",
		  CODE(BODY(SAVE_RDX) LEAVE),
		  { 0 },
		  CALLEE,
		  "0x401000 unsupported\n" BODY_AGAIN },
		{ "calls to where no code is",
		  CODE(BODY(SAVE_RDX) LEAVE),
		  { 0x401300, 0x401308 },
		  0x408000,
		  "0x401000 unsupported\n" BODY_AGAIN },
		{ "up to the end",
		  CODE(BODY(SAVE_RDX) "\x0c\x02\x08"),
		  { 0x401300, 0x401308 },
		  CALLEE,
		  USUAL_BODY "0x401300 unsupported\n" },
		{ "rdx isn't saved",
		  CODE(BODY("") "\x0c\x02\x08"),
		  { 0x401300, 0x401308 },
		  CALLEE,
		  USUAL_BODY "0x401310 cfa=rcx+8 rbp=[cfa-16]\n" },
		{ "it never leaves",
		  CODE(BODY(SAVE_RDX)),
		  { 0x401300, 0x401308 },
		  CALLEE,
		  USUAL_BODY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer expected = BUFFER_INIT(4096);
		struct compiled c;
		struct frames f;

		frames_init(&f, FRAMES_EH);
		frames_usual_cie(&f);
		frames_fde(&f, FRAMES_TEXT, 0x400, cases[i].program, cases[i].len);
		for (size_t n = 0; n < 3 && cases[i].calls[n]; n++)
			put_call(&f, cases[i].calls[n], cases[i].target);
		compile(&c, &f);
		buffer_printf(&expected, "%s0x401400 none\n", cases[i].rows);
		expect_rows(cases[i].name, &c, buffer_cstr(&expected));
		buffer_release(&expected);
		compiled_release(&c);
	}
}

static void test_gaps(void **state)
{
	static const char none[] = "0x401000 cfa=rsp+8\n0x401800 none\n0x405800 cfa=rsp+8\n"
				   "0x405f80 none\n0x405fc0 cfa=rsp+8\n";
	static const char guessed[] = "0x401000 cfa=rsp+8\n0x401800 frame pointer\n"
				      "0x405800 cfa=rsp+8\n0x405f80 none\n0x405fc0 cfa=rsp+8\n";
	static const struct {
		const char *name;
		enum frames_shape shape;
		uint32_t prologue_each;
		const char *rows;
		uint32_t guessed;
	} cases[] = {
		{ "nothing to be seen", FRAMES_EH, 0, none, 0 },
		{ "frame pointers in few functions", FRAMES_EH, 4096, none, 0 },
		{ "in all", FRAMES_EH, 512, guessed, 1 },
		{ "in just enough", FRAMES_EH, 2048, guessed, 1 },
		{ "Go's, but for the short gap", FRAMES_GO, 0, guessed, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct compiled c;

		compile_gap(&c, cases[i].shape, cases[i].prologue_each);
		expect_rows(cases[i].name, &c, cases[i].rows);
		if (c.outcome.guessed_gaps != cases[i].guessed)
			fail_msg("%s: %u gaps guessed, expected %u", cases[i].name,
				 c.outcome.guessed_gaps, cases[i].guessed);
		compiled_release(&c);
	}
}

/* Go's text is a row and an index. */
static void test_shared_rows(void **state)
{
	struct compiled c;

	compile_gap(&c, FRAMES_EH, 512);
	assert_int_equal(c.table.pages.count, 5);
	assert_int_equal(c.table.rows.count, 1 + 1 + 1 + 1 + 2);
	/* pages 1 to 3 have one row in common, and page 4 begins with it */
	for (uint32_t i = 1; i < 5; i++)
		assert_int_equal(c.table.pages.items[i].row, 2);
	assert_int_equal(c.table.pages.items[4].count, 4);
	compiled_release(&c);
}

/* What no linker writes. */
static void test_sections(void **state)
{
	struct compiled c;
	struct frames f;

	/* A terminator in the middle ends it only where nothing else says how long it is. */
	for (enum frames_shape shape = FRAMES_EH; shape <= FRAMES_HEADLESS; shape++) {
		frames_init(&f, shape);
		frames_usual_cie(&f);
		frames_u32(&f, 0);
		frames_u32(&f, 0);
		frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
		compile(&c, &f);
		expect_rows("a terminator", &c, shape == FRAMES_HEADLESS ? "" : USUAL END);
		compiled_release(&c);
	}

	frames_init(&f, FRAMES_EH);
	frames_usual_cie(&f);
	f.padding = '\x80';
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, CODE(A1 "\x0e\x80"));
	compile(&c, &f);
	expect_rows("a number without end", &c, AT("unsupported"));
	assert_int_equal(c.outcome.fdes_damaged, 1);
	compiled_release(&c);

	frames_init(&f, FRAMES_EH);
	frames_usual_cie(&f);
	f.cie = 0x1000; /* beyond the section */
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	f.cie = f.section.len; /* itself */
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	f.cie = 4; /* within the CIE */
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	compile(&c, &f);
	expect_rows("bad CIEs", &c, "");
	assert_int_equal(c.outcome.fdes_refused, 3);
	compiled_release(&c);

	/* As assemblers write signal frames there. */
	frames_init(&f, FRAMES_DEBUG);
	frames_cie(&f, CODE("\3S\0\1\x78\x10" FRAMES_PROGRAM));
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	compile(&c, &f);
	expect_rows("letters without data", &c, USUAL END);
	compiled_release(&c);

	frames_init(&f, FRAMES_EH);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	frames_u32(&f, 0x1000); /* a length beyond the section */
	frames_u32(&f, 0);
	compile(&c, &f);
	expect_rows("cut", &c, USUAL END);
	assert_true(c.outcome.damaged);
	compiled_release(&c);
}

/* Lengths of 64 bits: .eh_frame's ids keep their 4 bytes, .debug_frame's have 8. */
static void test_long_entries(void **state)
{
	static const unsigned char eh[] = {
		0xff, 0xff, 0xff, 0xff, 0x14, 0,   0,   0, 0, 0,    0,    0, /* length */
		0,    0,    0,    0,    1,    'z', 'R', 0, 1, 0x78, 0x10, 1,
		0x1b, 0x0c, 7,    8,    0x90, 1,   0,   0,
	};
	static const unsigned char debug[] = {
		0xff, 0xff, 0xff, 0xff, 0x14, 0,    0,    0,    0, 0, 0, 0, /* length */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 1, 0x78,
		0x10, 0x0c, 7,    8,    0x90, 1,    0,    0,
	};
	struct compiled c;
	struct frames f;

	frames_init(&f, FRAMES_EH);
	buffer_append(&f.section, eh, sizeof(eh));
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	compile(&c, &f);
	expect_rows(".eh_frame", &c, USUAL END);
	compiled_release(&c);

	frames_init(&f, FRAMES_DEBUG);
	buffer_append(&f.section, debug, sizeof(debug));
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, "", 0);
	compile(&c, &f);
	expect_rows(".debug_frame", &c, USUAL END);
	compiled_release(&c);
}

static int torture_compile(void *ctx)
{
	struct compiled *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = compile_region(c, *(int *)ctx, 0, UINT64_MAX, UNWIND_MAX_ROWS);
	if (r == 0)
		r = buffer_error(&c->text);
	compiled_release(c);
	free(c);
	return r;
}

static void test_torture(void **state)
{
	struct frames f;
	int fd;

	frames_init(&f, FRAMES_EH);
	frames_usual_cie(&f);
	frames_fde(&f, FRAMES_TEXT + 0x100, 0x40, "", 0);
	frames_fde(&f, FRAMES_TEXT + 0x10, 0x40, CODE("\x41\x0e\x10"));
	fd = frames_file(&f);
	assert_true(torture(torture_compile, &fd) > 5);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),     cmocka_unit_test(test_set_loc),
		cmocka_unit_test(test_cies),         cmocka_unit_test(test_functions),
		cmocka_unit_test(test_eh_return),    cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_shared_rows),  cmocka_unit_test(test_sections),
		cmocka_unit_test(test_long_entries), cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
