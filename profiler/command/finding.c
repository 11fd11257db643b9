// SPDX-License-Identifier: Apache-2.0
/*
 * Findings hold bytes from outside (a release, a security label), so both forms pass text_escape() first:
 * what comes out is printable UTF-8 without control characters, and of that JSON needs but two
 * characters escaped. That is why there is no JSON library here: jansson would check UTF-8 again and
 * need a copy of everything to write one flat list.
 */
#include "profiler/command/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/encode/page.h"
#include "version.h"

#define DEFAULT_COLUMNS 100
#define MIN_COLUMNS 60
#define MAX_COLUMNS 1000
#define NAME_COLUMNS 23
#define VERDICT_COLUMNS 9
#define INDENT 2
#define TEXT_COLUMN (INDENT + NAME_COLUMNS + VERDICT_COLUMNS)

static const struct {
	const char *name;
	enum page_attribute attribute;
} verdicts[] = {
	[VERDICT_FINE] = { "fine", PAGE_PLAIN },
	[VERDICT_DEGRADED] = { "degraded", PAGE_BOLD },
	[VERDICT_FATAL] = { "fatal", PAGE_ALARM },
	[VERDICT_UNKNOWN] = { "unknown", PAGE_DIM },
};

static void format(char *to, size_t size, const char *fmt, va_list args)
{
	if (vsnprintf(to, size, fmt, args) < 0)
		to[0] = '\0';
}

void finding_set(struct finding *f, enum verdict verdict, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	f->verdict = verdict;
}

void finding_mend(struct finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(f->mend, sizeof(f->mend), fmt, args);
	va_end(args);
}

/* ---- text ---- */

static void put_padded(struct page *g, const char *s, size_t columns)
{
	text_fit(g->out, s, strlen(s), columns, true);
}

static void put_finding(struct page *g, const struct finding *f)
{
	page_spaces(g, INDENT);
	put_padded(g, f->name, NAME_COLUMNS);
	page_attribute(g, verdicts[f->verdict].attribute);
	put_padded(g, verdicts[f->verdict].name, VERDICT_COLUMNS);
	page_attribute(g, PAGE_PLAIN);
	text_escape(&g->sentence, f->text, strlen(f->text));
	page_hang(g, TEXT_COLUMN);
	if (!f->mend[0])
		return;
	page_say(g, "mend: ");
	text_escape(&g->sentence, f->mend, strlen(f->mend));
	page_paragraph(g, TEXT_COLUMN);
}

static void put_conclusion(struct page *g, const struct finding *f, uint32_t count)
{
	const struct finding *last = &f[count - 1];
	uint32_t seen[sizeof(verdicts) / sizeof(verdicts[0])] = { 0 };

	for (uint32_t i = 0; i < count; i++)
		seen[f[i].verdict]++;
	if (last->verdict != VERDICT_FINE)
		page_say(g, "Profiling will not work: see above what is fatal.");
	else if (seen[VERDICT_DEGRADED])
		page_say(g, "Profiling will work; see above what %u degraded line%s.",
			 seen[VERDICT_DEGRADED], seen[VERDICT_DEGRADED] == 1 ? " costs" : "s cost");
	else
		page_say(g, "Profiling will work.");
	page_attribute(g, last->verdict == VERDICT_FINE ? PAGE_BOLD : PAGE_ALARM);
	page_paragraph(g, 0);
	page_attribute(g, PAGE_PLAIN);
}

static uint32_t columns_of(const struct text_options *look)
{
	if (!look->columns)
		return DEFAULT_COLUMNS;
	if (look->columns < MIN_COLUMNS)
		return MIN_COLUMNS;
	return look->columns < MAX_COLUMNS ? look->columns : MAX_COLUMNS;
}

int findings_text(const struct finding *f, uint32_t count, const struct text_options *look,
		  struct buffer *out)
{
	struct page page;
	int r;

	page_init(&page, out, columns_of(look), look->color);
	for (uint32_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(f[i].group, f[i - 1].group) != 0) {
			page_attribute(&page, PAGE_BOLD);
			page_say(&page, "%s", f[i].group);
			page_paragraph(&page, 0);
			page_attribute(&page, PAGE_PLAIN);
		}
		put_finding(&page, &f[i]);
	}
	if (count)
		put_conclusion(&page, f, count);
	r = page_error(&page);
	page_release(&page);
	return r;
}

/* ---- JSON ---- */

static void put_member(struct buffer *out, const char *key, const char *value)
{
	text_json(out, key, strlen(key));
	buffer_text(out, ": ");
	text_json(out, value, strlen(value));
}

static void put_check(struct buffer *out, const struct finding *f)
{
	buffer_text(out, "\t\t{");
	put_member(out, "group", f->group);
	buffer_text(out, ", ");
	put_member(out, "name", f->name);
	buffer_text(out, ", ");
	put_member(out, "verdict", verdicts[f->verdict].name);
	buffer_text(out, ",\n\t\t ");
	put_member(out, "text", f->text);
	buffer_text(out, ",\n\t\t ");
	put_member(out, "mend", f->mend);
	buffer_text(out, "}");
}

int findings_json(const struct finding *f, uint32_t count, struct buffer *out)
{
	bool works = count && f[count - 1].verdict == VERDICT_FINE;

	buffer_text(out, "{\n\t");
	put_member(out, "version", SLOWBURN_VERSION);
	buffer_printf(out, ",\n\t\"profiling\": %s,\n\t\"checks\": [", works ? "true" : "false");
	for (uint32_t i = 0; i < count; i++) {
		buffer_text(out, i ? ",\n" : "\n");
		put_check(out, &f[i]);
	}
	buffer_text(out, count ? "\n\t]\n}\n" : "]\n}\n");
	return buffer_error(out);
}
