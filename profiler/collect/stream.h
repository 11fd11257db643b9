/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw stream of a capture in a file: all that came into the agent, in its order. It is our
 * bug-report format, and replaying it gives the same profile with no access to that machine.
 *
 *	"slowburn stream\n" (16 bytes) u32 version, u32 byte-order mark 0x01020304
 *	then chunks:  u32 kind, u32 len, u64 key, len bytes, zero padding to 8
 *	the last:     STREAM_END, with the number of chunks before it as its key
 *
 * The first line of that, 24 bytes, is as it stands; behind it everything is compressed: zstd frames
 * with checksums, of ≤ 1 MiB of content each, which chunks may lie across. A frame also ends with a
 * drain that finds 64 KiB in it, or it a second old: a capture that was killed can be read up to its
 * last whole frame. A file may be hostile: lengths are bounded (chunk ≤ 16 MiB, whole stream ≤ 64 GiB), memory is too, and nothing is
 * handed out before its frame's checksum was right.
 */
#ifndef COLLECT_STREAM_H
#define COLLECT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"

/*
 * 2: samples by unwind tables (bpf/record.h: FRAME_TABLE, their ends, flag and stamp). 3: the rest of stacks
 * (RECORD_FLAG_REST_GONE, STREAM_REST). 4: code made at run time (STREAM_CODE), and
 * events of BPF programs (PERF_RECORD_KSYMBOL). 5: lines (STREAM_LINES), and symbols asked for late. Older ones are read.
 */
#define STREAM_VERSION 5
#define STREAM_OLDEST_VERSION 1
#define STREAM_MAX_CHUNK_BYTES (16u << 20)

enum stream_kind {
	STREAM_END,
	STREAM_FACTS, /* the capture's parameters and results: agent/facts.h */
	STREAM_SAMPLE, /* a sample record; key: 0 */
	STREAM_EVENT, /* a process event; key: 0 */
	STREAM_DRAIN, /* a drain ended; key: CLOCK_MONOTONIC */
	STREAM_TEXT, /* a text of /proc; key: what << 32 | pid */
	STREAM_TEXT_ERROR, /* that text could not be read; key as above; bytes: i32 errno */
	STREAM_FILE, /* a binary was opened, or fetched (or not); key: inode number; bytes: agent/recorder.h */
	STREAM_CGROUP, /* key: id; bytes: path */
	STREAM_SYMBOLS, /* what the symbolizer said; key: space (agent/recorder.h); bytes: its reply */
	STREAM_REST, /* what became of a sample's rest; key: its time; bytes: agent/recorder.h */
	STREAM_CODE, /* a look at a perf map; key: number of the process (agent/jit.h); bytes: agent/recorder.h */
	STREAM_LINES, /* what the symbolizer said of a file's lines; key: space; bytes: its reply */
	STREAM_KIND_COUNT
};

struct stream_chunk {
	uint64_t key;
	const void *bytes; /* 8-byte aligned; borrowed until the next read */
	uint32_t len;
	uint32_t kind;
};

struct stream_writer;
struct stream_reader;

/* Takes no ownership of `fd`. Every write may fail late: the close tells. */
int stream_writer_new(struct stream_writer **ret, int fd);
int stream_write(struct stream_writer *w, enum stream_kind kind, uint64_t key, const void *bytes,
		 size_t len);
/* Ends the file. 0 or the first error of any write. */
int stream_writer_close(struct stream_writer *w);
void stream_writer_free(struct stream_writer *w);

int stream_reader_new(struct stream_reader **ret, int fd, struct err *err);
/*
 * 1 and a chunk; 0 after STREAM_END; -ENODATA when the file ends before its end (what was read is
 * good); -EINVAL and a sentence when it is damaged.
 */
int stream_read(struct stream_reader *r, struct stream_chunk *ret, struct err *err);
void stream_reader_free(struct stream_reader *r);

#endif
