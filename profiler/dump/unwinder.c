// SPDX-License-Identifier: Apache-2.0
/*
 * libunwind over a thread that is somewhere else: registers and the stack came with the request, what else it
 * reads is asked for, a page at a time; files come as descriptors, once each.
 *
 * libunwind is told where the table of functions of the file around an address is, and finds, reads and
 * interprets what is in there by itself, by our access_mem(). What it does beside that is switched off: where a
 * file says nothing of an address it tries the frame pointer, whatever is in that register, and we end the stack.
 * Only code that is known to keep frame pointers (made at run time, or by Go) is stepped so, by us, and flagged.
 *
 * Refused: libunwind-ptrace, which traces and maps files from where it runs, with the rights for it.
 */
#include "profiler/dump/protocol.h"

#include <errno.h>
#include <libunwind.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/frame_pointer.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/dump/elf_image.h"
#include "profiler/role/socket.h"

/* Exported for perf and others who bring their own tables, and in no public header. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *table,
				       unw_proc_info_t *ret, int need_unwind_info, void *arg);

#define ANSWER_PATIENCE_NS (5 * NS_PER_S)
#define MAX_PAGES 64u /* of a walk, beside its stack */
/* Where tables that were made are read: no process has memory there. */
#define MADE_TABLE 0xffff800000000000ULL

struct page {
	uint64_t addr;
	uint32_t end; /* DUMP_END_BOTTOM: bytes are there; else why they aren't */
	unsigned char bytes[DUMP_PAGE_BYTES];
};

struct unwinder {
	int socket;
	struct socket_message message; /* the last one; of a walk its stack is kept apart */
	struct buffer reply;
	unw_addr_space_t space;
	struct elf_images images;
	ARRAY(struct unwinder_mapping) mappings;

	/* of the walk */
	struct dump_registers registers;
	uint32_t known; /* bits: of which registers the value is known */
	uint64_t stack_addr;
	unsigned char stack[DUMP_STACK_BYTES];
	uint32_t stack_bytes;
	struct page pages[MAX_PAGES];
	uint32_t page_count; /* that there ever were */
	struct elf_image *image; /* around the address that libunwind was last asked about */
	uint64_t bias; /* its address minus its ELF address */
	uint32_t needs;
	int broken; /* negative errno: the conversation is over */
	bool interrupted; /* this step is out of a signal's handler */
	enum dump_end trouble; /* of this step: what could not be found or read first */
	struct dump_frame frames[DUMP_MAX_FRAMES];
	uint32_t frame_count;
};

/* ---- what is asked for ---- */

/* Sends `type` and receives the answer of `answer_type` in u->message. 0 or negative errno, which sticks. */
static int ask(struct unwinder *u, uint32_t type, const void *bytes, size_t len,
	       uint32_t answer_type)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + ANSWER_PATIENCE_NS;

	if (u->broken == 0 && ++u->needs > UNWINDER_MAX_NEEDS)
		u->broken = -E2BIG;
	if (u->broken == 0)
		u->broken = socket_send(u->socket, type, bytes, len, NULL, 0, until_ns);
	if (u->broken == 0)
		u->broken = socket_receive(u->socket, &u->message, until_ns);
	if (u->broken == 0 && u->message.type != answer_type)
		u->broken = -EPROTO;
	return u->broken;
}

static struct page *page_ask(struct unwinder *u, uint64_t addr)
{
	struct page *p = &u->pages[u->page_count % MAX_PAGES];
	const struct buffer *b = &u->message.bytes;
	struct unwinder_memory head;

	if (ask(u, UNWINDER_NEED_MEMORY, &addr, sizeof(addr), UNWINDER_MEMORY) < 0)
		return NULL;
	if (b->len >= sizeof(head))
		memcpy(&head, b->data, sizeof(head));
	if (b->len < sizeof(head) || head.addr != addr || b->len != sizeof(head) + head.len ||
	    (head.len && head.len != sizeof(p->bytes))) {
		u->broken = -EPROTO;
		return NULL;
	}
	u->page_count++;
	p->addr = addr;
	p->end = head.len ? DUMP_END_BOTTOM : head.end;
	memcpy(p->bytes, b->data + sizeof(head), head.len);
	return p;
}

static struct page *page_get(struct unwinder *u, uint64_t addr)
{
	for (uint32_t i = 0; i < MAX_PAGES && i < u->page_count; i++)
		if (u->pages[i].addr == addr)
			return &u->pages[i];
	return page_ask(u, addr);
}

static bool memory_read(struct unwinder *u, uint64_t addr, void *to, size_t len)
{
	uint64_t within = addr - u->stack_addr;

	if (addr >= u->stack_addr && within < u->stack_bytes && len <= u->stack_bytes - within) {
		memcpy(to, u->stack + within, len);
		return true;
	}
	/* libunwind tries what isn't wanted: nobody is asked for that. */
	if (u->trouble != DUMP_END_BOTTOM && !u->interrupted)
		return false;
	for (unsigned char *at = to; len;) {
		size_t offset = addr % DUMP_PAGE_BYTES, n = DUMP_PAGE_BYTES - offset;
		const struct page *p = addr < DUMP_USER_END ? page_get(u, addr - offset) : NULL;

		if (!p || p->end != DUMP_END_BOTTOM) {
			u->trouble = p ? p->end : DUMP_END_BAD_READ;
			return false;
		}
		if (n > len)
			n = len;
		memcpy(at, p->bytes + offset, n);
		at += n;
		addr += n;
		len -= n;
	}
	return true;
}

static struct elf_image *image_get(struct unwinder *u, uint32_t file)
{
	struct elf_image *i = elf_images_find(&u->images, file);

	if (i)
		return i;
	if (ask(u, UNWINDER_NEED_FILE, &file, sizeof(file), UNWINDER_FILE) < 0)
		return NULL;
	if (elf_images_add(&u->images, file, take_fd(&u->message.fds[0]), &i) < 0)
		return NULL;
	return i;
}

static const struct unwinder_mapping *mapping_find(const struct unwinder *u, uint64_t addr)
{
	return unwinder_mapping_find(u->mappings.items, u->mappings.count, addr);
}

/* ---- what libunwind asks ---- */

static int no_info(struct unwinder *u, enum dump_end why)
{
	u->trouble = why;
	return -UNW_ENOINFO;
}

/* A function that libunwind can't read in `made`, it reads there. */
static bool made_read(const struct unwinder *u, uint64_t addr, uint64_t *ret)
{
	uint64_t at = addr - MADE_TABLE, bytes;

	if (!u->image || u->image->table)
		return false;
	bytes = u->image->entries * sizeof(*u->image->made.items);
	if (at >= bytes || bytes - at < sizeof(*ret))
		return false;
	memcpy(ret, (const char *)u->image->made.items + at, sizeof(*ret));
	return true;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *value, int write,
		      void *arg)
{
	struct unwinder *u = arg;

	(void)space;
	if (write)
		return -UNW_EINVAL;
	if (addr >= MADE_TABLE)
		return made_read(u, addr, value) ? 0 : -UNW_EINVAL;
	if (u->image && elf_image_read(u->image, addr - u->bias, value))
		return 0;
	return memory_read(u, addr, value, sizeof(*value)) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
		      void *arg)
{
	struct unwinder *u = arg;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (number < 0 || number >= DUMP_REGISTERS || !(u->known >> number & 1)) {
		u->trouble = DUMP_END_LOST;
		return -UNW_EBADREG;
	}
	*value = u->registers.values[number];
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
			void *arg)
{
	return -UNW_EBADREG;
}

/* The image around `addr` is what access_mem() reads from then on. Why there is none, or DUMP_END_BOTTOM. */
static enum dump_end image_enter(struct unwinder *u, uint64_t addr,
				 const struct unwinder_mapping **ret)
{
	const struct unwinder_mapping *m = mapping_find(u, addr);
	struct elf_image *i;
	uint64_t vaddr;

	u->image = NULL;
	if (!m)
		return DUMP_END_NO_MAPPING;
	if (m->file == UNWINDER_NO_FILE)
		return DUMP_END_NO_INFO;
	i = image_get(u, m->file);
	if (!i || i->fd < 0)
		return DUMP_END_NO_FILE;
	if (!elf_image_vaddr(i, m->offset + (addr - m->start), &vaddr))
		return DUMP_END_NO_INFO;
	u->image = i;
	u->bias = addr - vaddr;
	*ret = m;
	return DUMP_END_BOTTOM;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *ret,
			  int need_unwind_info, void *arg)
{
	struct unwinder *u = arg;
	const struct unwinder_mapping *m;
	unw_dyn_info_t table = { 0 };
	enum dump_end end = image_enter(u, ip, &m);
	int r;

	if (end != DUMP_END_BOTTOM)
		return no_info(u, end);
	if (!u->image->entries)
		return no_info(u, DUMP_END_NO_INDEX);
	table.start_ip = m->start;
	table.end_ip = m->end;
	table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
	table.u.rti.segbase = u->image->base + u->bias;
	table.u.rti.table_len =
		u->image->entries * sizeof(struct elf_image_entry) / sizeof(unw_word_t);
	table.u.rti.table_data = u->image->table ? u->image->table + u->bias : MADE_TABLE;
	r = UNW_OBJ(dwarf_search_unwind_table)(space, ip, &table, ret, need_unwind_info, arg);
	return r == -UNW_ENOINFO ? no_info(u, DUMP_END_NO_INFO) : r;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *ret, void *arg)
{
	return -UNW_ENOINFO;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t addr, char *name, size_t size,
			 unw_word_t *ret_offset, void *arg)
{
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
	.find_proc_info = find_proc_info,
	.put_unwind_info = put_unwind_info,
	.get_dyn_info_list_addr = get_dyn_info_list_addr,
	.access_mem = access_mem,
	.access_reg = access_reg,
	.access_fpreg = access_fpreg,
	.resume = resume,
	.get_proc_name = get_proc_name,
};

/* ---- the walk ---- */

static bool frame_add(struct unwinder *u, unw_cursor_t *cursor, uint32_t flags)
{
	unw_word_t ip = 0, sp = 0;

	if (u->frame_count == DUMP_MAX_FRAMES)
		return false;
	unw_get_reg(cursor, UNW_REG_IP, &ip);
	unw_get_reg(cursor, UNW_REG_SP, &sp);
	u->frames[u->frame_count++] = (struct dump_frame){ .ip = ip, .sp = sp, .flags = flags };
	return true;
}

/* What a step that failed with `r` means. */
static enum dump_end end_of(const struct unwinder *u, int r)
{
	if (u->broken < 0)
		return DUMP_END_FAILED;
	if (u->trouble != DUMP_END_BOTTOM)
		return u->trouble;
	switch (-r) {
	case UNW_ENOINFO:
		return DUMP_END_NO_INFO;
	case UNW_EBADREG:
		return DUMP_END_LOST;
	case UNW_EBADFRAME:
	case UNW_EINVALIDIP:
		return DUMP_END_BAD_FRAME;
	case UNW_EBADVERSION:
		return DUMP_END_UNSUPPORTED;
	default:
		return DUMP_END_FAILED;
	}
}

/*
 * From code that keeps frame pointers to its caller; the cursor begins anew there. False if the stack ends, and why.
 * It begins at the call, so that it is looked up there and not behind it.
 */
static bool step_by_frame_pointer(struct unwinder *u, unw_cursor_t *cursor, enum dump_end *ret_end)
{
	bool guessed = u->frames[u->frame_count - 1].flags & DUMP_FRAME_GUESSED;
	unw_word_t fp = 0, sp = 0;
	struct frame_pair pair;

	unw_get_reg(cursor, UNW_REG_SP, &sp);
	*ret_end = DUMP_END_LOST;
	if (unw_get_reg(cursor, UNW_X86_64_RBP, &fp) < 0)
		return false;
	/* 0 is the outermost frame's mark only at the end of a chain. */
	*ret_end = fp == 0 && guessed ? DUMP_END_BOTTOM : DUMP_END_BAD_FRAME;
	if (!frame_pointer_is_sane(fp, sp, DUMP_USER_END))
		return false;
	if (!memory_read(u, fp, &pair, sizeof(pair))) {
		*ret_end = u->trouble;
		return false;
	}
	*ret_end = pair.return_address ? DUMP_END_BAD_FRAME : DUMP_END_BOTTOM;
	if (!frame_pointer_is_code(pair.return_address, DUMP_USER_END))
		return false;
	u->known = 1u << DUMP_RIP | 1u << DUMP_RSP | 1u << DUMP_RBP;
	u->registers.values[DUMP_RIP] = pair.return_address - 1;
	u->registers.values[DUMP_RSP] = fp + sizeof(pair);
	u->registers.values[DUMP_RBP] = pair.fp;
	*ret_end = DUMP_END_FAILED;
	if (unw_init_remote(cursor, u->space, u) < 0)
		return false;
	*ret_end = DUMP_END_TOO_DEEP;
	if (!frame_add(u, cursor, DUMP_FRAME_GUESSED))
		return false;
	u->frames[u->frame_count - 1].ip++;
	return true;
}

/* Where a signal's handler returns to: the frame behind it was interrupted, not called. */
static bool is_trampoline(struct unwinder *u, unw_cursor_t *cursor, unw_word_t ip)
{
	const struct unwinder_mapping *m;

	return image_enter(u, ip, &m) == DUMP_END_BOTTOM && unw_is_signal_frame(cursor) > 0;
}

/* By what the file says. False if the stack ends, and why. */
static bool step_by_file(struct unwinder *u, unw_cursor_t *cursor, enum dump_end *ret_end)
{
	unw_word_t ip = 0;
	int r;

	unw_get_reg(cursor, UNW_REG_IP, &ip);
	u->interrupted = is_trampoline(u, cursor, ip);
	u->trouble = DUMP_END_BOTTOM;
	r = unw_step(cursor);
	if (r < 0 || u->broken < 0) {
		*ret_end = end_of(u, r);
		return false;
	}
	/* DUMP_END_BOTTOM; or it went on without the file's word. */
	*ret_end = u->trouble;
	if (r == 0 || (u->trouble != DUMP_END_BOTTOM && !u->interrupted))
		return false;
	*ret_end = DUMP_END_TOO_DEEP;
	return frame_add(u, cursor, u->interrupted ? DUMP_FRAME_EXACT : 0);
}

static enum dump_end walk(struct unwinder *u)
{
	enum dump_end end = DUMP_END_FAILED;
	unw_cursor_t cursor;
	bool goes_on = unw_init_remote(&cursor, u->space, u) == 0 &&
		       frame_add(u, &cursor, DUMP_FRAME_EXACT);

	while (goes_on) {
		const struct dump_frame *f = &u->frames[u->frame_count - 1];
		const struct unwinder_mapping *m =
			mapping_find(u, f->flags & DUMP_FRAME_EXACT ? f->ip : f->ip - 1);

		u->trouble = DUMP_END_BOTTOM;
		u->interrupted = false;
		goes_on = m && m->by_frame_pointer ? step_by_frame_pointer(u, &cursor, &end)
						   : step_by_file(u, &cursor, &end);
	}
	return end;
}

/* ---- requests ---- */

static int answer_space(struct unwinder *u)
{
	const struct buffer *b = &u->message.bytes;
	const struct unwinder_mapping *m = (const struct unwinder_mapping *)b->data;
	size_t count = b->len / sizeof(*m);

	if (b->len % sizeof(*m) || count > DUMP_MAX_MAPPINGS)
		return -EPROTO;
	u->mappings.count = 0;
	for (size_t i = 0; i < count; i++) {
		struct unwinder_mapping *to;

		if (m[i].start >= m[i].end || (i && m[i].start < m[i - 1].end))
			return -EPROTO;
		to = array_push(&u->mappings, DUMP_MAX_MAPPINGS);
		if (!to)
			return -ENOMEM;
		*to = m[i];
	}
	return 0;
}

static int answer_walk(struct unwinder *u)
{
	const struct buffer *b = &u->message.bytes;
	struct unwinder_done done = { 0 };
	struct unwinder_walk w;

	if (b->len < sizeof(w))
		return -EPROTO;
	memcpy(&w, b->data, sizeof(w));
	if (w.stack_bytes > sizeof(u->stack) || b->len != sizeof(w) + w.stack_bytes ||
	    w.stack_addr > UINT64_MAX - w.stack_bytes)
		return -EPROTO;
	memcpy(u->stack, b->data + sizeof(w), w.stack_bytes);
	u->stack_bytes = w.stack_bytes;
	u->stack_addr = w.stack_addr;
	u->registers = w.registers;
	u->known = (1u << DUMP_REGISTERS) - 1;
	u->page_count = u->needs = u->frame_count = 0;
	u->image = NULL;
	done.end = walk(u);
	done.count = u->frame_count;
	if (u->broken < 0)
		return u->broken;
	buffer_clear(&u->reply);
	buffer_append(&u->reply, &done, sizeof(done));
	buffer_append(&u->reply, u->frames, u->frame_count * sizeof(*u->frames));
	if (buffer_error(&u->reply) < 0)
		return buffer_error(&u->reply);
	return socket_send(u->socket, UNWINDER_DONE, u->reply.data, u->reply.len, NULL, 0,
			   clock_ns(CLOCK_MONOTONIC) + ANSWER_PATIENCE_NS);
}

static int serve_one(struct unwinder *u)
{
	int r = socket_receive(u->socket, &u->message, UINT64_MAX);

	if (r < 0)
		return r;
	switch (u->message.type) {
	case UNWINDER_SPACE:
		return answer_space(u);
	case UNWINDER_WALK:
		return answer_walk(u);
	default:
		return -EPROTO;
	}
}

int unwinder_serve(int socket)
{
	struct unwinder *u = calloc(1, sizeof(*u));
	int r = u ? 0 : -ENOMEM;

	if (!u)
		return EXIT_FAILURE;
	u->socket = socket;
	socket_message_init(&u->message, UNWINDER_MAX_REQUEST_BYTES);
	buffer_init(&u->reply, UNWINDER_MAX_REPLY_BYTES);
	u->space = unw_create_addr_space(&accessors, 0);
	if (!u->space)
		r = -ENOMEM;
	/* Each walk is of another thread, and soon of another process. */
	if (u->space)
		unw_set_caching_policy(u->space, UNW_CACHE_NONE);
	while (r == 0)
		r = serve_one(u);
	if (u->space)
		unw_destroy_addr_space(u->space);
	elf_images_release(&u->images);
	array_release(&u->mappings);
	socket_message_release(&u->message);
	buffer_release(&u->reply);
	free(u);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
