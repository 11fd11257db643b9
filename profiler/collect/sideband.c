// SPDX-License-Identifier: Apache-2.0
/*
 * Process events of a CPU, by its perf ring buffer.
 *
 * The kernel writes and moves data_head; we read and move data_tail. Nobody is woken: we look when
 * we drain. Records that wrap around the ring's end are copied together, all others are handed on in
 * place. libbpf's perf_buffer was refused: it opens events of one fixed kind.
 */
#include "profiler/collect/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

int sideband_open(struct sideband *ret, uint32_t cpu, uint32_t ring_bytes)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.ksymbol = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = ring_bytes,
	};
	size_t map_bytes = ring_bytes + (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_(fd_close) int fd = -1;
	void *map;

	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret = (struct sideband){
		.fd = take_fd(&fd),
		.map = map,
		.map_bytes = map_bytes,
		.ring_bytes = ring_bytes,
	};
	return 0;
}

void sideband_close(struct sideband *s)
{
	if (s->map)
		munmap(s->map, s->map_bytes);
	fd_close(&s->fd);
	*s = (struct sideband)SIDEBAND_CLOSED;
}

/* The record at `tail`, whole: in place, or in `joined` if it wraps. */
static const void *record_at(const struct sideband *s, const uint8_t *ring, uint64_t tail,
			     size_t len, void *joined)
{
	size_t off = tail & (s->ring_bytes - 1);
	size_t first = s->ring_bytes - off;

	if (len <= first)
		return ring + off;
	memcpy(joined, ring + off, first);
	memcpy((uint8_t *)joined + first, ring, len - first);
	return joined;
}

int sideband_drain(struct sideband *s, struct batch *batch)
{
	uint64_t joined[UINT16_MAX / 8 + 1]; /* as long as a header can say */
	struct perf_event_mmap_page *control = s->map;
	const uint8_t *ring;
	uint64_t head, tail;
	int result = 0;

	if (s->fd < 0)
		return 0;
	ring = (const uint8_t *)s->map + (s->map_bytes - s->ring_bytes);
	head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE); /* pairs with the kernel's */
	tail = control->data_tail;
	while (tail < head) {
		/* Records are multiples of 8 long, so a header never wraps. */
		const struct perf_event_header *header =
			(const void *)(ring + (tail & (s->ring_bytes - 1)));
		size_t len = header->size;

		if (len < sizeof(*header) || len > head - tail || len & 7) {
			/* Not ours to repair: let it be counted, and start again behind it. */
			(void)batch_add(batch, BATCH_EVENT, header, 0);
			tail = head;
			break;
		}
		if (batch_add(batch, BATCH_EVENT, record_at(s, ring, tail, len, joined), len) ==
		    -ENOMEM)
			result = -ENOMEM;
		tail += len;
	}
	__atomic_store_n(&control->data_tail, tail,
			 __ATOMIC_RELEASE); /* the kernel may overwrite */
	return result;
}
