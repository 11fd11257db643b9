// SPDX-License-Identifier: Apache-2.0
/*
 * A list of a Debian package's files, out of a container's root: its name up to the first newline, then what is in it, twice, as
 * if two packages had it. Each path asked about has one line of an answer, which is no more than a package's name.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/package_list.h"

static const char *const paths[] = { "/usr/lib/x86_64-linux-gnu/libc.so.6", "/bin/a", "/usr/bin/a",
				     "", "/bin/a" };
#define PATHS (sizeof(paths) / sizeof(paths[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void answer_is_sound(const struct buffer *out)
{
	size_t lines = 0, start = 0;

	for (size_t i = 0; i < out->len; i++) {
		if (out->data[i] != '\n') {
			check(strchr("abcdefghijklmnopqrstuvwxyz0123456789+-.", out->data[i]) &&
			      out->data[i]);
			continue;
		}
		check(i - start < PACKAGE_MAX_NAME);
		start = i + 1;
		lines++;
	}
	check(lines == PATHS && start == out->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	struct buffer out = BUFFER_INIT(1u << 20);
	struct package_search *s;
	int fd = memfd_create("list", MFD_CLOEXEC);
	char *name;

	check(fd >= 0);
	if (newline) {
		name = calloc(1, (size_t)(newline - data) + 1);
		check(name);
		memcpy(name, data, (size_t)(newline - data));
		check(package_search_new(&s, paths, PATHS) == 0);
		check(fd_write_all(fd, newline + 1, size - (size_t)(newline + 1 - data)) == 0);
		for (int i = 0; i < 2; i++) {
			check(lseek(fd, 0, SEEK_SET) == 0);
			package_search_list(s, i ? "other.list" : name, fd);
		}
		check(package_search_answer(s, &out) == 0);
		answer_is_sound(&out);
		package_search_free(s);
		free(name);
	}
	buffer_release(&out);
	close(fd);
	return 0;
}
