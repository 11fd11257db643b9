// SPDX-License-Identifier: Apache-2.0
/*
 * Why a stack ended, in words that stand behind "stack ends here: ". Where a profile would end it, too, they are
 * those of a profile (base/truncation.h).
 */
#include "profiler/base/truncation.h"
#include "profiler/dump/protocol.h"

const char *dump_end_text(enum dump_end end)
{
	switch (end) {
	case DUMP_END_BOTTOM:
		return "the outermost frame";
	case DUMP_END_NO_INFO:
		return truncation_words(TRUNCATED_NO_ROW);
	case DUMP_END_NO_INDEX:
		return "the file has no .eh_frame that libunwind can use";
	case DUMP_END_NO_MAPPING:
		return truncation_words(TRUNCATED_NO_MAPPING);
	case DUMP_END_NO_FILE:
		return "the file could not be read";
	case DUMP_END_UNSUPPORTED:
		return truncation_words(TRUNCATED_UNSUPPORTED);
	case DUMP_END_LOST:
		return truncation_words(TRUNCATED_LOST);
	case DUMP_END_BAD_READ:
		return truncation_words(TRUNCATED_BAD_READ);
	case DUMP_END_BAD_FRAME:
		return truncation_words(TRUNCATED_BAD_FRAME);
	case DUMP_END_TOO_DEEP:
		return truncation_words(TRUNCATED_TOO_DEEP);
	case DUMP_END_TOO_LATE:
		return "the thread had to be let go before its memory was read";
	case DUMP_END_FAILED:
		return "the unwinder failed over it";
	case DUMP_END_COUNT:
		break;
	}
	return "?";
}
