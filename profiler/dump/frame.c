// SPDX-License-Identifier: Apache-2.0
/*
 * Why a stack ended, in words that stand behind "stack ends here: ".
 */
#include "profiler/dump/protocol.h"

static const char *const texts[DUMP_END_COUNT] = {
	[DUMP_END_BOTTOM] = "the outermost frame",
	[DUMP_END_NO_INFO] = "no unwind information for this code",
	[DUMP_END_NO_INDEX] = "the file has no .eh_frame that libunwind can use",
	[DUMP_END_NO_MAPPING] = "no executable mapping there",
	[DUMP_END_NO_FILE] = "the file could not be read",
	[DUMP_END_UNSUPPORTED] = "unwind information that can't be followed",
	[DUMP_END_LOST] = "by a register whose value isn't known here",
	[DUMP_END_BAD_READ] = "memory that could not be read",
	[DUMP_END_BAD_FRAME] = "a frame that can't be one",
	[DUMP_END_TOO_DEEP] = "more frames than are shown",
	[DUMP_END_TOO_LATE] = "the thread had to be let go before its memory was read",
	[DUMP_END_FAILED] = "the unwinder failed over it",
};

const char *dump_end_text(enum dump_end end)
{
	return (unsigned int)end < DUMP_END_COUNT ? texts[end] : "?";
}
