/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large a profile from a file may be, in whatever format it comes.
 */
#ifndef DECODE_LIMITS_H
#define DECODE_LIMITS_H

#define DECODE_MAX_FILE_BYTES ((size_t)256 << 20)
#define DECODE_MAX_RAW_BYTES ((size_t)256 << 20) /* decompressed */
#define DECODE_MAX_TREE_BYTES ((size_t)1 << 30) /* of protobuf-c's structs */
#define DECODE_MAX_TEXT_BYTES ((size_t)256 << 20)
#define DECODE_MAX_ITEMS (1U << 23)

#endif
