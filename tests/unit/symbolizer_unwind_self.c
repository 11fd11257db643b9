// SPDX-License-Identifier: Apache-2.0
/*
 * Tables and step together: this process unwinds its own stack by the tables of its own files, and
 * finds frame by frame what libgcc's unwinder finds (backtrace(3)), to the bottom.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/unwind_step.h"
#include "profiler/base/buffer.h"
#include "symbolizer/unwind_compile.h"
#include "tests/unit/symbolizer_rows.h"

#define MAX_MODULES 64
#define MAX_FRAMES 256
#define USER_END 0x7ffffffff000ULL
#define RECURSION 50

/* AddressSanitizer stands between us and backtrace(). */
#ifdef __SANITIZE_ADDRESS__
#define THEIRS_MORE 1
#else
#define THEIRS_MORE 0
#endif

static struct module {
	uint64_t bias, start, limit; /* of executable segments */
	struct unwind_table table;
} modules[MAX_MODULES];
static uint32_t module_count;

/* What was found where a stack was looked at. */
static struct {
	void *theirs[MAX_FRAMES];
	int theirs_count;
	uint64_t ours[MAX_FRAMES];
	uint32_t flags[MAX_FRAMES];
	int ours_count;
	int end;
} seen;

static void module_compile(struct module *m, int fd)
{
	struct unwind_outcome outcome;
	struct elf_file f;

	assert_true(fd >= 0);
	assert_int_equal(elf_file_open(&f, fd), 0);
	assert_int_equal(unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, &m->table, &outcome),
			 0);
	elf_file_release(&f);
	close(fd);
}

static int module_add(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module *m = &modules[module_count];
	int fd;

	assert_true(module_count < MAX_MODULES);
	*m = (struct module){ .bias = info->dlpi_addr, .start = UINT64_MAX };
	for (uint32_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		m->start = start < m->start ? start : m->start;
		m->limit = start + p->p_memsz;
	}
	if (info->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) {
		fd = memfd_create("vdso", MFD_CLOEXEC);
		assert_int_equal(fd_write_all(fd, (void *)info->dlpi_addr, 4096), 0);
	} else {
		fd = open(*info->dlpi_name ? info->dlpi_name : "/proc/self/exe",
			  O_RDONLY | O_CLOEXEC);
	}
	module_compile(m, fd);
	module_count++;
	return 0;
}

static int read_own(void *source, __u64 addr, __u64 *ret)
{
	struct iovec to = { ret, 8 }, from = { (void *)addr, 8 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 8;
}

static int no_register(void *source, __u32 number, __u64 *ret)
{
	return -ENOENT;
}

static const struct unwind_rule *rule_at(uint64_t addr)
{
	static const struct unwind_rule none = { .kind = UNWIND_NONE };

	for (uint32_t i = 0; i < module_count; i++) {
		if (addr >= modules[i].start && addr < modules[i].limit)
			return rows_find(&modules[i].table, addr - modules[i].bias);
	}
	return &none;
}

/* Inlined where it is called: so both see the same frame. */
static inline __attribute__((always_inline)) void look(void)
{
	const struct unwind_source source = {
		.read = read_own,
		.leaf_register = no_register,
		.user_end = USER_END,
	};
	struct unwind_frame f = { .flags = UNWIND_EXACT };

	__asm__ volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
			 : "=r"(f.ip), "=r"(f.sp), "=r"(f.fp));
	seen.theirs_count = backtrace(seen.theirs, MAX_FRAMES);
	seen.end = UNWIND_END_NONE;
	for (seen.ours_count = 0; seen.ours_count < MAX_FRAMES && !seen.end; seen.ours_count++) {
		seen.ours[seen.ours_count] = f.ip;
		seen.flags[seen.ours_count] = f.flags;
		seen.end = unwind_step(rule_at(f.ip), &f, &source);
	}
}

static void compare(const char *name, int least)
{
	if (seen.end != UNWIND_END_BOTTOM)
		fail_msg("%s: ended by %d after %d frames of %d", name, seen.end, seen.ours_count,
			 seen.theirs_count);
	if (seen.ours_count < least || seen.ours_count != seen.theirs_count - THEIRS_MORE)
		fail_msg("%s: %d frames, expected %d, at least %d", name, seen.ours_count,
			 seen.theirs_count - THEIRS_MORE, least);
	for (int i = 1; i < seen.ours_count; i++) { /* of the leaf they have another address */
		uint64_t ours = seen.ours[i] + !(seen.flags[i] & UNWIND_EXACT);

		if (ours != (uintptr_t)seen.theirs[i + THEIRS_MORE])
			fail_msg("%s: frame %d: %llx, expected %p", name, i,
				 (unsigned long long)ours, seen.theirs[i + THEIRS_MORE]);
	}
}

typedef void (*leaf_fn)(void);

static __attribute__((noinline)) void leaf_look(void)
{
	look();
	__asm__ volatile("");
}

static void handle(int number)
{
	look();
	__asm__ volatile("");
}

static __attribute__((noinline)) void leaf_raise(void)
{
	raise(SIGUSR1);
	__asm__ volatile("");
}

/* Frames of different shapes: small, with arrays of a size known at run time only, aligned. */
static __attribute__((noinline)) int descend(int depth, leaf_fn leaf)
{
	_Alignas(64) volatile char aligned[64] = { (char)depth };
	volatile char *dynamic = __builtin_alloca((size_t)depth * 16 + 16);

	dynamic[depth] = aligned[0];
	if (depth == 0)
		leaf();
	else
		aligned[1] = (char)descend(depth - 1, leaf);
	return aligned[0] + dynamic[depth];
}

static int by_callback(const void *a, const void *b)
{
	if (!seen.ours_count)
		look();
	return *(const char *)a - *(const char *)b;
}

static void test_calls(void **state)
{
	descend(RECURSION, leaf_look);
	compare("calls", RECURSION + 3);
}

/* Through libc's frames. */
static void test_callback(void **state)
{
	char items[] = "unwind";

	memset(&seen, 0, sizeof(seen));
	qsort(items, sizeof(items) - 1, 1, by_callback);
	compare("callback", 5);
}

static void test_signal(void **state)
{
	struct sigaction action = { .sa_handler = handle };

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	descend(RECURSION, leaf_raise);
	compare("signal", RECURSION + 5);
}

static void test_signal_stack(void **state)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_size = 1 << 20, .ss_sp = malloc(1 << 20) };

	assert_non_null(stack.ss_sp);
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	descend(RECURSION, leaf_raise);
	compare("signal on another stack", RECURSION + 5);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(stack.ss_sp);
}

static void *thread_main(void *arg)
{
	descend(RECURSION, leaf_look);
	return NULL;
}

static void test_thread(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, thread_main, NULL), 0);
	pthread_join(thread, NULL);
	compare("thread", RECURSION + 3);
}

static int setup(void **state)
{
	void *first[1];

	backtrace(first, 1); /* it loads libgcc the first time */
	dl_iterate_phdr(module_add, NULL);
	return 0;
}

static int teardown(void **state)
{
	for (uint32_t i = 0; i < module_count; i++)
		unwind_table_release(&modules[i].table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),  cmocka_unit_test(test_callback),
		cmocka_unit_test(test_signal), cmocka_unit_test(test_signal_stack),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
