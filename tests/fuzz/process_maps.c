// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/maps: each line by itself, then the whole as what a process table reads. What is accepted must
 * make sense, and be found again where it says it is.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/process/maps.h"
#include "profiler/process/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int source_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	const struct input *in = ctx;

	(void)pid;
	if (what == PROCESS_TEXT_PIDS)
		buffer_text(out, "1\n");
	else if (what == PROCESS_TEXT_MAPS)
		buffer_append(out, in->data, in->size);
	else
		return -ENOENT;
	return buffer_error(out);
}

static int source_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	check(place->ino != 0 && place->path[0] == '/' && place->start < place->end);
	*ret_fd = -1;
	return 0;
}

static void lines(const struct input *in)
{
	static struct maps_line line;
	int r;

	for (size_t at = 0, used = 0; at < in->size; at += used) {
		r = maps_line_parse((const char *)in->data + at, in->size - at, &line, &used);
		check(r == 0 || r == -EINVAL);
		check(used > 0 && used <= in->size - at);
		if (r < 0)
			continue;
		check(line.start < line.end);
		check(strnlen(line.path, sizeof(line.path)) <= MAPS_MAX_PATH);
		check(strlen(line.path) < used);
	}
}

static void table(struct input *in)
{
	struct process_source source = { .ctx = in, .read = source_read, .open = source_open };
	struct process_id id = { .pid = 1 };
	struct counters counters = { 0 };
	const struct mapping *all;
	struct process_table *t;
	struct file_table *files;
	uint32_t n;

	check(file_table_new(&files, &source, &counters, 64, 4) == 0);
	check(process_table_new(&t, &source, files, &counters, 2) == 0);
	check(process_table_scan(t, 1) == 0);
	n = process_table_mappings(t, 1, &all);
	check(n <= PROCESS_MAX_MAPPINGS);
	for (uint32_t i = 0; i < n; i++) {
		struct mapping m;

		check(all[i].start < all[i].end);
		check(i == 0 || all[i - 1].end <= all[i].start);
		check(all[i].kind != MAPPING_FILE || all[i].file < file_table_count(files));
		process_table_resolve(t, 2, &id, all[i].end - 1, &m);
		check(m.start == all[i].start && m.end == all[i].end && m.kind == all[i].kind);
	}
	process_table_free(t);
	file_table_free(files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	lines(&in);
	table(&in);
	return 0;
}
