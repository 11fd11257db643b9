// SPDX-License-Identifier: Apache-2.0
/*
 * A line is made in one buffer and written by one call, so that lines of several writers don't mix.
 * A write that fails or would wait is given up: nobody is there to be told, and a server doesn't
 * stand still for its log's reader.
 *
 * Refused: syslog(3) and sd_journal_print(3), another library or socket for what standard error
 * does as well.
 */
#include "profiler/server/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/base/text.h"

#define MAX_SENTENCE_BYTES 1024

static const struct {
	const char *name;
	enum log_level level;
} events[LOG_EVENT_COUNT] = {
#define X(id, name, level) [LOG_EVENT_##id] = { name, level },
	LOG_EVENTS(X)
#undef X
};

static const struct {
	const char *name;
	int priority; /* syslog(3) */
} levels[] = {
	[LOG_ERROR] = { "error", 3 },
	[LOG_WARNING] = { "warning", 4 },
	[LOG_INFO] = { "info", 6 },
	[LOG_DEBUG] = { "debug", 7 },
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static const char *const formats[] = {
	[LOG_TEXT] = "text",
	[LOG_LOGFMT] = "logfmt",
	[LOG_JSON] = "json",
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

struct log {
	struct log_config config;
	struct {
		uint64_t tokens, refilled_ns, suppressed;
	} kinds[LOG_EVENT_COUNT];
};

int log_new(struct log **ret, const struct log_config *config)
{
	struct log *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->config = *config;
	if (!l->config.now_ns)
		l->config.now_ns = clock_ns;
	for (size_t i = 0; i < LOG_EVENT_COUNT; i++) {
		l->kinds[i].tokens = LOG_BURST;
		l->kinds[i].refilled_ns = l->config.now_ns(CLOCK_MONOTONIC);
	}
	*ret = l;
	return 0;
}

/* ---- how often ---- */

static bool may_write(struct log *l, enum log_event event)
{
	uint64_t more =
		(l->config.now_ns(CLOCK_MONOTONIC) - l->kinds[event].refilled_ns) / LOG_REFILL_NS;

	l->kinds[event].refilled_ns += more * LOG_REFILL_NS;
	l->kinds[event].tokens = more < LOG_BURST - l->kinds[event].tokens
					 ? l->kinds[event].tokens + more
					 : LOG_BURST;
	if (!l->kinds[event].tokens) {
		l->kinds[event].suppressed++;
		return false;
	}
	l->kinds[event].tokens--;
	return true;
}

/* ---- how it looks ---- */

static void put_time(const struct log *l, struct buffer *line)
{
	uint64_t now_ns = l->config.now_ns(CLOCK_REALTIME);
	time_t s = (time_t)(now_ns / NS_PER_S);
	struct tm tm;
	char text[32];

	/* At a terminal somebody looks at a clock beside it. */
	if (l->config.format == LOG_TEXT) {
		localtime_r(&s, &tm);
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
		buffer_printf(line, "%s ", text);
		return;
	}
	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buffer_printf(line,
		      l->config.format == LOG_JSON ? "\"time\":\"%s.%03uZ\"," : "time=%s.%03uZ ",
		      text, (unsigned int)(now_ns % NS_PER_S / NS_PER_MS));
}

/* logfmt has no rules for quotes but those of its readers, which take JSON's. */
static void put_value(const struct log *l, struct buffer *line, const char *text)
{
	size_t len = strlen(text);

	if (l->config.format == LOG_TEXT)
		text_escape(line, text, len);
	else if (l->config.format == LOG_JSON || !len || strpbrk(text, " \"=\\") ||
		 !text_is_clean(text, len))
		text_json(line, text, len);
	else
		buffer_text(line, text);
}

static void put_head(const struct log *l, struct buffer *line, enum log_event event,
		     const char *sentence)
{
	const char *level = levels[events[event].level].name;

	if (l->config.journal)
		buffer_printf(line, "<%d>", levels[events[event].level].priority);
	if (l->config.format == LOG_JSON)
		buffer_text(line, "{");
	if (!l->config.journal)
		put_time(l, line);
	switch (l->config.format) {
	case LOG_TEXT:
		buffer_printf(line, "%s: ", level);
		break;
	case LOG_LOGFMT:
		buffer_printf(line, "level=%s event=%s msg=", level, events[event].name);
		break;
	case LOG_JSON:
		buffer_printf(line, "\"level\":\"%s\",\"event\":\"%s\",\"msg\":", level,
			      events[event].name);
		break;
	}
	put_value(l, line, sentence);
}

/* `number`: which one of them. */
static void put_field(const struct log *l, struct buffer *line, const struct log_field *f,
		      size_t number)
{
	switch (l->config.format) {
	case LOG_TEXT:
		buffer_printf(line, "%s%s=", number ? ", " : " (", f->name);
		break;
	case LOG_LOGFMT:
		buffer_printf(line, " %s=", f->name);
		break;
	case LOG_JSON:
		buffer_printf(line, ",\"%s\":", f->name);
		break;
	}
	if (f->text)
		put_value(l, line, f->text);
	else
		buffer_printf(line, "%" PRIu64, f->number);
}

static void put_line(struct log *l, enum log_event event, const char *sentence,
		     const struct log_field *fields, size_t count)
{
	_cleanup_(buffer_release) struct buffer line = BUFFER_INIT(LOG_MAX_LINE_BYTES);
	const struct log_field suppressed = { "suppressed", NULL, l->kinds[event].suppressed };
	struct pollfd p = { .fd = l->config.fd, .events = POLLOUT };
	size_t all = count + (suppressed.number != 0);

	put_head(l, &line, event, sentence);
	for (size_t i = 0; i < all; i++)
		put_field(l, &line, i < count ? &fields[i] : &suppressed, i);
	if (l->config.format == LOG_JSON)
		buffer_text(&line, "}");
	else if (l->config.format == LOG_TEXT && all)
		buffer_text(&line, ")");
	buffer_text(&line, "\n");
	if (buffer_error(&line) || poll(&p, 1, 0) <= 0 ||
	    write(l->config.fd, line.data, line.len) != (ssize_t)line.len)
		l->kinds[event].suppressed++;
	else
		l->kinds[event].suppressed = 0;
}

void log_write(struct log *l, enum log_event event, const struct log_field *fields, size_t count,
	       const char *fmt, ...)
{
	char sentence[MAX_SENTENCE_BYTES];
	va_list args;
	int n;

	if (events[event].level > l->config.level || !may_write(l, event))
		return;
	va_start(args, fmt);
	n = vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	if (n >= 0)
		put_line(l, event, sentence, fields, count);
}

void log_free(struct log *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LOG_EVENT_COUNT; i++)
		if (l->kinds[i].suppressed)
			put_line(l, (enum log_event)i, "more of these were not written", NULL, 0);
	free(l);
}

/* ---- words ---- */

bool log_format_find(const char *name, enum log_format *ret)
{
	for (size_t i = 0; i < FORMATS; i++) {
		if (strcmp(formats[i], name) != 0)
			continue;
		*ret = (enum log_format)i;
		return true;
	}
	return false;
}

bool log_level_find(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < LEVELS; i++) {
		if (strcmp(levels[i].name, name) != 0)
			continue;
		*ret = (enum log_level)i;
		return true;
	}
	return false;
}

bool log_is_journal(int fd, const char *stream)
{
	const char *colon = stream ? strchr(stream, ':') : NULL;
	uint64_t device, inode;
	struct stat st;

	return colon && number_parse(stream, (size_t)(colon - stream), UINT64_MAX, &device) == 0 &&
	       number_parse(colon + 1, strlen(colon + 1), UINT64_MAX, &inode) == 0 &&
	       fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}
