// SPDX-License-Identifier: Apache-2.0
/*
 * The decoders of records. The first byte says which one, the rest is the record, in memory of exactly
 * its size. What they accept is read to its end, as the agent would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/collect/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void use_sample(const struct record_sample *s)
{
	const struct record_rest *rest = decode_rest(s);

	for (uint32_t i = 0; i < (uint32_t)s->kernel_frames + s->user_frames; i++)
		sink += s->frames[i];
	sink += strlen(s->comm) + strlen(s->leader_comm);
	if (!rest)
		return;
	for (uint32_t i = 0; i < rest->bytes / 8; i++)
		sink += ((const uint64_t *)(rest + 1))[i];
}

static void use_event(const struct event *e)
{
	if (e->kind != EVENT_MMAP)
		return;
	if (e->end <= e->start)
		abort();
	sink += strlen(e->path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct record_sample *s;
	struct event e;
	void *bytes;

	if (size < 1)
		return 0;
	bytes = malloc(size); /* aligned as records are */
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1) {
		if (decode_sample(bytes, size - 1, &s) == 0)
			use_sample(s);
	} else if (decode_event(bytes, size - 1, &e) == 0) {
		use_event(&e);
	}
	free(bytes);
	return 0;
}
