// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged ELF files, asked for names, and for their debug files, in this very process: whatever is in a file, the
 * answer is one that the agent believes, it takes less than two seconds, and no more memory than the sandbox allows.
 *
 * MUTANTS=N makes N of them (`make hostile`: 100,000, under AddressSanitizer and UBSan), MUTANT_SEED repeats
 * a run, MUTANT=K does the one with that number only.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"
#include "tests/hostile/mutant.h"

#define MUTANTS 20000
#define MAX_NS (2 * NS_PER_S)
/* Sanitizers take their time: some eight times as much. */
#define MAX_COSTLY_NS (SANITIZED ? 16 * NS_PER_S : MAX_NS)
#define MAX_DATA_BYTES (64u << 20) /* the role's RLIMIT_DATA */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Few addresses mostly, as of most files; now and then as many as one request may have. */
static uint32_t offset_count(struct mutants *m)
{
	if (mutants_random(m, 1000) == 0)
		return SYMBOLS_MAX_ADDRESSES;
	return (uint32_t)(mutants_random(m, 32) ? mutants_random(m, 65) : mutants_random(m, 4097));
}

/* The CPU time that it took, in ns. */
static uint64_t ask(struct mutants *m, int fd, struct symbol_request *request, uint32_t *statuses)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	uint64_t *offsets = (uint64_t *)(request + 1), begin, took;
	struct err err = { 0 };
	struct symbols s;
	int r;

	*request = (struct symbol_request){ SYMBOLS_ELF, offset_count(m) };
	mutants_offsets(m, offsets, request->count);
	begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	/* Each fourth is its own debug file. */
	r = request_answer(request, sizeof(*request) + request->count * sizeof(*offsets),
			   (const int[]){ fd, fd }, mutants_random(m, 4) ? 1 : 2, &reply);
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
	if (r < 0)
		fail_msg("%s: no answer: %s", mutants_story(m), strerror(-r));
	if (symbols_check(reply.data, reply.len, request->count, &s, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	if (took > MAX_NS)
		fail_msg("%s: took %.3f s", mutants_story(m), (double)took / NS_PER_S);
	statuses[s.reply->status]++;
	buffer_release(&reply);
	return took;
}

/* What it says of its debug files, and whether it is its own. */
static void ask_debug(struct mutants *m, int fd)
{
	const struct debug_request request = { .question = (uint32_t)mutants_random(
						       m, DEBUG_OF_ALTERNATE + 1) };
	struct buffer bytes = BUFFER_INIT(1 << 16);
	struct debug_reply reply;
	struct err err = { 0 };
	int r;

	r = request_answer_debug(&request, sizeof(request), (const int[]){ fd, fd },
				 request.question == DEBUG_OF_FILE ? 1 : 2, &bytes);
	if (r < 0)
		fail_msg("%s: no answer about debug files: %s", mutants_story(m), strerror(-r));
	if (debug_check(bytes.data, bytes.len, &reply, &err) < 0)
		fail_msg("%s: %s", mutants_story(m), err.text);
	buffer_release(&bytes);
}

/* Private memory of this process, in bytes. */
static uint64_t data_bytes(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long kb = 0;
	char line[256];

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmData:", 7))
			kb = strtoull(line + 7, NULL, 10);
	fclose(status);
	assert_true(kb > 0);
	return kb << 10;
}

/* Beyond what is there already no more than the role has. Sanitizers need terabytes. */
static void limit_memory(void)
{
	uint64_t most = data_bytes() + MAX_DATA_BYTES;

	if (!SANITIZED)
		assert_int_equal(setrlimit(RLIMIT_DATA, &(struct rlimit){ most, most }), 0);
}

/* Of all kinds there must be some, or the damage is not what it is meant to be. */
static void check_variety(uint64_t count, const uint32_t *statuses)
{
	printf("# of %llu: %u good, %u no ELF, %u without symbols, %u damaged, %u too large\n",
	       (unsigned long long)count, statuses[SYMBOLS_OK], statuses[SYMBOLS_NOT_ELF],
	       statuses[SYMBOLS_NO_TABLE], statuses[SYMBOLS_DAMAGED], statuses[SYMBOLS_LIMIT]);
	if (count < MUTANTS)
		return;
	assert_true(statuses[SYMBOLS_OK] > count / 20);
	assert_true(statuses[SYMBOLS_DAMAGED] > count / 20);
	assert_true(statuses[SYMBOLS_NOT_ELF] > count / 100);
	assert_true(statuses[SYMBOLS_NO_TABLE] > count / 100);
}

static void test_mutants(void **state)
{
	struct mutants *m = mutants_new(mutants_setting("MUTANT_SEED", 0));
	uint64_t first = mutants_setting("MUTANT", 0),
		 count = first ? 1 : mutants_setting("MUTANTS", MUTANTS);
	struct symbol_request *request =
		malloc(sizeof(*request) + SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t));
	uint32_t statuses[SYMBOLS_STATUS_COUNT] = { 0 };
	uint64_t sum = 0, worst = 0;
	char worst_story[2048] = "";
	struct rusage usage;

	(void)state;
	assert_non_null(request);
	limit_memory();
	printf("# MUTANT_SEED=%llu\n", (unsigned long long)mutants_seed(m));
	for (uint64_t i = first; i < first + count; i++) {
		int fd = mutants_make(m, i);
		uint64_t took;

		took = ask(m, fd, request, statuses);
		ask_debug(m, fd);
		sum += took;
		if (took > worst) {
			worst = took;
			snprintf(worst_story, sizeof(worst_story), "%s", mutants_story(m));
		}
	}
	getrusage(RUSAGE_SELF, &usage);
	check_variety(count, statuses);
	printf("# %.3f s in all, at worst %.1f ms; %ld MiB at most, originals included\n# %s\n",
	       (double)sum / NS_PER_S, (double)worst / NS_PER_MS, usage.ru_maxrss >> 10,
	       worst_story);
	free(request);
	mutants_free(m);
}

/* ---- files that are made to take long ---- */

/* Of the file below. Each range is a page apart from the next. */
#define RANGES 65536u
#define SYMBOLS (4u << 20)
#define NAMES_BYTES 65536u

/*
 * 96 MiB of symbols, both tables the same, each in another range of code and at another address than the last: none
 * is found where the last one was.
 */
static int costly_file(void)
{
	const uint64_t sections_at = 4096, section_count = RANGES + 4;
	const uint64_t symbols_at = sections_at + section_count * sizeof(Elf64_Shdr);
	const uint64_t names_at = symbols_at + SYMBOLS * sizeof(Elf64_Sym);
	int fd = memfd_create("costly", MFD_CLOEXEC);
	unsigned char *file;
	Elf64_Shdr *sections;
	Elf64_Sym *symbols;

	assert_int_equal(ftruncate(fd, (off_t)(names_at + NAMES_BYTES)), 0);
	file = mmap(NULL, names_at + NAMES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	*(Elf64_Ehdr *)file = (Elf64_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
							 ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
					    .e_type = ET_DYN,
					    .e_phoff = sizeof(Elf64_Ehdr),
					    .e_phnum = 1,
					    .e_phentsize = sizeof(Elf64_Phdr),
					    .e_shoff = sections_at,
					    .e_shentsize = sizeof(Elf64_Shdr) };
	*(Elf64_Phdr *)(file + sizeof(Elf64_Ehdr)) =
		(Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 1ull << 40 };
	sections = (Elf64_Shdr *)(file + sections_at);
	sections[0].sh_size = section_count;
	sections[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
				    .sh_offset = symbols_at,
				    .sh_link = 3,
				    .sh_size = names_at - symbols_at,
				    .sh_entsize = sizeof(Elf64_Sym) };
	sections[2] = sections[1];
	sections[2].sh_type = SHT_DYNSYM;
	sections[3] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
				    .sh_offset = names_at,
				    .sh_size = NAMES_BYTES };
	for (uint32_t i = 0; i < RANGES; i++)
		sections[4 + i] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
						.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
						.sh_addr = i * 4096ull,
						.sh_size = 4000 };
	symbols = (Elf64_Sym *)(file + symbols_at);
	for (uint32_t i = 0; i < SYMBOLS; i++)
		symbols[i] =
			(Elf64_Sym){ .st_name = 1,
				     .st_shndx = 5,
				     .st_size = 1,
				     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				     .st_value = i * 2654435761u % RANGES * 4096ull + i % 4000 };
	memset(file + names_at + 1, 'a', 100);
	munmap(file, names_at + NAMES_BYTES);
	return fd;
}

static void test_costly(void **state)
{
	static struct {
		struct symbol_request head;
		uint64_t offsets[SYMBOLS_MAX_ADDRESSES];
	} request = { { SYMBOLS_ELF, SYMBOLS_MAX_ADDRESSES }, { 0 } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	int fd = costly_file();
	struct symbols s;
	uint64_t took;

	(void)state;
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES; i++)
		request.offsets[i] = i * 4096ull + 2000;
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	assert_int_equal(request_answer(&request, sizeof(request), &fd, 1, &reply), 0);
	took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - took;
	assert_int_equal(symbols_check(reply.data, reply.len, SYMBOLS_MAX_ADDRESSES, &s, NULL), 0);
	assert_int_equal(s.reply->status, SYMBOLS_LIMIT);
	printf("# the costly file took %.3f s\n", (double)took / NS_PER_S);
	assert_true(took <= MAX_COSTLY_NS);
	buffer_release(&reply);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costly),
		cmocka_unit_test_teardown(test_mutants, mutants_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
