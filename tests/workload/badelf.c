/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code from a file that is no honest ELF file. Writes $TMPDIR/badelf-MODE.so: a page of header, a
 * page of code (badelf_spin's bytes), a page of rubbish; maps it executable and runs it there. The
 * modes:
 *
 *	garbage     the first page is rubbish
 *	lying       an ELF header whose every offset, size and count is the largest there is
 *	truncated   cut off behind the page of code once mapped: reading on through a mapping is SIGBUS
 *	huge        a lying header in a sparse file of 1 TiB
 *	loop        a symbol table that is its own string table, with impossible sizes
 *
 * The profile must have this time under this file's name, and the rest of the machine must keep its
 * names.
 *
 * usage: badelf MODE [CPU-SECONDS]
 */
#include "truth.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

void badelf_spin(uint64_t rounds);
extern const char badelf_spin_end[];

#if defined(__x86_64__)
#define LOOP "1:\tdec %rdi\n\tnop\n\tnop\n\tjnz 1b\n\tret\n"
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define LOOP "1:\tsubs x0, x0, #1\n\tnop\n\tnop\n\tb.ne 1b\n\tret\n"
#define MACHINE EM_AARCH64
#else
#error "badelf.c: write the loop for this architecture"
#endif

__asm__(".text\n"
	".globl badelf_spin, badelf_spin_end\n"
	".type badelf_spin, %function\n"
	"badelf_spin:\n"
	".cfi_startproc\n" LOOP ".cfi_endproc\n"
	"badelf_spin_end:\n"
	".size badelf_spin, . - badelf_spin\n");

static void header_fill(unsigned char *page, const char *mode)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)page;
	Elf64_Shdr *sections = (Elf64_Shdr *)(page + 512);

	memset(page, 0xa5, PAGE_BYTES);
	if (!strcmp(mode, "garbage"))
		return;
	memset(page, 0xff, PAGE_BYTES);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = ET_DYN;
	header->e_machine = MACHINE;
	header->e_version = EV_CURRENT;
	header->e_ehsize = sizeof(Elf64_Ehdr);
	header->e_phentsize = sizeof(Elf64_Phdr);
	header->e_shentsize = sizeof(Elf64_Shdr);
	if (strcmp(mode, "loop") != 0)
		return;
	header->e_phoff = sizeof(*header);
	header->e_phnum = 0;
	header->e_shoff = 512;
	header->e_shnum = 2;
	header->e_shstrndx = 1;
	memset(sections, 0, 2 * sizeof(*sections));
	sections[1].sh_type = SHT_SYMTAB;
	sections[1].sh_offset = 512;
	sections[1].sh_size = PAGE_BYTES; /* not a multiple of an entry either */
	sections[1].sh_link = 1;
	sections[1].sh_entsize = 1;
}

static int file_make(const char *mode)
{
	static unsigned char page[PAGE_BYTES];
	const char *tmp = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/badelf-%s.so", tmp && *tmp ? tmp : "/tmp", mode);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0) {
		perror(path);
		exit(2);
	}
	header_fill(page, mode);
	if (write(fd, page, PAGE_BYTES) != (ssize_t)PAGE_BYTES)
		abort();
	memset(page, 0, PAGE_BYTES);
	memcpy(page, (const void *)badelf_spin,
	       (size_t)(badelf_spin_end - (const char *)badelf_spin));
	if (write(fd, page, PAGE_BYTES) != (ssize_t)PAGE_BYTES)
		abort();
	memset(page, 0x5a, PAGE_BYTES);
	if (write(fd, page, PAGE_BYTES) != (ssize_t)PAGE_BYTES)
		abort();
	if (!strcmp(mode, "huge") && ftruncate(fd, 1ll << 40) < 0) {
		/* a file system may not know files of this size: the largest it does know */
		for (int bits = 39; bits > 30 && ftruncate(fd, 1ll << bits) < 0 && errno == EFBIG;
		     bits--)
			;
	}
	return fd;
}

static void (*mapped_spin)(uint64_t rounds);

static void spin_mapped(uint64_t rounds)
{
	mapped_spin(rounds);
}

int main(int argc, char **argv)
{
	struct account account = { .name = "(mapped)", .work = spin_mapped, .share = 1 };
	uint64_t random = truth_seed();
	unsigned char *map;
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: badelf MODE [CPU-SECONDS]\n");
		return 2;
	}
	fd = file_make(argv[1]);
	map = mmap(NULL, 3ul * PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		abort();
	if (!strcmp(argv[1], "truncated") && ftruncate(fd, 2ll * PAGE_BYTES) < 0)
		abort();
	close(fd);
	*(void **)&mapped_spin = map + PAGE_BYTES;

	truth_wait_for_go();
	accounts_run(&account, 1, truth_cpu_seconds(argc - 1, argv + 1, 1), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("badelf");
	return 0;
}
