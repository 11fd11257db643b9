// SPDX-License-Identifier: Apache-2.0
/*
 * The reader of recorded streams. The first byte says what the input is: a whole file, or the content
 * of one that is compressed here, so that chunks are reached without guessing checksums.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "profiler/base/buffer.h"
#include "profiler/collect/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_CHUNKS 100000 /* more would only take time */

static volatile uint64_t sink;

static void read_stream(const void *bytes, size_t len)
{
	struct stream_reader *r;
	struct stream_chunk c;
	struct err err;
	int fd = memfd_create("stream", MFD_CLOEXEC);

	if (fd < 0)
		return;
	if (fd_write_all(fd, bytes, len) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
	    stream_reader_new(&r, fd, &err) == 0) {
		for (int i = 0; i < MAX_CHUNKS && stream_read(r, &c, &err) == 1; i++) {
			for (uint32_t k = 0; k < c.len; k += 64)
				sink += ((const uint8_t *)c.bytes)[k];
		}
		stream_reader_free(r);
	}
	close(fd);
}

static void read_content(const uint8_t *data, size_t size)
{
	static const char header[24] = "slowburn stream\n\1\0\0\0\4\3\2\1";
	size_t bound = ZSTD_compressBound(size), packed;
	char *bytes = malloc(sizeof(header) + bound);

	if (!bytes)
		return;
	memcpy(bytes, header, sizeof(header));
	packed = ZSTD_compress(bytes + sizeof(header), bound, data, size, 1);
	if (!ZSTD_isError(packed))
		read_stream(bytes, sizeof(header) + packed);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] & 1)
		read_content(data + 1, size - 1);
	else
		read_stream(data + 1, size - 1);
	return 0;
}
