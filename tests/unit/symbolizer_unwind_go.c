// SPDX-License-Identifier: Apache-2.0
/*
 * What Go's table says of functions' frames, and what their code does, as rows. The code is what Go's compiler and
 * runtime have. (Whether the rows are right for running programs: tests/e2e/go.bats.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/go_pclntab.h"
#include "symbolizer/unwind_compile.h"
#include "symbolizer/unwind_dump.h"
#include "tests/unit/symbolizer_go.h"

#define LINES \
	"\x14\x7f" /* line 9 for 127 bytes: where the function ends, if its frames don't say */

struct code {
	const char *bytes;
	uint32_t len;
};
#define CODE(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

struct function {
	const char *name;
	struct code code;
	const char *frames; /* program */
	unsigned char flags;
	const char *rows; /* addresses relative to the text */
	enum go_version version;
};

/* The rows but for the counts in front and the last, where no function is. */
static void rows_of(int fd, char *ret, size_t size)
{
	struct unwind_table *t = calloc(1, sizeof(*t));
	struct buffer text = BUFFER_INIT(1 << 20);
	struct unwind_outcome outcome;
	struct elf_file f;
	const char *line;

	assert_non_null(t);
	assert_int_equal(elf_file_open(&f, fd), 0);
	assert_int_equal(unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, t, &outcome), 0);
	assert_true(outcome.go);
	unwind_dump(t, &outcome, &text);
	assert_int_equal(buffer_error(&text), 0);
	*ret = 0;
	for (line = buffer_cstr(&text); line && *line; line = strchr(line, '\n') + 1) {
		char *rule;
		unsigned long long at = strtoull(line, &rule, 16);

		if (*line != '#')
			snprintf(ret + strlen(ret), size - strlen(ret), "%llx%.*s\n", at - GO_TEXT,
				 (int)strcspn(rule, "\n"), rule);
	}
	elf_file_release(&f);
	unwind_table_release(t);
	buffer_release(&text);
	free(t);
}

static void check(const struct function *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct go_made made[] = {
			{ all[i].name, 0, all[i].frames, NULL, LINES, all[i].flags },
			{ NULL, 0x80, NULL, NULL, NULL, 0 },
		};
		struct go_file g;
		char rows[4096];
		int fd;

		go_make(&g, all[i].version, made);
		memcpy(g.text, all[i].code.bytes, all[i].code.len);
		fd = go_file_write(&g);
		rows_of(fd, rows, sizeof(rows));
		if (strcmp(rows, all[i].rows) != 0)
			fail_msg("%s:\n%sexpected\n%s", all[i].name, rows, all[i].rows);
		close(fd);
	}
}

/* sub $24, %rsp; mov %rbp, 16(%rsp); lea 16(%rsp), %rbp */
#define OLD_PROLOGUE "\x48\x83\xec\x18\x48\x89\x6c\x24\x10\x48\x8d\x6c\x24\x10"
/* mov 16(%rsp), %rbp; add $24, %rsp; ret */
#define OLD_EPILOGUE "\x48\x8b\x6c\x24\x10\x48\x83\xc4\x18\xc3"
/* push %rbp; mov %rsp, %rbp; sub $16, %rsp */
#define NEW_PROLOGUE "\x55\x48\x89\xe5\x48\x83\xec\x10"
/* add $16, %rsp; pop %rbp; ret */
#define NEW_EPILOGUE "\x48\x83\xc4\x10\x5d\xc3"

static void test_compiled(void **state)
{
	static const struct function all[] = {
		{ "main.leaf", CODE("\x90\xc3"), "\x02\x02", 0, "0 cfa=rsp+8\n2 none\n", GO_1_20 },
		{ "main.old", CODE(OLD_PROLOGUE "\x90" OLD_EPILOGUE), "\x02\x04\x30\x14\x2f\x01", 0,
		  "0 cfa=rsp+8\n4 cfa=rsp+32\n9 cfa=rsp+32 rbp=[cfa-16]\n18 cfa=rsp+8\n19 none\n",
		  GO_1_18 },
		/* 256 bytes: sub $248+8, mov %rbp, 248(%rsp); the offset takes 4 bytes */
		{ "main.large",
		  CODE("\x48\x81\xec\x00\x01\x00\x00\x48\x89\xac\x24\xf8\x00\x00\x00\x90"),
		  "\x02\x07\x80\x04\x09", 0,
		  "0 cfa=rsp+8\n7 cfa=rsp+264\nf cfa=rsp+264 rbp=[cfa-16]\n10 none\n", GO_1_2 },
		{ "main.new", CODE(NEW_PROLOGUE "\x90" NEW_EPILOGUE),
		  "\x02\x01\x10\x07\x20\x05\x1f\x01\x0f\x01", 0,
		  "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n8 cfa=rsp+32 rbp=[cfa-16]\n"
		  "d cfa=rsp+16 rbp=[cfa-16]\ne cfa=rsp+8\nf none\n",
		  GO_1_20 },
		/* behind a return the frame is there again */
		{ "main.returns", CODE(OLD_PROLOGUE "\x90" OLD_EPILOGUE "\x90"),
		  "\x02\x04\x30\x14\x2f\x01\x30\x01", 0,
		  "0 cfa=rsp+8\n4 cfa=rsp+32\n9 cfa=rsp+32 rbp=[cfa-16]\n18 cfa=rsp+8\n"
		  "19 cfa=rsp+32 rbp=[cfa-16]\n1a none\n",
		  GO_1_16 },
		/* the frame of another kind: rbp may be anywhere */
		{ "main.other", CODE("\x50\x90\x58"), "\x02\x01\x10\x02\x0f\x01", 0,
		  "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=?\n3 cfa=rsp+8\n4 none\n", GO_1_20 },
		/* in assembler code it may be stored later: mov %rbx, 8(%rsp); mov %rbp, (%rsp) */
		{ "main.assembler",
		  CODE("\x48\x83\xec\x10\x48\x89\x5c\x24\x08\x48\x89\x2c\x24\x90"),
		  "\x02\x04\x20\x0a", GO_FUNCTION_ASM,
		  "0 cfa=rsp+8\n4 cfa=rsp+24\nd cfa=rsp+24 rbp=[cfa-24]\ne none\n", GO_1_20 },
		{ "main.odd", CODE("\x90\x90"), "\x02\x01\x06\x01", 0,
		  "0 cfa=rsp+8\n1 unsupported\n2 none\n", GO_1_20 },
		{ "main.negative", CODE("\x90\x90"), "\x02\x01\x03\x01", 0,
		  "0 cfa=rsp+8\n1 unsupported\n2 none\n", GO_1_20 },
		{ "main.none", CODE("\x90\x90"), NULL, 0, "", GO_1_20 },
	};

	check(all, sizeof(all) / sizeof(all[0]));
}

static void test_runtime(void **state)
{
	static const struct function all[] = {
		{ "runtime.goexit", CODE("\x90"), "\x02\x01", GO_FUNCTION_TOP, "0 stop\n7f none\n",
		  GO_1_20 },
		{ "runtime.mstart", CODE("\x90"), "\x02\x01", GO_FUNCTION_TOP, "0 stop\n7f none\n",
		  GO_1_2 },
		{ "runtime.sigreturn__sigaction", CODE("\x90"), "\x02\x01", 0,
		  "0 signal=rsp+40\n7f none\n", GO_1_20 },
		/* flagged as the outermost frame as well, but a signal interrupted another */
		{ "runtime.sigtramp", CODE(OLD_PROLOGUE "\x90" OLD_EPILOGUE),
		  "\x02\x04\x30\x14\x2f\x01", GO_FUNCTION_TOP | GO_FUNCTION_ASM,
		  "0 cfa=rsp+8 interrupted\n4 cfa=rsp+32 interrupted\n"
		  "9 cfa=rsp+32 interrupted rbp=[cfa-16]\n18 cfa=rsp+8 interrupted\n19 none\n",
		  GO_1_20 },
		/* mov 56(%r14), %rsp; push %rax */
		{ "runtime.mcall", CODE("\x90\x49\x8b\x66\x38\x50\x90"), "\x02\x06\x10\x02",
		  GO_FUNCTION_WRITES_SP | GO_FUNCTION_ASM, "0 cfa=rsp+8\n5 stop\n8 none\n",
		  GO_1_20 },
		/* by rbp from where it is set to where it is the caller's again */
		{ "runtime.nanotime1", CODE(OLD_PROLOGUE "\x4c\x89\xe4" OLD_EPILOGUE),
		  "\x02\x04\x30\x16\x2f\x01", GO_FUNCTION_WRITES_SP | GO_FUNCTION_ASM,
		  "0 cfa=rsp+8\n4 cfa=rsp+32\n9 cfa=rsp+32 rbp=[cfa-16]\n"
		  "e cfa=rbp+16 other stack rbp=[cfa-16]\n16 cfa=rsp+32 rbp=[cfa-16]\n1a cfa=rsp+8\n"
		  "1b none\n",
		  GO_1_18 },
		{ "time.now", CODE(NEW_PROLOGUE "\x48\x83\xe4\xf0" NEW_EPILOGUE),
		  "\x02\x01\x10\x07\x20\x08\x1f\x01\x0f\x01",
		  GO_FUNCTION_WRITES_SP | GO_FUNCTION_ASM,
		  "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n4 cfa=rbp+16 other stack rbp=[cfa-16]\n"
		  "11 cfa=rsp+8\n12 none\n",
		  GO_1_20 },
		/* not the runtime's: nobody knows what it has in rbp */
		{ "main.aligns", CODE(NEW_PROLOGUE "\x48\x83\xe4\xf0" NEW_EPILOGUE),
		  "\x02\x01\x10\x07\x20\x08\x1f\x01\x0f\x01",
		  GO_FUNCTION_WRITES_SP | GO_FUNCTION_ASM,
		  "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n8 cfa=rsp+32 rbp=[cfa-16]\nc unsupported\n"
		  "12 none\n",
		  GO_1_20 },
		/* the same without the flag, before there were flags */
		{ "main.aligns", CODE("\x90\x48\x83\xe4\xf0\xc3"), "\x02\x06", 0,
		  "0 cfa=rsp+8\n5 unsupported\n6 none\n", GO_1_16 },
		/* it is said, and not seen */
		{ "main.writes", CODE("\x90\xc3"), "\x02\x02", GO_FUNCTION_WRITES_SP,
		  "0 unsupported\n2 none\n", GO_1_20 },
	};

	check(all, sizeof(all) / sizeof(all[0]));
}

/* mov %rbx, %rsp; call *%rdi; …; mov 56(%rax), %rsp; ret */
#define SYSTEM(get_g, put_g)                                                              \
	"\x48\x89\xdc\xff\xd7" get_g "\x48\x8b\x58\x30\x48\x8b\x83\xc0\x00\x00\x00" put_g \
	"\x48\x8b\x60\x38\xc3"
#define GET_G "\x64\x48\x8b\x04\x25\xf8\xff\xff\xff"
#define PUT_G "\x64\x48\x89\x04\x25\xf8\xff\xff\xff"
#define GET_G_RCX "\x48\xc7\xc1\xf0\xff\xff\xff\x64\x48\x8b\x01"
#define PUT_G_RCX "\x64\x48\x89\x01"

/* mov 56(%rsi), %rsp; sub $64, %rsp; and $-16, %rsp; call *%rax; …; mov %rsi, %rsp; ret; and once more */
#define CALLS_C                                                                            \
	"\x48\x8b\x66\x38\x48\x83\xec\x40\x48\x83\xe4\xf0\xff\xd0\x48\x8b\x7c\x24\x30\x48" \
	"\x8b\x77\x08\x48\x2b\x74\x24\x28\x48\x89\xf4\xc3\x48\x83\xec\x40\x48\x83\xe4\xf0" \
	"\xff\xd0\x48\x8b\x74\x24\x28\x48\x89\xf4\xc3"

static void test_stacks(void **state)
{
	static const struct function all[] = {
		{ "runtime.systemstack", CODE(SYSTEM(GET_G, PUT_G)), "\x02\x30", 6,
		  "0 cfa=rsp+8\n3 goroutine=g-8, m+192\n26 cfa=rsp+8\n30 none\n", GO_1_18 },
		{ "runtime.systemstack", CODE(SYSTEM(GET_G_RCX, PUT_G_RCX)), "\x02\x30", 6,
		  "0 cfa=rsp+8\n3 goroutine=g-16, m+192\n23 cfa=rsp+8\n30 none\n", GO_1_18 },
		{ "runtime.systemstack", CODE(SYSTEM("", "")), "\x02\x30", 6,
		  "0 cfa=rsp+8\n3 unsupported\n30 none\n", GO_1_18 },
		{ "runtime.systemstack", CODE(NEW_PROLOGUE SYSTEM(GET_G, PUT_G)),
		  "\x02\x01\x10\x2f", 6,
		  "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n4 cfa=rbp+16 other stack rbp=[cfa-16]\n30 none\n",
		  GO_1_20 },
		{ "runtime.asmcgocall", CODE(CALLS_C), "\x02\x33", 6,
		  "0 cfa=rsp+8\n4 unsupported\nc goroutine=[rsp+40]\n1f cfa=rsp+8\n24 unsupported\n"
		  "28 goroutine=[rsp+40]\n32 cfa=rsp+8\n33 none\n",
		  GO_1_18 },
	};

	check(all, sizeof(all) / sizeof(all[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiled),
		cmocka_unit_test(test_runtime),
		cmocka_unit_test(test_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
