// SPDX-License-Identifier: Apache-2.0
/*
 * Record bytes → checked values.
 *
 * The kernel's own records pass every check; a replay file's may not, and nothing behind this looks
 * at lengths again. Events are read through a cursor that can't leave the record. Mapping the bytes
 * on packed structs was refused: their fields move with the path's length.
 */
#include "profiler/collect/decode.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>

static bool is_aligned(const void *bytes)
{
	return ((uintptr_t)bytes & 7) == 0;
}

static bool frames_are_valid(const struct record_sample *s)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;

	for (uint32_t i = 0; i < s->kernel_frames; i++) {
		if (!(s->frames[i] >> 63))
			return false;
	}
	for (uint32_t i = 0; i < s->user_frames; i++) {
		if (user[i] >> FRAME_KIND_SHIFT >= FRAME_KIND_COUNT)
			return false;
	}
	return true;
}

size_t decode_sample_bytes(const struct record_sample *s)
{
	return sizeof(*s) + ((size_t)s->kernel_frames + s->user_frames) * sizeof(uint64_t);
}

/* What follows the frames: as `left` bytes. */
static bool rest_is_valid(const struct record_sample *s, size_t left)
{
	const uint8_t known = RECORD_FLAG_KERNEL | RECORD_FLAG_KTHREAD | RECORD_FLAG_NO_TABLES |
			      RECORD_FLAG_REST | RECORD_FLAG_REST_GONE;
	const struct record_rest *rest = decode_rest(s);

	if (s->flags & ~known || (s->flags & RECORD_FLAG_REST && s->flags & RECORD_FLAG_REST_GONE))
		return false;
	/* There is a last frame, and this is why it is. */
	if (s->flags & (RECORD_FLAG_REST | RECORD_FLAG_REST_GONE) &&
	    (!s->user_frames ||
	     (s->stack_end != STACK_END_NO_MAPPING && s->stack_end != STACK_END_NOT_COMPILED)))
		return false;
	if (!rest)
		return left == 0;
	return left >= sizeof(*rest) && rest->bytes <= RECORD_MAX_STACK_BYTES &&
	       rest->bytes % 8 == 0 && rest->stack % 8 == 0 &&
	       left - sizeof(*rest) == rest->bytes && !(rest->flags & ~UNWIND_FRAME_FLAGS);
}

const struct record_rest *decode_rest(const struct record_sample *s)
{
	if (!(s->flags & RECORD_FLAG_REST))
		return NULL;
	return (const void *)((const char *)s + decode_sample_bytes(s));
}

void decode_strip(struct record_sample *s)
{
	if (s->flags & RECORD_FLAG_REST)
		s->flags ^= RECORD_FLAG_REST | RECORD_FLAG_REST_GONE;
}

int decode_sample(const void *bytes, size_t len, const struct record_sample **ret_sample)
{
	const struct record_sample *s = bytes;

	if (!is_aligned(bytes) || len < sizeof(*s))
		return -EINVAL;
	if (s->kernel_frames > RECORD_MAX_KERNEL_FRAMES || s->user_frames > RECORD_MAX_USER_FRAMES)
		return -EINVAL;
	if (len < decode_sample_bytes(s) || !rest_is_valid(s, len - decode_sample_bytes(s)))
		return -EINVAL;
	if (s->stack_end >= STACK_END_COUNT)
		return -EINVAL;
	if (s->flags & RECORD_FLAG_NO_TABLES && s->stamp)
		return -EINVAL;
	if (!(s->flags & RECORD_FLAG_KERNEL) != !s->kernel_frames)
		return -EINVAL;
	if (!s->tgid || !s->tid)
		return -EINVAL;
	if (s->comm[RECORD_COMM_BYTES - 1] || s->leader_comm[RECORD_COMM_BYTES - 1])
		return -EINVAL;
	if (!frames_are_valid(s))
		return -EINVAL;
	*ret_sample = s;
	return 0;
}

/* What is left of a record between its header and its trailing sample_id. */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool failed; /* more was asked for than there was */
};

static void cursor_read(struct cursor *c, void *ret, size_t len)
{
	if (len > c->left) {
		c->failed = true;
		memset(ret, 0, len);
		return;
	}
	memcpy(ret, c->p, len);
	c->p += len;
	c->left -= len;
}

static uint16_t cursor_u16(struct cursor *c)
{
	uint16_t value;

	cursor_read(c, &value, sizeof(value));
	return value;
}

static uint32_t cursor_u32(struct cursor *c)
{
	uint32_t value;

	cursor_read(c, &value, sizeof(value));
	return value;
}

static uint64_t cursor_u64(struct cursor *c)
{
	uint64_t value;

	cursor_read(c, &value, sizeof(value));
	return value;
}

/* The rest as text; NULL and failed if there is no NUL in it. */
static const char *cursor_text(struct cursor *c)
{
	const char *text = (const char *)c->p;

	if (!memchr(text, '\0', c->left)) {
		c->failed = true;
		return NULL;
	}
	return text;
}

/* PERF_RECORD_FORK, PERF_RECORD_EXIT: { u32 pid, ppid; u32 tid, ptid; u64 time; } */
static void decode_task(struct cursor *c, struct event *e)
{
	e->pid = cursor_u32(c);
	e->parent_pid = cursor_u32(c);
	e->tid = cursor_u32(c);
	(void)cursor_u32(c);
	(void)cursor_u64(c);
}

/* PERF_RECORD_COMM: { u32 pid, tid; char comm[]; } */
static void decode_comm(struct cursor *c, uint16_t misc, struct event *e)
{
	e->pid = cursor_u32(c);
	e->tid = cursor_u32(c);
	(void)cursor_text(c);
	e->kind = misc & PERF_RECORD_MISC_COMM_EXEC ? EVENT_EXEC : EVENT_OTHER;
}

/*
 * PERF_RECORD_MMAP2: { u32 pid, tid; u64 addr, len, pgoff; u32 maj, min; u64 ino, ino_generation;
 * u32 prot, flags; char filename[]; } We never ask for build ids in place of maj to ino_generation.
 */
static void decode_mmap(struct cursor *c, uint16_t misc, struct event *e)
{
	uint64_t len;
	uint32_t prot;

	e->pid = cursor_u32(c);
	e->tid = cursor_u32(c);
	e->start = cursor_u64(c);
	len = cursor_u64(c);
	e->offset = cursor_u64(c);
	e->major = cursor_u32(c);
	e->minor = cursor_u32(c);
	e->ino = cursor_u64(c);
	e->generation = cursor_u64(c);
	prot = cursor_u32(c);
	(void)cursor_u32(c);
	e->path = cursor_text(c);
	e->end = e->start + len;
	if (!len || e->end < e->start)
		c->failed = true;
	e->kind = prot & PROT_EXEC && !(misc & PERF_RECORD_MISC_MMAP_BUILD_ID) ? EVENT_MMAP
									       : EVENT_OTHER;
}

/* PERF_RECORD_KSYMBOL: { u64 addr; u32 len; u16 ksym_type, flags; char name[]; } */
static void decode_ksymbol(struct cursor *c, struct event *e)
{
	uint32_t len;
	uint16_t type, flags;

	e->start = cursor_u64(c);
	len = cursor_u32(c);
	type = cursor_u16(c);
	flags = cursor_u16(c);
	e->unregistered = flags & PERF_RECORD_KSYMBOL_FLAGS_UNREGISTER;
	e->name = cursor_text(c);
	e->end = e->start + len;
	if (e->end < e->start)
		c->failed = true;
	/* A program that is interpreted has no code. */
	e->kind = len && type == PERF_RECORD_KSYMBOL_TYPE_BPF ? EVENT_BPF_CODE : EVENT_OTHER;
	if (flags & DECODE_KSYMBOL_LIST_END)
		e->kind = EVENT_BPF_LIST_END;
	else if (e->kind == EVENT_BPF_CODE && flags & DECODE_KSYMBOL_LISTED)
		e->kind = EVENT_BPF_LISTED;
}

void encode_listed(struct listed_record *ret, uint64_t time_ns, const struct record_program *p)
{
	*ret = (struct listed_record){
		.header = { .type = PERF_RECORD_KSYMBOL, .size = sizeof(*ret) },
		.type = PERF_RECORD_KSYMBOL_TYPE_BPF,
		.flags = p ? DECODE_KSYMBOL_LISTED : DECODE_KSYMBOL_LIST_END,
		.time_ns = time_ns,
	};
	if (!p)
		return;
	ret->start = p->start;
	ret->bytes = p->bytes;
	memcpy(ret->name, p->name, sizeof(ret->name) - 1);
}

/* PERF_RECORD_LOST: { u64 id, lost; } */
static void decode_lost(struct cursor *c, struct event *e)
{
	(void)cursor_u64(c);
	e->lost = cursor_u64(c);
}

static void decode_body(struct cursor *c, const struct perf_event_header *header, struct event *e)
{
	switch (header->type) {
	case PERF_RECORD_FORK:
		e->kind = EVENT_FORK;
		decode_task(c, e);
		break;
	case PERF_RECORD_EXIT:
		e->kind = EVENT_EXIT;
		decode_task(c, e);
		break;
	case PERF_RECORD_COMM:
		decode_comm(c, header->misc, e);
		break;
	case PERF_RECORD_MMAP2:
		decode_mmap(c, header->misc, e);
		break;
	case PERF_RECORD_KSYMBOL:
		decode_ksymbol(c, e);
		break;
	case PERF_RECORD_LOST:
		e->kind = EVENT_LOST;
		decode_lost(c, e);
		break;
	default:
		e->kind = EVENT_OTHER;
	}
}

/* { u32 pid, tid; u64 time; }: sample_id_all with PERF_SAMPLE_TID | PERF_SAMPLE_TIME */
#define ID_BYTES (2 * sizeof(uint32_t) + sizeof(uint64_t))
#define KSYMBOL_NAME_OFF 24

/*
 * Where its sample_id is: at the end, but for KSYMBOL. There the kernel (all versions up to 6.18) lets the size grow by a sample_id with each
 * perf event that it tells, and what follows the right one is what lay in the ring before. Ours have a name of a fixed size.
 */
static size_t id_find(const uint8_t *bytes, const struct perf_event_header *header)
{
	size_t end = header->size - ID_BYTES, name_end;
	const uint8_t *nul;
	uint16_t flags;

	if (header->type != PERF_RECORD_KSYMBOL || end < KSYMBOL_NAME_OFF)
		return end;
	memcpy(&flags, bytes + KSYMBOL_NAME_OFF - sizeof(flags), sizeof(flags));
	nul = memchr(bytes + KSYMBOL_NAME_OFF, '\0', end - KSYMBOL_NAME_OFF);
	if (!nul || flags & (DECODE_KSYMBOL_LISTED | DECODE_KSYMBOL_LIST_END))
		return end;
	name_end = ((size_t)(nul - bytes) + 8) & ~(size_t)7;
	return name_end < end ? name_end : end;
}

int decode_event(const void *bytes, size_t len, struct event *ret)
{
	struct perf_event_header header;
	struct cursor body, id;
	struct event e = { 0 };

	if (!is_aligned(bytes) || len < sizeof(header) + ID_BYTES)
		return -EINVAL;
	memcpy(&header, bytes, sizeof(header));
	if (header.size != len)
		return -EINVAL;
	body = (struct cursor){
		.p = (const uint8_t *)bytes + sizeof(header),
		.left = id_find(bytes, &header) - sizeof(header),
	};
	id = (struct cursor){ .p = body.p + body.left, .left = ID_BYTES };
	e.pid = cursor_u32(&id);
	e.tid = cursor_u32(&id);
	e.time_ns = cursor_u64(&id);
	decode_body(&body, &header, &e);
	if (body.failed)
		return -EINVAL;
	*ret = e;
	return 0;
}
