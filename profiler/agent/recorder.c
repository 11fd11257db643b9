// SPDX-License-Identifier: Apache-2.0
/*
 * A recorder is a process_source that stands before the live one. A path may tell more than its owner
 * wants to send: docs/ says what a recording holds. Contents of files and memory are never in it.
 */
#include "profiler/agent/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/decode.h"
#include "profiler/collect/stream.h"
#include "profiler/process/file.h"

struct recorder {
	struct stream_writer *writer;
	const struct process_source *inner;
	struct process_source source;
	struct file_identity opened; /* by the last open() */
	struct rest_source rests;
	struct code_source code;
	uint64_t rest_time_ns; /* of the sample at hand */
	uint32_t rest_words;
	struct recorded_rest rest;
	union {
		struct record_sample bare; /* a sample without its rest */
		uint8_t bytes[RECORD_MAX_BYTES];
	};
	int error;
};

static void chunk(struct recorder *r, enum stream_kind kind, uint64_t key, const void *bytes,
		  size_t len)
{
	int e = stream_write(r->writer, kind, key, bytes, len);

	if (e < 0 && !r->error)
		r->error = e;
}

static int source_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	struct recorder *r = ctx;
	uint64_t key = (uint64_t)what << 32 | pid;
	size_t before = out->len;
	int e = r->inner->read(r->inner->ctx, what, pid, out);

	if (e < 0) {
		int32_t code = e;

		chunk(r, STREAM_TEXT_ERROR, key, &code, sizeof(code));
	} else {
		chunk(r, STREAM_TEXT, key, out->data + before, out->len - before);
	}
	return e;
}

static int source_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct recorder *r = ctx;
	struct recorded_file file = { 0 };
	int e = r->inner->open(r->inner->ctx, place, ret_fd);

	file.result = e;
	if (e >= 0 && *ret_fd >= 0 && file_identify(*ret_fd, &file.identity) < 0)
		file.identity = (struct file_identity){ 0 };
	r->opened = file.identity;
	chunk(r, STREAM_FILE, place->ino, &file, sizeof(file));
	return e;
}

static int source_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct recorder *r = ctx;
	int e = r->inner->fetch(r->inner->ctx, place, ret_fd);
	struct recorded_file file = { .result = e };

	chunk(r, STREAM_FILE, place->ino, &file, sizeof(file));
	return e;
}

static int source_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	struct recorder *r = ctx;

	return r->inner->cgroup(r->inner->ctx, mount, path, out);
}

static int source_identify(void *ctx, int fd, struct file_identity *ret)
{
	const struct recorder *r = ctx;

	(void)fd;
	*ret = r->opened;
	return 0;
}

static void rest_begin(void *ctx, const struct record_sample *s)
{
	struct recorder *r = ctx;

	r->rest_time_ns = s->time_ns;
	r->rest_words = 0;
	r->rests.begin(r->rests.ctx, s);
}

static enum record_stack_end rest_next(void *ctx, const struct mapping *m, uint64_t *ret_word)
{
	struct recorder *r = ctx;
	enum record_stack_end end = r->rests.next(r->rests.ctx, m, ret_word);

	if (end == STACK_END_NONE && r->rest_words < RECORD_MAX_USER_FRAMES)
		r->rest.words[r->rest_words++] = *ret_word;
	return end;
}

static void rest_end(void *ctx, enum record_stack_end end)
{
	struct recorder *r = ctx;

	r->rests.end(r->rests.ctx, end);
	r->rest.end = end;
	chunk(r, STREAM_REST, r->rest_time_ns, &r->rest,
	      offsetof(struct recorded_rest, words) + r->rest_words * sizeof(uint64_t));
}

struct rest_source recorder_rests(struct recorder *r, const struct rest_source *inner)
{
	r->rests = *inner;
	return (struct rest_source){ r, rest_begin, rest_next, rest_end };
}

static int code_look(void *ctx, uint32_t owner, const struct process_id *id, uint64_t *ret_bytes)
{
	struct recorder *r = ctx;
	struct recorded_look look = { 0 };

	look.result = r->code.look(r->code.ctx, owner, id, &look.bytes);
	chunk(r, STREAM_CODE, owner, &look, sizeof(look));
	if (look.result >= 0)
		*ret_bytes = look.bytes;
	return look.result;
}

struct code_source recorder_code(struct recorder *r, const struct code_source *inner)
{
	r->code = *inner;
	return (struct code_source){ r, code_look };
}

int recorder_new(struct recorder **ret, int fd, const struct process_source *inner)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->inner = inner;
	r->source = (struct process_source){
		.ctx = r,
		.read = source_read,
		.open = source_open,
		.fetch = source_fetch,
		.cgroup = source_cgroup,
		.identify = source_identify,
	};
	e = stream_writer_new(&r->writer, fd);
	if (e < 0) {
		free(r);
		return e;
	}
	*ret = r;
	return 0;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	stream_writer_free(r->writer);
	free(r);
}

const struct process_source *recorder_source(struct recorder *r)
{
	return &r->source;
}

void recorder_facts(struct recorder *r, const struct facts *f)
{
	struct buffer text = BUFFER_INIT(64 << 10);
	struct facts all = *f;

	all.lets_go = 1;
	facts_write(&all, &text);
	if (!buffer_error(&text))
		chunk(r, STREAM_FACTS, 0, text.data, text.len);
	else if (!r->error)
		r->error = buffer_error(&text);
	buffer_release(&text);
}

/*
 * A sample goes without its rest: that holds memory of a process. One that the batch refuses goes as a piece, which a
 * replay refuses as well.
 */
static void record_sample(struct recorder *r, const void *bytes, size_t len)
{
	const struct record_sample *s;

	if (decode_sample(bytes, len, &s) < 0) {
		len = len < sizeof(*s) ? len : sizeof(*s) - 1;
	} else if (s->flags & RECORD_FLAG_REST) {
		len = decode_sample_bytes(s);
		memcpy(r->bytes, s, len);
		decode_strip(&r->bare);
		bytes = r->bytes;
	}
	chunk(r, STREAM_SAMPLE, 0, bytes, len);
}

void recorder_record(void *ctx, enum batch_kind kind, const void *bytes, size_t len)
{
	if (kind == BATCH_SAMPLE)
		record_sample(ctx, bytes, len);
	else
		chunk(ctx, STREAM_EVENT, 0, bytes, len);
}

void recorder_drain(struct recorder *r, uint64_t now_ns)
{
	chunk(r, STREAM_DRAIN, now_ns, NULL, 0);
}

void recorder_cgroup(struct recorder *r, uint64_t id, const char *path)
{
	chunk(r, STREAM_CGROUP, id, path, strlen(path));
}

void recorder_names(void *ctx, enum names_kind kind, uint32_t space, const void *bytes,
		    uint32_t len)
{
	uint64_t key = kind == NAMES_LATE ? RECORDED_LATE | space : space;

	chunk(ctx, kind == NAMES_LINES ? STREAM_LINES : STREAM_SYMBOLS, key, bytes, len);
}

int recorder_close(struct recorder *r)
{
	int e = stream_writer_close(r->writer);

	return r->error ? r->error : e;
}
