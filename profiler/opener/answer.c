// SPDX-License-Identifier: Apache-2.0
/*
 * All that an opener does for whoever asks: the texts, files and lists of process/source.h, read-only, and
 * the kernel's two tables. What a request may not name (a path of its own to be opened, a way to write) it
 * has no words for. Replies are bounded before they are made: a text goes into the room that is left.
 */
#include "profiler/opener/answer.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/opener/protocol.h"

/* Those of texts that were not read. */
#define MAX_RESULT_BYTES (OPENER_MAX_TEXTS * sizeof(struct opener_result))

void opener_reply_init(struct opener_reply *r)
{
	*r = (struct opener_reply){ 0 };
	for (uint32_t i = 0; i < OPENER_MAX_REPLY_FDS; i++)
		r->fds[i] = -1;
	buffer_init(&r->bytes, OPENER_MAX_REPLY_BYTES);
}

void opener_reply_clear(struct opener_reply *r)
{
	for (uint32_t i = 0; i < OPENER_MAX_REPLY_FDS; i++)
		fd_close(&r->fds[i]);
	r->fd_count = 0;
	if (r->bytes.capacity > 2 * OPENER_FULL_REPLY_BYTES) {
		buffer_release(&r->bytes);
		buffer_init(&r->bytes, OPENER_MAX_REPLY_BYTES);
	}
	buffer_clear(&r->bytes);
}

void opener_reply_release(struct opener_reply *r)
{
	opener_reply_clear(r);
	buffer_release(&r->bytes);
}

/* ---- results with bytes ---- */

/* Makes room for a result; what follows, until result_end(), are its bytes. */
static size_t result_begin(struct opener_reply *reply)
{
	size_t at = reply->bytes.len;

	buffer_extend(&reply->bytes, sizeof(struct opener_result));
	return at;
}

/* A failure, and running out of room or memory is one, has no bytes. */
static int result_end(struct opener_reply *reply, size_t at, int status)
{
	struct buffer *b = &reply->bytes;
	struct opener_result result = { .status = status };

	if (b->capacity < at + sizeof(result))
		return -ENOMEM;
	if (buffer_error(b) < 0)
		result.status = buffer_error(b);
	b->error = 0;
	if (result.status < 0)
		b->len = at + sizeof(result);
	result.len = (uint32_t)(b->len - at - sizeof(result));
	memcpy(b->data + at, &result, sizeof(result));
	return 0;
}

/* The first text ends where the reply does. A part of another is of use to nobody: it is asked for again. */
static int answer_text(const struct process_source *source, const struct opener_text *text,
		       bool first, struct opener_reply *reply)
{
	struct buffer *b = &reply->bytes;
	size_t at = result_begin(reply);
	int status = -EAGAIN;

	b->max = first ? OPENER_MAX_REPLY_BYTES - MAX_RESULT_BYTES : OPENER_FULL_REPLY_BYTES;
	if (b->len < b->max)
		status = source->read(source->ctx, text->what, text->pid, b);
	if (!first && (buffer_error(b) == -E2BIG || b->len >= b->max)) {
		status = -EAGAIN;
		b->error = 0;
	}
	b->max = OPENER_MAX_REPLY_BYTES;
	return result_end(reply, at, status);
}

static int answer_read(const struct process_source *source, const struct buffer *request,
		       struct opener_reply *reply)
{
	const struct opener_text *texts;
	uint32_t count;
	int r = opener_texts_parse(request, &texts, &count);

	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = answer_text(source, &texts[i], i == 0, reply);
	return r;
}

static int answer_cgroup(const struct process_source *source, const struct buffer *request,
			 struct opener_reply *reply)
{
	const char *mount, *path;
	size_t at;
	int r = opener_cgroup_parse(request, &mount, &path);

	if (r < 0)
		return r;
	at = result_begin(reply);
	return result_end(reply, at, source->cgroup(source->ctx, mount, path, &reply->bytes));
}

/* ---- results with descriptors ---- */

static int answer_status(struct opener_reply *reply, int status)
{
	return result_end(reply, result_begin(reply), status);
}

/*
 * All that is looked at of a file: it keeps an agent that was taken over from being handed what is no
 * binary (keys, mails, what was in a process's memory when it crashed), and the symbolizer from being asked about
 * it. A jitdump is mapped like a binary, for us to find it; a debug file is none.
 */
static int magic_check(int fd, bool jitdump_too)
{
	Elf32_Ehdr e = { 0 }; /* up to e_type the same for both classes */
	ssize_t n = pread(fd, &e, offsetof(Elf32_Ehdr, e_machine), 0);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)offsetof(Elf32_Ehdr, e_machine))
		return -ENOEXEC;
	if (jitdump_too && !memcmp(e.e_ident, "DTiJ", SELFMAG))
		return 0;
	/* Of another byte order there is nothing to be read here. */
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	return e.e_type == ET_CORE ? -ENOEXEC : 0;
}

static int answer_place(int (*get)(void *, const struct file_place *, int *), void *ctx,
			const struct buffer *request, struct opener_reply *reply)
{
	struct file_place place;
	int r = opener_place_parse(request, &place), unfit;

	if (r < 0)
		return r;
	r = get(ctx, &place, &reply->fds[0]);
	unfit = reply->fds[0] >= 0 ? magic_check(reply->fds[0], true) : 0;
	if (unfit < 0) {
		fd_close(&reply->fds[0]);
		r = unfit;
	}
	reply->fd_count = reply->fds[0] >= 0;
	return answer_status(reply, r);
}

/* The first candidate from number `first` on that is an ELF file. */
static int debug_find(const struct debug_place *place, uint32_t first, int *ret_fd,
		      uint32_t *ret_uid)
{
	int error = 0;

	for (;;) {
		int r = debug_file_open(place, first, ret_fd, ret_uid), unfit;

		if (r < 0)
			return error < 0 && r == -ENOENT ? error : r;
		unfit = magic_check(*ret_fd, false);
		if (unfit == 0)
			return r;
		fd_close(ret_fd);
		error = unfit;
		first = (uint32_t)r + 1;
	}
}

static int answer_debug(const struct buffer *request, struct opener_reply *reply)
{
	struct opener_debug_found found = { 0 };
	struct debug_place place;
	uint32_t first;
	size_t at;
	int r = opener_debug_parse(request, &place, &first);

	if (r < 0)
		return r;
	r = debug_find(&place, first, &reply->fds[0], &found.uid);
	reply->fd_count = r >= 0;
	at = result_begin(reply);
	if (r >= 0)
		buffer_append(&reply->bytes, &found, sizeof(found));
	return result_end(reply, at, r);
}

static int answer_packages(const struct buffer *request, struct opener_reply *reply)
{
	const char *paths[PACKAGE_MAX_PATHS];
	struct opener_packages head;
	size_t at;
	int r = opener_packages_parse(request, &head, paths);

	if (r < 0)
		return r;
	at = result_begin(reply);
	return result_end(reply, at, packages_find(head.pid, paths, head.count, &reply->bytes));
}

static int answer_perfmap(const struct process_source *source, const struct buffer *request,
			  struct opener_reply *reply)
{
	struct opener_process process;
	int r = opener_process_parse(request, &process);

	if (r < 0)
		return r;
	r = source->perfmap(source->ctx, process.pid, process.start_ns, &reply->fds[0]);
	reply->fd_count = reply->fds[0] >= 0;
	return answer_status(reply, r);
}

/* Opened by us: whether they show addresses is decided then, by who has CAP_SYSLOG. */
static int answer_kernel(struct opener_reply *reply)
{
	static const char *const paths[OPENER_MAX_REPLY_FDS] = { "/proc/kallsyms",
								 "/proc/modules" };
	int status = 0;

	for (uint32_t i = 0; i < OPENER_MAX_REPLY_FDS; i++) {
		reply->fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (reply->fds[i] < 0) {
			status = i ? 0 : -errno;
			break;
		}
		reply->fd_count++;
	}
	return answer_status(reply, status);
}

/* ---- requests ---- */

static bool is_fetchers(uint32_t type)
{
	return type == OPENER_FETCH || type == OPENER_DEBUG || type == OPENER_PACKAGES;
}

int opener_answer(const struct process_source *source, bool fetcher,
		  const struct socket_message *request, struct opener_reply *reply)
{
	const struct buffer *bytes = &request->bytes;

	if (request->fd_count || is_fetchers(request->type) != fetcher)
		return -EPROTO;
	switch (request->type) {
	case OPENER_READ:
		return answer_read(source, bytes, reply);
	case OPENER_OPEN:
		return answer_place(source->open, source->ctx, bytes, reply);
	case OPENER_FETCH:
		return answer_place(source->fetch, source->ctx, bytes, reply);
	case OPENER_DEBUG:
		return answer_debug(bytes, reply);
	case OPENER_PACKAGES:
		return answer_packages(bytes, reply);
	case OPENER_KERNEL:
		return bytes->len ? -EPROTO : answer_kernel(reply);
	case OPENER_CGROUP:
		return answer_cgroup(source, bytes, reply);
	case OPENER_PERFMAP:
		return answer_perfmap(source, bytes, reply);
	default:
		return -EPROTO;
	}
}
