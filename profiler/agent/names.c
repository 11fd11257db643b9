// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's names come from /proc/kallsyms, opened by the opener, which has the privilege, and read by
 * the symbolizer. It is opened after the capture: reading it costs 56 ms of kernel time for 122,000 lines.
 * The vDSO is the same image in every process of a kernel, so our own serves for all.
 *
 * A file is asked alone first: most have the names of what was sampled, and then nobody has to look for its
 * debug file. If that breaks the symbolizer, it costs its own names, not the file's.
 */
#include "profiler/agent/names.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/aggregate/window.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

/* The image's length: its section headers come last, as the kernel's build lays it out. */
static size_t vdso_bytes(const ElfW(Ehdr) * image)
{
	return image->e_shoff + (size_t)image->e_shentsize * image->e_shnum;
}

static int vdso_open(struct err *err)
{
	const ElfW(Ehdr) *image = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (!image)
		return err_set(err, -ENOENT, "this kernel has no vDSO");
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(err, -errno, "cannot make a file for the vDSO");
	r = fd_write_all(fd, image, vdso_bytes(image));
	if (r < 0)
		return err_errno(err, r, "cannot copy the vDSO");
	return take_fd(&fd);
}

int live_names_kernel(struct live_names *n, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		      struct err *err)
{
	_cleanup_(fd_close) int kallsyms = -1, modules = -1;
	int r = outside_kernel(n->outside, &kallsyms, &modules, err);

	if (r < 0)
		return r;
	return symbols_client_ask(n->client, SYMBOLS_KERNEL, (const int[]){ kallsyms, modules },
				  modules < 0 ? 1 : 2, addresses, count, ret, ret_bytes, ret_len,
				  err);
}

int live_names_vdso(struct live_names *n, struct err *err)
{
	if (n->vdso_fd < 0)
		n->vdso_fd = vdso_open(err);
	return n->vdso_fd;
}

/* Is there code of the file without a name? */
static bool names_are_missing(const struct symbols *s)
{
	for (uint32_t i = 0; i < s->reply->answer_count; i++)
		if (s->answers[i].module != SYMBOLS_NONE && s->answers[i].function == SYMBOLS_NONE)
			return true;
	return false;
}

int live_names_file(struct live_names *n, uint32_t file, int fd, const uint64_t *addresses,
		    uint32_t count, struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		    struct err *err)
{
	_cleanup_(fd_close) int debug = -1;
	struct file_place place;
	int r = symbols_client_ask(n->client, SYMBOLS_ELF, &fd, 1, addresses, count, ret, ret_bytes,
				   ret_len, err);

	if (r < 0 || !n->debug || !names_are_missing(ret))
		return r;
	place = file_table_place(n->files, file);
	if (debug_files_find(n->debug, file, &place, fd, &debug) == 0 &&
	    symbols_client_ask(n->client, SYMBOLS_ELF, (const int[]){ fd, debug }, 2, addresses,
			       count, ret, ret_bytes, ret_len, NULL) == 0)
		return 0;
	/* That reply is gone: its buffer has had others since. */
	return symbols_client_ask(n->client, SYMBOLS_ELF, &fd, 1, addresses, count, ret, ret_bytes,
				  ret_len, err);
}

int live_names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err)
{
	struct live_names *n = ctx;
	const void *bytes = NULL;
	uint32_t len = 0;
	int r = 0;

	if (space == WINDOW_SPACE_VDSO)
		r = fd = live_names_vdso(n, err);
	if (space == WINDOW_SPACE_KERNEL)
		r = live_names_kernel(n, addresses, count, ret, &bytes, &len, err);
	else if (space >= WINDOW_SPACE_FILES && r >= 0)
		r = live_names_file(n, space - WINDOW_SPACE_FILES, fd, addresses, count, ret,
				    &bytes, &len, err);
	else if (r >= 0)
		r = symbols_client_ask(n->client, SYMBOLS_ELF, &fd, 1, addresses, count, ret,
				       &bytes, &len, err);
	if (n->told)
		n->told(n->told_ctx, NAMES_SYMBOLS, space, bytes, r < 0 ? 0 : len);
	return r < 0 ? r : 0;
}

/* What lists there are of the process's code, at most two. */
static uint32_t code_lists(const struct live_names *n, uint32_t owner, int dump_fd, int *fds)
{
	int map_fd = n->maps ? perfmaps_fd(n->maps, owner) : -1;
	uint32_t count = 0;

	if (dump_fd >= 0)
		fds[count++] = dump_fd;
	if (map_fd >= 0)
		fds[count++] = map_fd;
	return count;
}

/* Within the time that all such requests have together. */
static int ask_code(struct live_names *n, const int *fds, uint32_t fd_count,
		    const uint64_t *addresses, const struct symbol_moment *moments, uint32_t count,
		    struct symbols *ret, const void **ret_bytes, uint32_t *ret_len, struct err *err)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (n->code_ns >= LIVE_NAMES_MAX_CODE_NS) {
		counter_add(n->counters, COUNTER_CODE_MAPS_UNASKED, 1);
		return err_set(err, -ETIME, "naming code made at run time has taken too long");
	}
	r = symbols_client_ask_code(n->client, fds, fd_count, addresses, moments, count, ret,
				    ret_bytes, ret_len, err);
	n->code_ns += clock_ns(CLOCK_MONOTONIC) - begin_ns;
	return r;
}

int live_names_ask_code(struct live_names *n, uint32_t owner, int dump_fd,
			const uint64_t *addresses, const struct symbol_moment *moments,
			uint32_t count, struct symbols *ret, struct err *err)
{
	const void *bytes = NULL;
	uint32_t fd_count, len = 0;
	int fds[2], r;

	fd_count = code_lists(n, owner, dump_fd, fds);
	if (!fd_count)
		return err_set(err, -ENOENT, "the process says nothing of its code");
	r = ask_code(n, fds, fd_count, addresses, moments, count, ret, &bytes, &len, err);
	if (n->told)
		n->told(n->told_ctx, NAMES_SYMBOLS, NAMES_CODE_SPACE(owner), bytes,
			r < 0 ? 0 : len);
	return r < 0 ? r : 0;
}

int live_names_late(struct live_names *n, uint32_t space, int fd, const uint64_t *addresses,
		    uint32_t count, struct symbols *ret, struct err *err)
{
	struct file_place place = file_table_place(n->files, space - WINDOW_SPACE_FILES);
	_cleanup_(fd_close) int debug = -1;
	const void *bytes;
	uint32_t len;
	int r = live_lines_left_ns(n) ? 0 : -ETIME;

	if (r == 0 && n->debug)
		r = debug_files_find(n->debug, space - WINDOW_SPACE_FILES, &place, fd, &debug);
	if (r < 0 || debug < 0)
		return err_set(err, r < 0 ? r : -ENOENT, "no debug file has turned up");
	r = symbols_client_ask(n->client, SYMBOLS_ELF, (const int[]){ fd, debug }, 2, addresses,
			       count, ret, &bytes, &len, err);
	if (r == 0 && n->told)
		n->told(n->told_ctx, NAMES_LATE, space, bytes, len);
	return r;
}

void line_files_close(struct line_files *f)
{
	fd_close(&f->dwarf);
	fd_close(&f->alternate);
}

int line_files_copy(const struct line_files *f, struct line_files *ret)
{
	struct line_files copy = LINE_FILES_NONE;
	int r;

	copy.dwarf = fcntl(f->dwarf, F_DUPFD_CLOEXEC, 3);
	if (copy.dwarf >= 0 && f->alternate >= 0)
		copy.alternate = fcntl(f->alternate, F_DUPFD_CLOEXEC, 3);
	if (copy.dwarf < 0 || (copy.alternate < 0) != (f->alternate < 0)) {
		r = -errno;
		line_files_close(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

void live_names_release(struct live_names *n)
{
	fd_close(&n->vdso_fd);
}
