// SPDX-License-Identifier: Apache-2.0
/*
 * A list of values for each place, in its order, which point into the command line or a copy of the
 * file's text. Nothing is interpreted here: whoever takes options from a command line takes these,
 * so that a file can say no more and no less.
 *
 * Refused: sections, includes, values over several lines. A file of this kind has ten lines.
 */
#include "profiler/command/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/command/near.h"
#include "profiler/command/options.h"

#define MAX_VALUE_BYTES 1024
#define MAX_LINE_BYTES 4096 /* a value whose every byte is escaped, and where it comes from */
#define MAX_PATH_BYTES 256
#define BLANKS " \t\r"

enum place { COMMAND_LINE, CONFIG_FILE, DEFAULTS, PLACES };

struct value {
	const struct argp_option *option;
	const char *text; /* NULL: it has none */
	uint32_t line; /* of a file */
	bool off; /* "no": as if it were not there, but it is said */
};

struct list {
	uint32_t count;
	struct value values[SETTINGS_MAX];
};

struct settings {
	const struct command *command;
	const int *not_in_files;
	struct list lists[PLACES];
	char *text; /* of the file */
	char *defaults;
	char path[MAX_PATH_BYTES]; /* of the file, "" if none was read */
};

/* ---- options ---- */

static bool may_be_in_file(const struct settings *s, const struct argp_option *o)
{
	if (!o->name)
		return false;
	for (const int *key = s->not_in_files; *key; key++)
		if (o->key == *key)
			return false;
	return true;
}

static const struct argp_option *option_find(const struct settings *s, const char *name)
{
	struct option_walk walk = { .command = s->command };
	const struct argp_option *o;

	while ((o = option_next(&walk)))
		if (may_be_in_file(s, o) && strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static const char *nearest(const struct settings *s, const char *name)
{
	struct option_walk walk = { .command = s->command };
	struct near near = { .word = name };
	const struct argp_option *o;
	const char *found = NULL;

	while ((o = option_next(&walk)))
		if (may_be_in_file(s, o) && near_is_nearer(&near, o->name))
			found = o->name;
	return found;
}

static int list_add(struct settings *s, enum place place, const struct value *v, struct err *err)
{
	struct list *l = &s->lists[place];

	if (l->count == SETTINGS_MAX)
		return err_set(err, -EINVAL, "there are more than %u settings", SETTINGS_MAX);
	l->values[l->count++] = *v;
	return 0;
}

int settings_add(struct settings *s, int key, const char *arg, struct err *err)
{
	struct option_walk walk = { .command = s->command };
	struct value v = { .text = arg };

	do
		v.option = option_next(&walk);
	while (v.option && v.option->key != key);
	if (!v.option)
		return err_set(err, -EINVAL, "\"%s\" is no option", arg ? arg : "");
	return list_add(s, COMMAND_LINE, &v, err);
}

/* ---- a file ---- */

/* A file's text on its way: values point into it, and each gets its end. */
struct reading {
	struct settings *settings;
	enum place place;
	uint32_t line;
};

static char *trimmed(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len && strchr(BLANKS, s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

/* Cuts off a comment: "#" at the beginning or behind a blank. */
static void uncomment(char *s)
{
	for (char *p = s; (p = strchr(p, '#')); p++) {
		if (p == s || strchr(BLANKS, p[-1])) {
			*p = '\0';
			return;
		}
	}
}

/*
 * What is between quotes, of which `s` is behind the first; *ret_end is behind the last. NULL and a
 * sentence.
 */
static char *unquoted(char *s, const char *key, char **ret_end, struct err *err)
{
	char *from = s, *to = s;

	for (; *from && *from != '"'; from++) {
		if (*from == '\\' && *++from != '"' && *from != '\\') {
			err_set(err, -EINVAL,
				"in the quotes of \"%s\" a \\ is before \" or another \\ only",
				key);
			return NULL;
		}
		*to++ = *from;
	}
	if (!*from) {
		err_set(err, -EINVAL, "the quotes around the value of \"%s\" don't end", key);
		return NULL;
	}
	*ret_end = from + 1;
	*to = '\0';
	return s;
}

/* What is between quotes, or before a comment. NULL and a sentence. */
static char *value_of(char *s, const char *key, struct err *err)
{
	char *end;

	s = trimmed(s);
	if (*s != '"') {
		uncomment(s);
		s = trimmed(s);
		if (!*s)
			err_set(err, -EINVAL, "\"%s\" has no value", key);
		return *s ? s : NULL;
	}
	s = unquoted(s + 1, key, &end, err);
	if (!s)
		return NULL;
	uncomment(end);
	if (*trimmed(end)) {
		err_set(err, -EINVAL, "there is something behind the quotes of \"%s\"", key);
		return NULL;
	}
	return s;
}

/* An option that has no value has been said, or has not. */
static int switch_read(struct value *v, struct err *err)
{
	if (strcmp(v->text, "yes") != 0 && strcmp(v->text, "no") != 0)
		return err_set(err, -EINVAL, "\"%s\" is yes or no, not \"%s\"", v->option->name,
			       v->text);
	v->off = strcmp(v->text, "no") == 0;
	v->text = NULL;
	return 0;
}

static int setting_read(const struct reading *x, char *key, char *rest, struct err *err)
{
	struct value v = { .line = x->line };
	const char *near;
	int r;

	v.option = option_find(x->settings, key);
	if (!v.option) {
		near = nearest(x->settings, key);
		return near ? err_set(err, -EINVAL,
				      "there is no setting \"%s\": did you mean \"%s\"?", key, near)
			    : err_set(err, -EINVAL,
				      "there is no setting \"%s\": see 'slowburn help %s'", key,
				      x->settings->command->name);
	}
	v.text = value_of(rest, key, err);
	if (!v.text)
		return -EINVAL;
	if (strlen(v.text) > MAX_VALUE_BYTES)
		return err_set(err, -EINVAL, "the value of \"%s\" is longer than %d bytes", key,
			       MAX_VALUE_BYTES);
	r = v.option->arg ? 0 : switch_read(&v, err);
	return r < 0 ? r : list_add(x->settings, x->place, &v, err);
}

static int line_read(const struct reading *x, char *line, size_t len, struct err *err)
{
	char *equals;

	if (len > MAX_LINE_BYTES)
		return err_set(err, -EINVAL, "the line is longer than %d bytes", MAX_LINE_BYTES);
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\t' || (line[i] == '\r' && i == len - 1))
			line[i] = ' ';
	if (strlen(line) != len || !text_is_clean(line, len))
		return err_set(err, -EINVAL, "the line is not UTF-8 text");
	line = trimmed(line);
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return err_set(err, -EINVAL, "\"%s\" is not \"key = value\"", line);
	*equals = '\0';
	return setting_read(x, trimmed(line), equals + 1, err);
}

static int failed_at(const struct settings *s, uint32_t line, int r, struct err *err)
{
	struct err what = *err;

	return err_set(err, r, "%s:%u: %s", s->path, line, what.text);
}

/* `text` ends with a NUL that is not counted in `len`. */
static int text_read(struct settings *s, enum place place, char *text, size_t len, struct err *err)
{
	struct reading x = { .settings = s, .place = place };
	char *end = text + len;

	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *next = newline ? newline : end;
		int r;

		*next = '\0';
		x.line++;
		r = line_read(&x, text, (size_t)(next - text), err);
		if (r < 0)
			return failed_at(s, x.line, r, err);
		text = next + 1;
	}
	return 0;
}

int settings_parse(struct settings *s, const char *path, const char *text, size_t len,
		   struct err *err)
{
	snprintf(s->path, sizeof(s->path), "%s", path);
	if (len > SETTINGS_MAX_BYTES)
		return err_set(err, -E2BIG, "\"%s\" has more than %u KiB: that is no configuration",
			       path, SETTINGS_MAX_BYTES >> 10);
	free(s->text);
	s->lists[CONFIG_FILE].count = 0;
	s->text = malloc(len + 1);
	if (!s->text)
		return err_errno(err, -ENOMEM, "cannot read \"%s\"", path);
	memcpy(s->text, text, len);
	s->text[len] = '\0';
	return text_read(s, CONFIG_FILE, s->text, len, err);
}

int settings_read(struct settings *s, const char *path, struct err *err)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(SETTINGS_MAX_BYTES + 1);
	int r = fd < 0 ? -errno : buffer_read_fd(&text, fd);

	if (r < 0 && r != -E2BIG)
		return err_errno(err, r, "cannot read the configuration \"%s\"", path);
	return settings_parse(s, path, text.data ? text.data : "", text.len, err);
}

/* ---- life ---- */

int settings_new(struct settings **ret, const struct command *command, const int *not_in_files,
		 const char *defaults, struct err *err)
{
	struct settings *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		s->command = command;
		s->not_in_files = not_in_files;
		s->defaults = strdup(defaults);
	}
	if (!s || !s->defaults)
		err_errno(err, r, "cannot read the settings");
	else
		r = text_read(s, DEFAULTS, s->defaults, strlen(s->defaults), err);
	if (r < 0) {
		settings_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	free(s->text);
	free(s->defaults);
	free(s);
}

/* ---- what counts ---- */

static bool is_said_in(const struct list *l, const struct argp_option *o)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (l->values[i].option == o)
			return true;
	return false;
}

bool settings_were_said(const struct settings *s, const char *name)
{
	const struct argp_option *o = option_find(s, name);

	return o &&
	       (is_said_in(&s->lists[COMMAND_LINE], o) || is_said_in(&s->lists[CONFIG_FILE], o));
}

static bool counts(const struct settings *s, enum place place, const struct argp_option *o)
{
	for (enum place before = COMMAND_LINE; before < place; before++)
		if (is_said_in(&s->lists[before], o))
			return false;
	return true;
}

static int apply_place(const struct settings *s, enum place place,
		       int (*take)(void *into, int key, const char *arg, struct err *err),
		       void *into, struct err *err)
{
	const struct list *l = &s->lists[place];

	for (uint32_t i = 0; i < l->count; i++) {
		const struct value *v = &l->values[i];
		int r = 0;

		if (!v->off && counts(s, place, v->option))
			r = take(into, v->option->key, v->text, err);
		if (r < 0)
			return place == CONFIG_FILE ? failed_at(s, v->line, r, err) : r;
	}
	return 0;
}

int settings_apply(const struct settings *s,
		   int (*take)(void *into, int key, const char *arg, struct err *err), void *into,
		   struct err *err)
{
	int r = 0;

	for (enum place place = COMMAND_LINE; r == 0 && place < PLACES; place++)
		r = apply_place(s, place, take, into, err);
	return r;
}

static void print_text(const char *text, struct buffer *out)
{
	if (*text && !strpbrk(text, "#\"\\ ")) {
		text_escape(out, text, strlen(text));
		return;
	}
	buffer_text(out, "\"");
	for (; *text; text++) {
		size_t plain = strcspn(text, "\"\\");

		text_escape(out, text, plain);
		text += plain;
		if (!*text)
			break;
		buffer_printf(out, "\\%c", *text);
	}
	buffer_text(out, "\"");
}

static void print_value(const struct settings *s, enum place place, const struct value *v,
			struct buffer *out)
{
	buffer_printf(out, "%s = ", v->option->name);
	print_text(v->text ? v->text : v->off ? "no" : "yes", out);
	switch (place) {
	case COMMAND_LINE:
		buffer_text(out, " # command line\n");
		break;
	case CONFIG_FILE:
		buffer_printf(out, " # %s:%u\n", s->path, v->line);
		break;
	default:
		buffer_text(out, " # default\n");
		break;
	}
}

static bool may_repeat(const char *const *repeated, const char *name)
{
	while (*repeated && strcmp(*repeated, name) != 0)
		repeated++;
	return *repeated;
}

/* What is said of one option, wherever that is: the last word, or all of them. */
static bool print_option(const struct settings *s, const struct argp_option *o, bool all,
			 struct buffer *out)
{
	const struct value *last = NULL;
	bool said = false;

	for (enum place place = COMMAND_LINE; place < PLACES && !said; place++) {
		const struct list *l = &s->lists[place];

		for (uint32_t i = 0; i < l->count; i++) {
			if (l->values[i].option != o)
				continue;
			last = &l->values[i];
			said = true;
			if (all)
				print_value(s, place, last, out);
		}
		if (said && !all)
			print_value(s, place, last, out);
	}
	return said;
}

void settings_print(const struct settings *s, const char *const *repeated, struct buffer *out)
{
	struct option_walk walk = { .command = s->command };
	const struct argp_option *o;

	while ((o = option_next(&walk)))
		if (may_be_in_file(s, o) && !print_option(s, o, may_repeat(repeated, o->name), out))
			buffer_printf(out, "# %s is not set\n", o->name);
}
