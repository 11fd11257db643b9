/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record's bytes to a checked value. Bytes may come from a replay file that somebody tampered
 * with: every length, count and enum is checked here, once.
 *
 * Samples: bpf/record.h. Events: perf_event_open(2), "PERF_RECORD_*", with sample_id_all and
 * sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME: each record ends in { u32 pid, tid; u64 time }.
 */
#ifndef COLLECT_DECODE_H
#define COLLECT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/perf_event.h>

#include "bpf/record.h"

enum event_kind {
	EVENT_FORK, /* a new process or thread */
	EVENT_EXEC, /* COMM with PERF_RECORD_MISC_COMM_EXEC */
	EVENT_EXIT,
	EVENT_MMAP, /* MMAP2 of executable memory */
	EVENT_BPF_CODE, /* KSYMBOL: the kernel made code of a BPF program, or gave it back */
	EVENT_BPF_LISTED, /* ours: a BPF program is there */
	EVENT_BPF_LIST_END, /* ours: all that were there at this time were listed since the last one */
	EVENT_LOST, /* `lost` records were lost */
	EVENT_OTHER, /* known and of no use to us */
};

struct event {
	uint64_t time_ns;
	enum event_kind kind;
	uint32_t pid, tid;
	uint32_t parent_pid; /* EVENT_FORK */
	uint64_t lost; /* EVENT_LOST */
	/* EVENT_MMAP */
	uint64_t start, end, offset, ino, generation;
	uint32_t major, minor;
	const char *path; /* NUL-terminated, in the record's bytes */
	/* EVENT_BPF_CODE and EVENT_BPF_LISTED: start and end, and */
	const char *name; /* NUL-terminated, in the record's bytes; may be "" */
	bool unregistered;
};

/* 0 or -EINVAL. `bytes` is 8-byte aligned. *ret_sample points into it. */
int decode_sample(const void *bytes, size_t len, const struct record_sample **ret_sample);
/* What follows the sample's frames, its stack included; NULL: nothing. Of what decode_sample() accepted. */
const struct record_rest *decode_rest(const struct record_sample *s);
/* Its length without that; and says in a copy of that length that it is gone. */
size_t decode_sample_bytes(const struct record_sample *s);
void decode_strip(struct record_sample *s);

int decode_event(const void *bytes, size_t len, struct event *ret);

/*
 * A list of BPF programs comes as records of the kernel's form (PERF_RECORD_KSYMBOL) with one of these flags, so that it is
 * sorted, recorded and replayed as all others. The kernel has no such flags. Its bytes at `ret`, and how many.
 */
#define DECODE_KSYMBOL_LISTED 0x4000u
#define DECODE_KSYMBOL_LIST_END 0x8000u

struct listed_record {
	struct perf_event_header header;
	uint64_t start;
	uint32_t bytes;
	uint16_t type, flags;
	char name[RECORD_PROGRAM_NAME_BYTES];
	uint32_t pid, tid;
	uint64_t time_ns;
};
_Static_assert(sizeof(struct listed_record) == 168, "a perf record has no padding");

/* NULL: the end of the list. */
void encode_listed(struct listed_record *ret, uint64_t time_ns, const struct record_program *p);

#endif
