// SPDX-License-Identifier: Apache-2.0
/*
 * A whole replay: the file of a stranger, through stream, player, decoder, process table, window, names
 * and profile. It must end in a profile whose numbers refer to each other, or in one sentence.
 *
 * Input that doesn't begin as a recording is taken for the content of one: it is put into frames that
 * are neither compressed nor summed, since behind a checksum a fuzzer finds nothing.
 */
#include "profiler/agent/capture.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/collect/stream.h"

#define MAX_INPUT_BYTES ((size_t)1 << 20)
#define ZSTD_MAGIC 0xfd2fb528u
#define ZSTD_BLOCK_BYTES ((size_t)128 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char magic[] = "slowburn stream\n";

static void put_u32(struct buffer *b, uint32_t value)
{
	buffer_append(b, &value, sizeof(value));
}

/* RFC 8878: a frame of one segment with its size in four bytes, and raw blocks. */
static void frame_content(struct buffer *b, const uint8_t *data, size_t size)
{
	const uint8_t descriptor = 2 << 6 | 1 << 5;
	size_t at = 0;

	buffer_append(b, magic, sizeof(magic) - 1);
	put_u32(b, STREAM_VERSION);
	put_u32(b, 0x01020304);
	put_u32(b, ZSTD_MAGIC);
	buffer_append(b, &descriptor, 1);
	put_u32(b, (uint32_t)size);
	do {
		size_t n = size - at < ZSTD_BLOCK_BYTES ? size - at : ZSTD_BLOCK_BYTES;
		uint32_t header = (uint32_t)n << 3 | (at + n == size);

		buffer_append(b, &header, 3);
		buffer_append(b, data + at, n);
		at += n;
	} while (at < size);
}

static void check_locations(const struct profile *p)
{
	for (uint32_t i = 0; i < p->locations.count; i++) {
		const struct profile_location *l = &p->locations.items[i];

		assert(l->mapping == PROFILE_NONE || l->mapping < p->mappings.count);
		assert(l->line_count > 0 && l->first_line < p->lines.count);
		assert(l->line_count <= p->lines.count - l->first_line);
	}
	for (uint32_t i = 0; i < p->lines.count; i++)
		assert(p->lines.items[i].function < p->functions.count);
	for (uint32_t i = 0; i < p->functions.count; i++)
		assert(p->functions.items[i].name < p->strings.count);
}

static void check_profile(const struct profile *p)
{
	uint64_t samples = 0;

	check_locations(p);
	for (uint32_t i = 1; i < p->nodes.count; i++) {
		assert(p->nodes.items[i].parent < i);
		assert(p->nodes.items[i].location < p->locations.count);
	}
	for (uint32_t i = 0; i < p->samples.count; i++) {
		assert(p->samples.items[i].series < p->series.count);
		assert(p->samples.items[i].node < p->nodes.count);
		samples += p->samples.items[i].count;
	}
	/* Nothing is lost without a count. */
	assert(samples <= counter_get(&p->counters, COUNTER_SAMPLES));
	assert(samples + counter_get(&p->counters, COUNTER_SAMPLES_DROPPED_MEMORY) >=
	       counter_get(&p->counters, COUNTER_SAMPLES));
	assert(p->facts.event && p->facts.value_type && p->facts.value_unit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(fd_close) int fd = memfd_create("recording", MFD_CLOEXEC);
	struct buffer file = BUFFER_INIT(MAX_INPUT_BYTES + 4096);
	struct profile profile;
	struct err err = { "" };
	int r;

	if (fd < 0 || size > MAX_INPUT_BYTES)
		return 0;
	if (size >= sizeof(magic) - 1 && !memcmp(data, magic, sizeof(magic) - 1))
		buffer_append(&file, data, size);
	else
		frame_content(&file, data, size);
	assert(!buffer_error(&file));
	if (fd_write_all(fd, file.data, file.len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	buffer_release(&file);

	r = capture_replay(fd, false, &profile, &err);
	if (r >= 0) {
		check_profile(&profile);
		profile_release(&profile);
	} else {
		assert(*err.text);
	}
	return 0;
}
