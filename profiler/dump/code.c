// SPDX-License-Identifier: Apache-2.0
/*
 * The same two lists as in a capture (agent/jit.h), found once: an address means now what the last word on it says. The
 * perf map is the opener's to find and to refuse; the jitdump is a file that the process has mapped, so it is among those
 * that are open already. Both are read in the symbolizer.
 */
#include "profiler/dump/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/outside.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/process/stat.h"

#define MAX_STAT_BYTES 8192u
#define TICKS_PER_S 100u

bool code_is_dump(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t digits = strspn(strncmp(name, "jit-", 4) == 0 ? name + 4 : "", "0123456789");

	return digits && !strcmp(name + 4 + digits, ".dump");
}

static int map_find(struct code *c, uint32_t pid)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_STAT_BYTES);
	const struct process_source *source = c->from->source;
	uint64_t ticks = 0;
	int r = source->read(source->ctx, PROCESS_TEXT_STAT, pid, &text);

	if (r == 0)
		r = stat_start_parse(text.data, text.len, &ticks);
	return r < 0 ? r
		     : outside_perfmap(c->from->names->outside, pid,
				       ticks * (NS_PER_S / TICKS_PER_S), &c->map_fd);
}

void code_open(struct code *c, const struct target *t)
{
	*c = (struct code){ .from = t->from, .map_fd = -1, .dump = UNWINDER_NO_FILE };
	for (uint32_t i = 0; i < t->mappings.count; i++) {
		uint32_t file = t->mappings.items[i].file;
		const char *path = target_path(t->from, file);

		if (file == UNWINDER_NO_FILE || file == TARGET_VDSO)
			continue;
		if (c->runtime == RUNTIME_NONE)
			c->runtime = runtime_of_file(path);
		if (code_is_dump(path))
			c->dump = file;
	}
	c->map_error = map_find(c, t->pid);
}

void code_close(struct code *c)
{
	fd_close(&c->map_fd);
}

bool code_is_told(const struct code *c)
{
	return c->map_fd >= 0 || c->dump != UNWINDER_NO_FILE;
}

const char *code_map_reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "there is none";
	case -ESTALE:
		return "it is older than the process";
	case -EPERM:
		return "it is neither the process's user's nor root's, or has a second name";
	case -EINVAL:
		return "it is no regular file";
	case -ELOOP:
		return "it is a link";
	case -EREMOTE:
		return "it is on a file system that may never answer";
	case -EACCES:
		return "it may not be read";
	default:
		return strerror(-error);
	}
}

bool code_map_is_refused(int error)
{
	return error < 0 && error != -ENOENT && error != -ESRCH;
}

/* Borrowed, or negative errno. */
static int list_fd(const struct code *c, enum code_list list)
{
	int fd = -1, r;

	if (list == CODE_MAP)
		return c->map_fd >= 0 ? c->map_fd : -ENOENT;
	if (c->dump == UNWINDER_NO_FILE)
		return -ENOENT;
	r = target_file(c->from, c->dump, &fd);
	return r < 0 ? r : fd;
}

/* All that has been said by now counts. */
static struct symbol_moment *moments_new(uint32_t count)
{
	struct symbol_moment *moments = calloc(count + 1ul, sizeof(*moments));

	for (uint32_t i = 0; moments && i < count; i++)
		moments[i] = (struct symbol_moment){ UINT64_MAX, UINT64_MAX };
	return moments;
}

int code_ask(const struct code *c, enum code_list list, const uint64_t *addresses, uint32_t count,
	     struct symbols *ret, struct err *err)
{
	struct symbol_moment *moments;
	const void *bytes;
	uint32_t len;
	int r, fd = list_fd(c, list);

	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return err_errno(err, fd, "it cannot be opened");
	moments = moments_new(count);
	if (!moments)
		return err_errno(err, -ENOMEM, "cannot look up addresses");
	r = symbols_client_ask_code(c->from->names->client, &fd, 1, addresses, moments, count, ret,
				    &bytes, &len, err);
	free(moments);
	return r;
}
