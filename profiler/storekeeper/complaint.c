// SPDX-License-Identifier: Apache-2.0
/*
 * A clock for each kind. Refused: remembering sentences: they differ by numbers, and each would be said once.
 */
#include "profiler/storekeeper/complaint.h"

#include <inttypes.h>
#include <stdio.h>

#include "profiler/base/clock.h"

#define SILENCE_NS (60 * NS_PER_S)

size_t complaint_say(struct complaints *c, enum complaint what, const struct err *err,
		     uint64_t now_ns, char ret[COMPLAINT_MAX_BYTES])
{
	int n;

	if (c->of[what].said_ns && now_ns - c->of[what].said_ns < SILENCE_NS) {
		c->of[what].unheard++;
		return 0;
	}
	n = c->of[what].unheard ? snprintf(ret, COMPLAINT_MAX_BYTES,
					   "%s; %" PRIu64 " times more since it was said last",
					   err->text, c->of[what].unheard)
				: snprintf(ret, COMPLAINT_MAX_BYTES, "%s", err->text);
	c->of[what].said_ns = now_ns;
	c->of[what].unheard = 0;
	return (size_t)n;
}
