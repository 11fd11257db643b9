// SPDX-License-Identifier: Apache-2.0
/*
 * TERM=dumb and NO_COLOR (no-color.org) are all that can be known about colours. terminfo was refused: a
 * library for four attributes that every terminal has.
 */
#include "profiler/command/look.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct text_options look_of(int fd)
{
	struct text_options look = { 0 };
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct winsize size;

	if (!isatty(fd))
		return look;
	look.color = term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		look.columns = size.ws_col;
	return look;
}
