// SPDX-License-Identifier: Apache-2.0
/*
 * The line is rewritten with a carriage return and blanked with spaces, which every terminal
 * understands. It is never wider than the terminal: a line that wraps can't be taken back. In the
 * background nothing is drawn, or `stty tostop` would stop us.
 */
#include "profiler/command/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"

#define REDRAW_NS (250 * NS_PER_MS)
#define MAX_COLUMNS 200

void progress_begin(struct progress *p, uint64_t now_ns, uint64_t duration_ns, bool quiet)
{
	*p = (struct progress){
		.shown = !quiet && isatty(STDERR_FILENO),
		.start_ns = now_ns,
		.end_ns = duration_ns ? now_ns + duration_ns : 0,
	};
}

static uint32_t terminal_columns(void)
{
	struct winsize size;

	/* The last column is left empty: some terminals wrap as soon as it is filled. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return 79;
	return size.ws_col - 1U < MAX_COLUMNS ? size.ws_col - 1U : MAX_COLUMNS;
}

static int span_text(char *out, size_t size, uint64_t seconds)
{
	if (seconds < 60)
		return snprintf(out, size, "%" PRIu64 " s", seconds);
	if (seconds < 3600)
		return snprintf(out, size, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60,
				seconds % 60);
	return snprintf(out, size, "%" PRIu64 " h %02" PRIu64 " min", seconds / 3600,
			seconds / 60 % 60);
}

/* Replaces what is drawn by `text`: one write, with no escape sequence in it. */
static void draw(struct progress *p, const char *text, uint32_t len)
{
	char line[2 * MAX_COLUMNS + 4];
	int n = snprintf(line, sizeof(line), "\r%.*s%*s", (int)len, text,
			 (int)(p->drawn > len ? p->drawn - len : 0), "");

	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	(void)fd_write_all(STDERR_FILENO, line, (size_t)n);
	p->drawn = len;
}

void progress_update(struct progress *p, uint64_t now_ns, uint64_t samples, uint64_t lost)
{
	char text[MAX_COLUMNS], span[48];
	uint32_t columns;
	uint64_t left;
	int n;

	if (!p->shown || now_ns < p->next_ns || tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	p->next_ns = now_ns + REDRAW_NS;
	if (p->end_ns) {
		/* Rounded up: "1 s left" until there is none. */
		left = p->end_ns > now_ns ? p->end_ns - now_ns : 0;
		span_text(span, sizeof(span), (left + NS_PER_S - 1) / NS_PER_S);
		n = snprintf(text, sizeof(text), "%s left, %" PRIu64 " samples, %" PRIu64 " lost",
			     span, samples, lost);
	} else {
		span_text(span, sizeof(span), (now_ns - p->start_ns) / NS_PER_S);
		n = snprintf(text, sizeof(text),
			     "%s, %" PRIu64 " samples, %" PRIu64 " lost (Ctrl-C ends it)", span,
			     samples, lost);
	}
	columns = terminal_columns();
	if (n > 0)
		draw(p, text, (uint32_t)n < columns ? (uint32_t)n : columns);
}

void progress_clear(struct progress *p)
{
	uint32_t columns;

	if (!p->shown || !p->drawn)
		return;
	columns = terminal_columns(); /* it may have become narrower */
	p->drawn += 2; /* the "^C" that the terminal put behind it */
	if (p->drawn > columns)
		p->drawn = columns;
	draw(p, "", 0);
	(void)fd_write_all(STDERR_FILENO, "\r", 1);
}
