/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of file holds a profile, by its first bytes; never by its name.
 */
#ifndef DECODE_FILE_FORMAT_H
#define DECODE_FILE_FORMAT_H

#include <stddef.h>

enum file_format {
	FILE_FORMAT_PPROF, /* gzip'd, or whatever is no text */
	FILE_FORMAT_COLLAPSED, /* its first line is text that ends in a number */
	FILE_FORMAT_RECORDING, /* slowburn's own, for agent/capture.h */
};

enum file_format file_format_of(const void *bytes, size_t len);

#endif
