/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How text for people looks where it goes.
 */
#ifndef COMMAND_LOOK_H
#define COMMAND_LOOK_H

#include "profiler/encode/text.h"

/*
 * As wide as the terminal that `fd` is, coloured if it can be and NO_COLOR isn't set; files and pipes get
 * what everybody can read.
 */
struct text_options look_of(int fd);

#endif
