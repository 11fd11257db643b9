// SPDX-License-Identifier: Apache-2.0
/*
 * The table of levels. A span is what one dictionary serves: long enough that names are paid once for many windows, short
 * enough that a file is whole soon, and that giving one up gives up little.
 */
#include "profiler/store/level.h"

#include "profiler/base/clock.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

const struct store_level store_levels[STORE_LEVELS] = {
	{ "10s", 10 * NS_PER_S, HOUR, DAY, 8 },
	{ "5min", 5 * MINUTE, HOUR, 7 * DAY, 4 },
	{ "1h", HOUR, DAY, 90 * DAY, 3 },
	{ "1d", DAY, 28 * DAY, 0, 1 },
};
