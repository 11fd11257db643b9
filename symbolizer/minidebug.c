// SPDX-License-Identifier: Apache-2.0
/*
 * liblzma decodes from a window of the file into a buffer that ends where our patience does: a stream may unpack
 * to ten thousand times its size. What the decoder itself may take is bounded by liblzma, before it
 * takes it. A stream that ends early or has a wrong check is refused whole: half a symbol table names what is
 * behind its last symbol wrongly.
 */
#include "symbolizer/minidebug.h"

#include <errno.h>
#include <lzma.h>
#include <stdint.h>

#define STEP 65536u

/* Room for more, or LZMA_BUF_ERROR. */
static lzma_ret room_make(lzma_stream *z, struct buffer *out)
{
	char *room = buffer_extend(out, STEP);

	if (!room)
		return LZMA_BUF_ERROR;
	z->next_out = (uint8_t *)room;
	z->avail_out = STEP;
	return LZMA_OK;
}

static lzma_ret unpack(lzma_stream *z, struct elf_file *f, const struct elf_place *place,
		       struct buffer *out)
{
	uint64_t at = place->offset, left = place->bytes;
	lzma_ret r = LZMA_OK;
	uint8_t packed[STEP];

	while (r == LZMA_OK) {
		if (!z->avail_in && left) {
			size_t len = left < sizeof(packed) ? (size_t)left : sizeof(packed);

			if (!elf_file_read(f, at, packed, len)) {
				r = LZMA_DATA_ERROR;
				break;
			}
			z->next_in = packed;
			z->avail_in = len;
			at += len;
			left -= len;
		}
		if (!z->avail_out)
			r = room_make(z, out);
		if (r == LZMA_OK)
			r = lzma_code(z, left || z->avail_in ? LZMA_RUN : LZMA_FINISH);
	}
	z->next_in = NULL; /* not `packed`, which ends here */
	out->len -= z->avail_out;
	return r;
}

static int decode(struct minidebug *m, struct elf_file *f, const struct elf_place *place)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&z, MINIDEBUG_MAX_DECODER_BYTES, 0);

	if (r == LZMA_OK)
		r = unpack(&z, f, place, &m->bytes);
	lzma_end(&z);
	switch (r) {
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
	case LZMA_MEMLIMIT_ERROR:
		return -E2BIG;
	default:
		return buffer_error(&m->bytes) < 0 ? -E2BIG : -ENOEXEC;
	}
}

int minidebug_open(struct minidebug *m, struct elf_file *f, const struct elf_place *place)
{
	int r;

	*m = (struct minidebug){ .file.fd = -1 };
	buffer_init(&m->bytes, MINIDEBUG_MAX_BYTES);
	if (!place->bytes)
		return -ENOENT;
	if (place->bytes > MINIDEBUG_MAX_PACKED_BYTES)
		return -E2BIG;
	r = decode(m, f, place);
	if (r == 0)
		r = elf_file_open_bytes(&m->file, m->bytes.data, m->bytes.len);
	if (r == 0 && m->file.wide != f->wide)
		r = -ENOEXEC;
	return r == -ENOMEM ? -E2BIG : r;
}

void minidebug_release(struct minidebug *m)
{
	elf_file_release(&m->file);
	buffer_release(&m->bytes);
}
