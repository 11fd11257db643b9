// SPDX-License-Identifier: Apache-2.0
/*
 * Names of real files' code beside nm's, of one without section headers, and of the vDSO.
 */
#include "tests/unit/symbolizer_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/wait.h>

#include "tests/unit/symbolizer_image.h"

/* ---- real files ---- */

/* What a command prints; false if there is no such command. */
static bool command_output(char *const argv[], struct buffer *ret)
{
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(buffer_read_fd(ret, fds[0]), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct oracle {
	uint64_t start, size;
	const char *name; /* in the command's output */
};

static int oracle_compare(const void *a, const void *b)
{
	const struct oracle *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* "0000000000026490 0000000000000022 T abort@@GLIBC_2.2.5": sized symbols of code. */
static uint32_t oracle_parse(char *text, struct oracle *oracle, uint32_t max)
{
	uint32_t n = 0;
	char *line;

	while (n < max && (line = strsep(&text, "\n"))) {
		char *p = line, *start = strsep(&p, " "), *size = strsep(&p, " "),
		     *type = strsep(&p, " ");

		if (!p || strlen(type) != 1 || !strchr("tTwWi", *type) || strlen(size) != 16)
			continue;
		p[strcspn(p, "@")] = '\0';
		oracle[n++] =
			(struct oracle){ strtoull(start, NULL, 16), strtoull(size, NULL, 16), p };
	}
	qsort(oracle, n, sizeof(*oracle), oracle_compare);
	return n;
}

/* Is there a symbol of that start and name? */
static bool oracle_knows(const struct oracle *oracle, uint32_t n, uint64_t start, const char *name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (oracle[i].start == start && strcmp(oracle[i].name, name) == 0)
			return true;
	}
	return false;
}

static uint64_t offset_of(int fd, uint64_t vaddr)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	assert_int_equal(pread(fd, &e, sizeof(e), 0), sizeof(e));
	for (unsigned int i = 0; i < e.e_phnum; i++) {
		assert_int_equal(pread(fd, &p, sizeof(p), (off_t)(e.e_phoff + i * sizeof(p))),
				 sizeof(p));
		if (p.p_type == PT_LOAD && (p.p_flags & PF_X) && vaddr >= p.p_vaddr &&
		    vaddr - p.p_vaddr < p.p_filesz)
			return vaddr - p.p_vaddr + p.p_offset;
	}
	return UINT64_MAX;
}

/*
 * nm's symbols of `path`, 1000 of them spread over all: each start is answered with one that nm has
 * there, each last byte with one that contains it.
 */
static void check_against_nm(const char *path, char *dynamic)
{
	enum { MAX = 200000, STEP_COUNT = 1000 };
	struct oracle *oracle = calloc(MAX, sizeof(*oracle));
	char *argv[] = { (char *)"nm", (char *)"-S", (char *)"--defined-only",
			 dynamic,      (char *)path, NULL };
	struct buffer out = BUFFER_INIT(64 << 20);
	static uint64_t offsets[2 * STEP_COUNT];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t n, count = 0, named = 0;
	struct asked a;

	assert_non_null(oracle);
	if (fd < 0 || !command_output(argv, &out)) {
		free(oracle);
		buffer_release(&out);
		skip();
		return;
	}
	n = oracle_parse((char *)buffer_cstr(&out), oracle, MAX);
	assert_true(n > 10);
	for (uint32_t i = 0; i < n; i += 1 + n / STEP_COUNT) {
		uint64_t first = offset_of(fd, oracle[i].start);

		if (first == UINT64_MAX || oracle[i].size == 0 ||
		    (count && first <= offsets[count - 1]))
			continue;
		offsets[count++] = first;
		if (oracle[i].size > 1)
			offsets[count++] = first + oracle[i].size - 1;
	}
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct symbols *s = &a.symbols;
		const struct symbol_function *f;

		assert_int_not_equal(s->answers[i].function, SYMBOLS_NONE);
		f = &s->functions[s->answers[i].function];
		assert_true(oracle_knows(oracle, n, f->start, s->strings + f->system_name));
		named++;
	}
	assert_true(named > 10);
	asked_release(&a);
	buffer_release(&out);
	free(oracle);
	close(fd);
}

/* Where a function of this process is in its file. */
static uint64_t own_offset(const void *function, char *ret_path, size_t size)
{
	uint64_t address = (uint64_t)(uintptr_t)function;
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t found = UINT64_MAX;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		char *p = line;
		uint64_t start = strtoull(p, &p, 16), end = strtoull(p + 1, &p, 16);
		uint64_t offset = strtoull(p + 6, &p, 16);
		char *path = strchr(p, '/');

		if (address < start || address >= end || !path)
			continue;
		path[strcspn(path, "\n")] = '\0';
		snprintf(ret_path, size, "%s", path);
		found = offset + (address - start);
	}
	fclose(maps);
	return found;
}

static void test_nm_self(void **state)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(len > 0);
	path[len] = '\0';
	check_against_nm(path, (char *)"-n");
}

static void test_nm_libc(void **state)
{
	char path[512] = "";

	if (own_offset((const void *)(uintptr_t)getenv, path, sizeof(path)) == UINT64_MAX)
		skip();
	check_against_nm(path, (char *)"-D");
}

static void test_nm_node(void **state)
{
	check_against_nm("/usr/bin/node", (char *)"-n");
}

/* As the dynamic loader sees it: section headers gone, libc still has its names. */
static void test_without_section_headers(void **state)
{
	struct buffer bytes = BUFFER_INIT(64 << 20);
	char path[512] = "", name[200];
	uint64_t offset = own_offset((const void *)(uintptr_t)getenv, path, sizeof(path));
	Elf64_Ehdr *header;
	struct asked a;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || buffer_read_fd(&bytes, fd) < 0)
		skip();
	close(fd);
	header = (Elf64_Ehdr *)bytes.data;
	header->e_shoff = 0;
	header->e_shnum = 0;
	header->e_shstrndx = 0;
	fd = memory_file(bytes.data, bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
	asked_text(&a, 0, name, sizeof(name));
	name[strcspn(name, " ")] = '\0';
	assert_string_equal(name, "getenv");
	assert_int_equal(a.symbols.reply->status, SYMBOLS_OK);
	asked_release(&a);
	buffer_release(&bytes);
	close(fd);
}

/* The vDSO is read from memory: it has no file. */
static void test_vdso(void **state)
{
	const char *image =
		(const char *)getauxval(AT_SYSINFO_EHDR); // NOLINT(performance-no-int-to-ptr)
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	size_t len;
	uint32_t named = 0;
	static uint64_t offsets[4096];
	struct asked a;
	int fd;

	if (!image) {
		skip();
		return;
	}
	len = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	fd = memory_file(image, len);
	for (uint32_t i = 0; i < 4096; i++)
		offsets[i] = i * (uint64_t)len / 4096;
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, 4096);
	for (uint32_t i = 0; i < 4096; i++) {
		char text[200];

		named += strstr(asked_text(&a, i, text, sizeof(text)), "clock_gettime") != NULL;
	}
	assert_true(named > 0);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_OK);
	asked_release(&a);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nm_self), cmocka_unit_test(test_nm_libc),
		cmocka_unit_test(test_nm_node), cmocka_unit_test(test_without_section_headers),
		cmocka_unit_test(test_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
