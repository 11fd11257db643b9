/* SPDX-License-Identifier: Apache-2.0 */
/* One line of /proc/PID/mountinfo (Documentation/filesystems/proc.rst, 3.5). */
#ifndef PROCESS_MOUNTINFO_H
#define PROCESS_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A field as it stands in the text, which it borrows; not NUL-terminated. */
struct mountinfo_field {
	const char *text;
	size_t len;
};

struct mountinfo {
	uint64_t id; /* of the mount, as statx() tells it */
	uint32_t major, minor; /* of the file system */
	struct mountinfo_field
		root; /* what of the file system is mounted: "/" is all of it; escaped */
	struct mountinfo_field mount; /* where; escaped */
	struct mountinfo_field type;
	struct mountinfo_field options; /* of the file system, separated by commas */
};

/* As maps_line_parse(): 0; -ENOENT at the end; -EINVAL, and *ret_used is set all the same. */
int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret, size_t *ret_used);

/* Undoes the octal escapes ("\040") into `size` bytes with the NUL; -E2BIG if there is no room. */
int mountinfo_unescape(const struct mountinfo_field *f, char *out, size_t size);

bool mountinfo_field_is(const struct mountinfo_field *f, const char *text);
/* Is `item` one of those that the field lists with commas? */
bool mountinfo_field_lists(const struct mountinfo_field *f, const char *item);

#endif
