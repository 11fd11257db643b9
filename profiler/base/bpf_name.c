// SPDX-License-Identifier: Apache-2.0
/*
 * The hash is that of a program's instructions: without it the names of one program on two machines, or
 * before and after it was loaded again, are the same.
 */
#include "profiler/base/bpf_name.h"

#include <stdint.h>
#include <string.h>

#include "profiler/base/number.h"

const char *bpf_name_shown(const char *name, size_t len, char *copy, size_t size)
{
	static const char prefix[] = "bpf_prog_";
	size_t prefix_len = sizeof(prefix) - 1, hash_end = prefix_len + 16;
	uint64_t hash;

	if (len <= hash_end + 1 || len - 17 >= size || memcmp(name, prefix, prefix_len) != 0 ||
	    name[hash_end] != '_' || number_parse_hex(name + prefix_len, 16, &hash) < 0)
		return NULL;
	memcpy(copy, prefix, prefix_len);
	memcpy(copy + prefix_len, name + hash_end + 1, len - hash_end - 1);
	copy[len - 17] = '\0';
	return copy;
}
