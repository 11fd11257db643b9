// SPDX-License-Identifier: Apache-2.0
/*
 * The table in words. Lines are broken at 100 columns, between words only, so that the same text is
 * read on a terminal and in docs/SECURITY.md; a markdown table was refused, as system calls make its
 * cells longer than any screen.
 */
#include "profiler/role/role.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 100

/* A paragraph being written. */
struct lines {
	struct buffer *out;
	size_t column;
	size_t indent; /* of its further lines */
};

static void word(struct lines *l, const char *text, size_t len)
{
	if (l->column && l->column + 1 + len > WIDTH) {
		buffer_text(l->out, "\n");
		l->column = 0;
	} else if (l->column) {
		buffer_text(l->out, " ");
		l->column++;
	}
	if (!l->column) {
		buffer_printf(l->out, "%*s", (int)l->indent, "");
		l->column = l->indent;
	}
	buffer_append(l->out, text, len);
	l->column += len;
}

static void words(struct lines *l, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		word(l, text, len);
		text += len;
		text += strspn(text, " ");
	}
}

/* An item of a list: `bullet` is "- " with blanks before it. */
static struct lines item(struct buffer *out, const char *bullet)
{
	struct lines l = { .out = out, .indent = strlen(bullet) };

	buffer_text(out, bullet);
	return l;
}

/* The first word stands behind the bullet; further ones are indented like it. */
static void item_begin(struct lines *l, const char *text)
{
	size_t len = strcspn(text, " ");

	buffer_append(l->out, text, len);
	l->column = l->indent + len;
	words(l, text + len + strspn(text + len, " "));
}

static void end(struct lines *l)
{
	buffer_text(l->out, "\n");
	l->column = 0;
}

static void describe_identity(const struct role *role, struct buffer *out)
{
	struct lines l = item(out, "- ");
	char text[160];

	if (role->user)
		snprintf(text, sizeof(text),
			 "uid and gid: %s if there is such a user, else %u; no other groups",
			 role->user, (unsigned int)role->fallback_id);
	else
		snprintf(text, sizeof(text), "uid and gid: those it was started with");
	item_begin(&l, text);
	end(&l);
}

static void describe_capability(const struct role_capability *c, const char *until,
				struct buffer *out)
{
	struct lines l = item(out, "  - ");
	char text[192];

	snprintf(text, sizeof(text), "%s%s: %s", c->name, until, c->use);
	item_begin(&l, text);
	end(&l);
}

static void words_of_crew(struct lines *l, const char *const *crew)
{
	const char *const *first = crew;
	char text[64];

	words(l, "to pass them on, those of");
	for (; *crew; crew++) {
		snprintf(text, sizeof(text), "%s%s%s", crew[1] || crew == first ? "" : "and ",
			 *crew,
			 crew[1] && crew[2] ? ","
			 : crew[1]          ? ""
					    : "; and");
		words(l, text);
	}
}

static void describe_capabilities(const struct role *role, struct buffer *out)
{
	struct lines l = item(out, "- ");

	if (!role->capability_count) {
		item_begin(&l, "capabilities: none");
		end(&l);
		return;
	}
	item_begin(&l, "capabilities:");
	if (role->crew)
		words_of_crew(&l, role->crew);
	end(&l);
	for (size_t i = 0; i < role->capability_count; i++)
		describe_capability(&role->capabilities[i], "", out);
	if (role->setup)
		describe_capability(&role->setup->capability, " (given up when it is set up)", out);
}

static void describe_limits(const struct role *role, struct buffer *out)
{
	struct lines l = item(out, "- ");

	item_begin(&l, role->limit_count ? "limits:" : "limits: those it was started with");
	for (size_t i = 0; i < role->limit_count; i++) {
		const struct role_limit *limit = &role->limits[i];
		bool mib = limit->most >= 1 << 20 && limit->most % (1 << 20) == 0;
		char text[64];

		snprintf(text, sizeof(text), "%s %llu%s%s", limit->name,
			 (unsigned long long)(mib ? limit->most >> 20 : limit->most),
			 mib ? " MiB" : "", i + 1 < role->limit_count ? "," : "");
		words(&l, text);
	}
	end(&l);
}

/* Of two rows for one call, the second says its condition only. */
static bool is_same_call(const struct role_call *a, const struct role_call *b)
{
	return a->only && b->only && strcmp(a->name, b->name) == 0;
}

static void describe_group(const struct role_calls *group, struct buffer *out)
{
	struct lines l = item(out, "  - ");
	char text[128];

	snprintf(text, sizeof(text), "%s%s:", group->purpose,
		 group->until_sealed ? " (given up when it is set up)" : "");
	item_begin(&l, text);
	for (size_t i = 0; i < group->count; i++) {
		const struct role_call *c = &group->calls[i];
		bool first = i == 0 || !is_same_call(c - 1, c);
		bool last = i + 1 == group->count || !is_same_call(c, c + 1);

		snprintf(text, sizeof(text), "%s%s%s%s%s", first ? c->name : "",
			 first && c->only ? " (" : "", c->only ? c->only : "",
			 last && c->only ? ")" : "", i + 1 < group->count ? "," : "");
		words(&l, text);
	}
	end(&l);
}

int role_describe(const struct role *role, struct buffer *out)
{
	struct lines l = { .out = out };

	buffer_printf(out, "### %s\n\n", role->name);
	words(&l, role->work);
	buffer_text(out, ".\n\n");
	describe_identity(role, out);
	describe_capabilities(role, out);
	describe_limits(role, out);
	if (role->ordinary)
		buffer_text(out, "- priority: everybody's (nice 0)\n");
	if (role->background)
		buffer_text(out, "- priority: the lowest (nice 19, SCHED_BATCH)\n");
	buffer_text(out,
		    role->filter == ROLE_ALLOWS
			    ? "- system calls, all others being answered EPERM:\n"
			    : "- system calls: all but these, which are answered EPERM, to the "
			      "others too:\n");
	for (size_t i = 0; i < role->group_count; i++)
		describe_group(&role->groups[i], out);
	return buffer_error(out);
}
