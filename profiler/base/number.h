/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict parsers: the whole text must be the number, without sign, spaces or leftovers.
 * 0, -EINVAL (not a number) or -ERANGE (too large); `ret_value` is written only on success.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

int number_parse(const char *s, size_t len, uint64_t max, uint64_t *ret_value);
/* Hexadecimal, without 0x. */
int number_parse_hex(const char *s, size_t len, uint64_t *ret_value);

/*
 * "10", "10s", "1m", "1h30m", "250ms", "0.5s" → nanoseconds: as Go's time.ParseDuration, but a number
 * that stands alone is seconds ("1h30" is refused: it could be either). At most 10,000 h, -ERANGE
 * beyond; -EINVAL for nothing; zero is allowed; what is below a nanosecond is cut off.
 */
int duration_parse(const char *s, uint64_t *ret_ns);

/*
 * "1000", "64K", "256M", "300MiB", "1G", "2t" → bytes; K is 1,024. Not "300MB", which could be either. -ERANGE
 * beyond 64 bits.
 */
int size_parse(const char *s, uint64_t *ret_bytes);

/*
 * "0-3,7" → a bit in `ret_bits` (of `nbits`) for each number, and all others zero. -EINVAL, or -ERANGE
 * beyond nbits; then `ret_bits` is as it was.
 */
int cpu_list_parse(const char *s, size_t len, uint8_t *ret_bits, uint32_t nbits);

#endif
