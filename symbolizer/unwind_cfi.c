// SPDX-License-Identifier: Apache-2.0
/*
 * The heads of CIEs and FDEs: who they belong to, which addresses they are about, and where their
 * programs are (which unwind_program.c runs).
 *
 * Refused: libdw, which is 20 times slower, because for each row it runs the program from its start
 * and allocates the result. It is the oracle in tests instead.
 */
#include "symbolizer/unwind_cfi.h"

#include <dwarf.h>
#include <errno.h>

#define ENCODING_FORMAT 0x0f
#define ENCODING_BASE 0x70

int cfi_entry_next(const struct cfi_section *s, uint64_t *offset, struct cfi_entry *ret)
{
	struct bytes b = { .at = s->data + *offset, .end = s->data + s->bytes };
	size_t id_bytes = 4;
	uint64_t len = bytes_fixed(&b, 4), id, id_at;

	if (len == 0 && !b.bad) {
		*offset += 4;
		return 0;
	}
	if (len == UINT32_MAX) {
		len = bytes_fixed(&b, 8);
		/* In .eh_frame the id has 4 bytes even then (LSB, 10.6.1.1). */
		id_bytes = s->debug ? 8 : 4;
	}
	if (len < id_bytes)
		return -EBADMSG;
	ret->body = bytes_cut(&b, len);
	if (b.bad)
		return -EBADMSG;
	*offset = (uint64_t)(b.at - s->data);
	id_at = (uint64_t)(ret->body.at - s->data);
	id = bytes_fixed(&ret->body, id_bytes);
	if (s->debug) {
		ret->is_cie = id == (id_bytes == 8 ? UINT64_MAX : UINT32_MAX);
		ret->cie_offset = id;
	} else {
		ret->is_cie = id == 0;
		ret->cie_offset = id_at - id; /* beyond the section if it wraps */
	}
	return 1;
}

/* The size of a pointer in this format, 0 for LEB128; false if there is no such format. */
static bool encoding_bytes(uint8_t encoding, size_t *ret)
{
	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		*ret = 8;
		return true;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		*ret = 4;
		return true;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		*ret = 2;
		return true;
	case DW_EH_PE_uleb128:
	case DW_EH_PE_sleb128:
		*ret = 0;
		return true;
	}
	return false;
}

/* A pointer's value before its base is added. */
static bool take_value(struct bytes *b, uint8_t encoding, uint64_t *ret)
{
	size_t len;

	if (!encoding_bytes(encoding, &len))
		return false;
	if (len == 0) {
		*ret = (encoding & ENCODING_FORMAT) == DW_EH_PE_sleb128 ? (uint64_t)bytes_sleb(b)
									: bytes_uleb(b);
		return !b->bad;
	}
	*ret = bytes_fixed(b, len);
	/* bit 3: signed */
	if (encoding & 8 && len < 8 && *ret >> (len * 8 - 1))
		*ret |= ~0ULL << (len * 8);
	return !b->bad;
}

/*
 * An address in code. Relative to itself or not at all: with textrel, datarel and funcrel code
 * would be relative to what no x86-64 linker defines, and an indirect pointer has its value at run
 * time.
 */
bool cfi_take_address(struct bytes *b, uint8_t encoding, const struct cfi_section *s, uint64_t *ret)
{
	uint64_t base = 0;

	if ((encoding & ~ENCODING_FORMAT) == DW_EH_PE_pcrel)
		base = s->vaddr + (uint64_t)(b->at - s->data);
	else if ((encoding & ~ENCODING_FORMAT) != 0)
		return false;
	if (!take_value(b, encoding, ret))
		return false;
	*ret += base;
	return true;
}

/* A pointer to a personality routine is of no interest but for its length. */
static bool skip_pointer(struct bytes *b, uint8_t encoding, const struct cfi_section *s)
{
	uint64_t ignored;

	if (encoding == DW_EH_PE_omit)
		return true;
	if ((encoding & ENCODING_BASE) == DW_EH_PE_aligned) {
		uint64_t at = s->vaddr + (uint64_t)(b->at - s->data);

		bytes_skip(b, (8 - at % 8) % 8 + 8);
		return !b->bad;
	}
	return take_value(b, encoding, &ignored);
}

/*
 * The augmentation string's letters behind 'z', and their data. Unknown ones end what we can know.
 */
static bool augmentation_read(const struct cfi_section *s, const char *letters, struct bytes data,
			      struct cfi_cie *ret)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			ret->encoding = bytes_u8(&data);
			break;
		case 'L':
			bytes_u8(&data);
			break;
		case 'P':
			if (!skip_pointer(&data, bytes_u8(&data), s))
				return false;
			break;
		case 'S': /* signal frame: such are known by what their program says */
		case 'B': /* return addresses are signed: on arm64 */
			break;
		default:
			return true;
		}
	}
	return !data.bad;
}

void cfi_cie_read(const struct cfi_section *s, uint64_t offset, struct cfi_cie *ret)
{
	struct cfi_entry e;
	const char *letters;
	const void *nul;
	uint64_t at = offset, return_register;
	uint8_t version, address_bytes, segment_bytes;

	*ret = (struct cfi_cie){ .offset = offset, .section = s, .encoding = DW_EH_PE_absptr };
	if (offset >= s->bytes || cfi_entry_next(s, &at, &e) != 1 || !e.is_cie)
		return;
	version = bytes_u8(&e.body);
	letters = (const char *)e.body.at;
	nul = memchr(letters, 0,
		     bytes_left(&e.body) < CFI_MAX_AUGMENTATION ? bytes_left(&e.body)
								: CFI_MAX_AUGMENTATION);
	if ((version != 1 && version != 3 && version != 4) || !nul)
		return;
	e.body.at = (const uint8_t *)nul + 1;
	if (strcmp(letters, "eh") == 0) /* GCC 2: a pointer to exception tables */
		bytes_skip(&e.body, 8);
	else if (*letters != 'z' && letters[strspn(letters, "SB")])
		return; /* with 'z' all data have a length; without it only these have none */
	if (version == 4) {
		address_bytes = bytes_u8(&e.body);
		segment_bytes = bytes_u8(&e.body);
		if (address_bytes != 8 || segment_bytes != 0)
			return;
	}
	ret->code_align = bytes_uleb(&e.body);
	ret->data_align = bytes_sleb(&e.body);
	return_register = version == 1 ? bytes_u8(&e.body) : bytes_uleb(&e.body);
	if (return_register != CFI_RIP)
		return;
	ret->augmented = *letters == 'z';
	if (ret->augmented &&
	    !augmentation_read(s, letters + 1, bytes_cut(&e.body, bytes_uleb(&e.body)), ret))
		return;
	if (e.body.bad || bytes_left(&e.body) > CFI_MAX_CIE_PROGRAM)
		return;
	ret->program_bytes = (uint32_t)bytes_left(&e.body);
	ret->valid = cfi_run_initial(ret, e.body, &ret->initial);
	ret->initial_valid = true;
}

/* Start and size. */
static bool take_range(struct bytes *b, const struct cfi_cie *cie, struct cfi_fde *ret)
{
	uint32_t start, size;

	if (cie->encoding != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) ||
	    bytes_left(b) < sizeof(start) + sizeof(size))
		return cfi_take_address(b, cie->encoding, cie->section, &ret->start) &&
		       take_value(b, cie->encoding & ENCODING_FORMAT, &ret->size);
	/* What all linkers write today, in fewer steps. */
	memcpy(&start, b->at, sizeof(start));
	memcpy(&size, b->at + sizeof(start), sizeof(size));
	ret->start = cie->section->vaddr + (uint64_t)(b->at - cie->section->data) +
		     (uint64_t)(int64_t)(int32_t)start;
	ret->size = (uint64_t)(int64_t)(int32_t)size;
	b->at += sizeof(start) + sizeof(size);
	return true;
}

bool cfi_fde_read(const struct cfi_cie *cie, struct bytes body, struct cfi_fde *ret)
{
	if (!cie->valid || !take_range(&body, cie, ret))
		return false;
	if (cie->augmented)
		bytes_skip(&body, bytes_uleb(&body));
	ret->program = body;
	return !body.bad && ret->size <= UINT64_MAX - ret->start;
}
