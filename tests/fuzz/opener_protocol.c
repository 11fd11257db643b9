// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a byte, the type of a request, and the request, of an agent that may have been taken over:
 * it is answered from a source of nothing but bytes, by both roles, and the reply read as an agent reads
 * it. One for a debug file is taken apart only: the answer would be of this machine's files. The same bytes are then read as a reply of an opener that may be lying.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/opener/answer.h"
#include "profiler/opener/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* As long as the pid says, up to some megabytes. */
static int source_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	size_t len = pid % (3u << 20), room = out->max - out->len;
	char *p = buffer_extend(out, len < room ? len : room);

	check(what < PROCESS_TEXT_COUNT);
	if (p)
		memset(p, 'x', len < room ? len : room);
	return pid % 5 ? 0 : -(int)(pid % 100 + 1);
}

static int source_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	check(strlen(place->path) < OPENER_MAX_PATH_BYTES);
	*ret_fd = -1;
	return place->pid % 2 ? PROCESS_FILE_SLOW : -2;
}

static int source_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	check(mount[0] == '/');
	buffer_text(out, mount);
	buffer_text(out, path);
	return 0;
}

static int source_perfmap(void *ctx, uint32_t pid, uint64_t start_ns, int *ret_fd)
{
	(void)ctx;
	(void)start_ns;
	(void)ret_fd;
	check(pid != 0);
	return -ENOENT;
}

static const struct process_source source = {
	.read = source_read,
	.open = source_open,
	.fetch = source_open,
	.perfmap = source_perfmap,
	.cgroup = source_cgroup,
};

/* How many results there are, if it is nothing but results. */
static int results_read(const struct buffer *reply)
{
	volatile uint64_t sum = 0;
	struct opener_result result;
	const char *bytes;
	size_t at = 0;
	int count = 0;

	for (; at < reply->len; count++) {
		if (opener_result_parse(reply, &at, &result, &bytes) < 0)
			return -1;
		check(at <= reply->len && bytes + result.len == reply->data + at);
		for (uint32_t i = 0; bytes && i < result.len; i += 997)
			sum += (uint8_t)bytes[i];
	}
	return count;
}

/* Whatever is asked for: names within two folders. */
static void debug_read(const struct buffer *request)
{
	struct debug_place place;
	char name[8192];
	uint32_t first;

	if (opener_debug_parse(request, &place, &first) < 0)
		return;
	for (uint32_t i = 0; i <= DEBUG_FILE_NAMES; i++)
		if (debug_place_name(&place, i, name, sizeof(name)))
			check(name[0] == '/' && strlen(name) < sizeof(name) &&
			      !(place.alternate && strstr(name, "/../")) &&
			      (!place.alternate || !strncmp(name, "/usr/lib/debug/", 15)));
}

/* Paths within the request. */
static void packages_read(const struct buffer *request)
{
	const char *paths[PACKAGE_MAX_PATHS];
	struct opener_packages head;
	size_t bytes = 0;

	if (opener_packages_parse(request, &head, paths) < 0)
		return;
	check(head.pid && head.count && head.count <= PACKAGE_MAX_PATHS);
	for (uint32_t i = 0; i < head.count; i++) {
		check(paths[i][0] == '/');
		bytes += strlen(paths[i]) + 1;
	}
	check(bytes + sizeof(head) == request->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opener_reply reply;
	struct socket_message m;

	socket_message_init(&m, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&reply);
	if (size && size <= OPENER_MAX_REQUEST_BYTES) {
		m.type = data[0];
		/* In a block of exactly its size. */
		m.bytes.data = malloc(size);
		check(m.bytes.data != NULL);
		memcpy(m.bytes.data, data + 1, size - 1);
		m.bytes.len = m.bytes.capacity = size - 1;
	}
	for (int fetcher = 0; m.bytes.data && fetcher < 2; fetcher++) {
		opener_reply_clear(&reply);
		/* The kernel's files would be the machine's own. */
		if (m.type == OPENER_KERNEL || m.type == OPENER_DEBUG ||
		    m.type == OPENER_PACKAGES || opener_answer(&source, fetcher, &m, &reply) < 0)
			continue;
		check(results_read(&reply.bytes) ==
		      (m.type == OPENER_READ ? (int)(m.bytes.len / 8) : 1));
		check(reply.bytes.len <= OPENER_MAX_REPLY_BYTES);
	}
	if (m.type == OPENER_DEBUG)
		debug_read(&m.bytes);
	if (m.type == OPENER_PACKAGES)
		packages_read(&m.bytes);
	results_read(&m.bytes);
	opener_reply_release(&reply);
	socket_message_release(&m);
	return 0;
}
