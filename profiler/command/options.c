// SPDX-License-Identifier: Apache-2.0
/*
 * argp walks the command line and formats the help; its way of failing (several lines, its own exit)
 * is switched off, because an error here is one sentence. argp then no longer says what was wrong, so
 * option_fault() finds it again from the table. Options are parsed in order, not permuted: with
 * permutation a word before "--" would become the command behind it.
 */
#include "profiler/command/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define HELP_KEY 'h'

const struct argp_option help_options[] = {
	{ "help", HELP_KEY, NULL, 0, "print this, and exit", 100 },
	{ 0 },
};

struct parse {
	const struct command *command;
	void *into;
	char **rest;
	struct err *err;
	int result;
};

const struct argp_option *option_next(struct option_walk *w)
{
	while (w->command->options[w->table]) {
		const struct argp_option *o = &w->command->options[w->table][w->row++];

		if (o->name || o->key || o->doc)
			return o;
		w->table++;
		w->row = 0;
	}
	return NULL;
}

static const struct argp_option *option_by_key(const struct command *c, char key)
{
	struct option_walk walk = { .command = c };
	const struct argp_option *o;

	do
		o = option_next(&walk);
	while (o && o->key != key);
	return o;
}

/* Options that "--NAME" may mean: it may be cut as long as it is one of a kind. */
static uint32_t options_by_name(const struct command *c, const char *name, size_t len,
				const struct argp_option **ret)
{
	struct option_walk walk = { .command = c };
	const struct argp_option *o;
	uint32_t found = 0;

	while ((o = option_next(&walk))) {
		if (!o->name || strncmp(o->name, name, len) != 0)
			continue;
		*ret = o;
		if (!o->name[len])
			return 1;
		found++;
	}
	return found;
}

/* What is wrong with "-abc"? -EINVAL and a sentence, or 0 if nothing is. */
static int short_fault(const struct command *c, const char *letters, struct err *err)
{
	for (; *letters; letters++) {
		const struct argp_option *o = option_by_key(c, *letters);

		if (!o)
			return err_set(err, -EINVAL,
				       "unknown option \"-%c\": see 'slowburn help %s'", *letters,
				       c->name);
		if (o->arg && letters[1])
			return 0; /* the rest is its value */
		if (o->arg)
			return err_set(err, -EINVAL, "option \"-%c\" needs a value: %s", *letters,
				       o->arg);
	}
	return 0;
}

/* The same for "--name" or "--name=value". */
static int long_fault(const struct command *c, const char *name, struct err *err)
{
	size_t len = strcspn(name, "=");
	const struct argp_option *o = NULL;
	uint32_t found = options_by_name(c, name, len, &o);

	if (found == 0)
		return err_set(err, -EINVAL, "unknown option \"--%.*s\": see 'slowburn help %s'",
			       (int)len, name, c->name);
	if (found > 1)
		return err_set(err, -EINVAL, "option \"--%.*s\" may mean several", (int)len, name);
	if (o->arg && !name[len])
		return err_set(err, -EINVAL, "option \"--%s\" needs a value: %s", o->name, o->arg);
	if (!o->arg && name[len])
		return err_set(err, -EINVAL, "option \"--%s\" takes no value", o->name);
	return 0;
}

static int option_fault(const struct command *c, const char *word, struct err *err)
{
	if (word[0] != '-' || !word[1])
		return 0;
	return word[1] == '-' ? long_fault(c, word + 2, err) : short_fault(c, word + 1, err);
}

/* argp stopped at a word that it doesn't name: behind it if it was a whole one, else at it. */
static void explain(const struct parse *p, const struct argp_state *state)
{
	for (int i = state->next - 1; i <= state->next && i < state->argc; i++)
		if (i > 0 && option_fault(p->command, state->argv[i], p->err) < 0)
			return;
	err_set(p->err, -EINVAL, "the command line makes no sense: see 'slowburn help %s'",
		p->command->name);
}

static error_t take(struct parse *p, int key, const char *arg)
{
	p->result = key == HELP_KEY ? OPTIONS_HELP : p->command->take(p->into, key, arg, p->err);
	return p->result ? EINVAL : 0;
}

/* Options. */
static error_t parse_child(int key, char *arg, struct argp_state *state)
{
	/* From ARGP_KEY_END on it is argp's own news. */
	return key && key < ARGP_KEY_END ? take(state->input, key, arg) : ARGP_ERR_UNKNOWN;
}

/* All that isn't an option. */
static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	bool quoted = state->quoted && p->command->takes_command;

	switch (key) {
	case ARGP_KEY_INIT:
		for (size_t i = 0; p->command->options[i]; i++)
			state->child_inputs[i] = p;
		return 0;
	case ARGP_KEY_ARG:
		if (!quoted)
			return take(p, 0, arg);
		p->rest = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (quoted)
			p->rest = state->argv + state->argc;
		return 0;
	case ARGP_KEY_ERROR:
		if (!p->result) {
			p->result = -EINVAL;
			explain(p, state);
		}
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* argp's view of a command: a child for each table. */
struct tables {
	struct argp argp[COMMAND_MAX_TABLES];
	struct argp_child children[COMMAND_MAX_TABLES + 1];
	struct argp root;
};

static void tables_init(struct tables *t, const struct command *c)
{
	*t = (struct tables){ .root = { .parser = parse_key, .children = t->children } };
	for (size_t i = 0; c->options[i]; i++) {
		t->argp[i] = (struct argp){ .options = c->options[i], .parser = parse_child };
		t->children[i].argp = &t->argp[i];
	}
}

int options_parse(const struct command *c, int argc, char **argv, void *into, char ***ret_command,
		  struct err *err)
{
	struct parse p = { .command = c, .into = into, .err = err };
	struct tables t;
	int r;

	tables_init(&t, c);
	r = argp_parse(&t.root, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &p);
	if (p.result == OPTIONS_HELP) {
		r = options_help(c, stdout);
		return r < 0 ? err_errno(err, r, "cannot print the help") : OPTIONS_HELP;
	}
	if (p.result < 0)
		return p.result;
	if (r)
		return err_errno(err, -r, "cannot read the command line");
	if (ret_command)
		*ret_command = p.rest;
	return 0;
}

int options_status(int r, const struct err *err)
{
	if (r == OPTIONS_HELP)
		return COMMAND_OK;
	if (r == -EPIPE) /* who asked for help has seen enough of it */
		return COMMAND_FAILED;
	return command_fail(r == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED, err);
}

/* By way of memory: argp drops the reason for which its text could not be written. */
static int help_write(const struct argp *argp, char *name, FILE *out)
{
	const unsigned int what = ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG |
				  ARGP_HELP_POST_DOC;
	_cleanup_(free_ptr) char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -errno;
	argp_help(argp, memory, what, name);
	if (fclose(memory) != 0 || fwrite(text, 1, len, out) != len)
		return -errno;
	return command_flush(out);
}

int options_help(const struct command *c, FILE *out)
{
	char name[64], doc[4096];
	int n = snprintf(doc, sizeof(doc), "%s.\v%s", c->summary, c->about);
	struct tables t;

	if (n < 0 || (size_t)n >= sizeof(doc))
		return -E2BIG;
	snprintf(name, sizeof(name), "slowburn %s", c->name);
	/* Without "Mandatory or optional arguments to long options are also …", unless asked for. */
	if (setenv("ARGP_HELP_FMT", "no-dup-args-note", 0) < 0)
		return -errno;
	tables_init(&t, c);
	t.root.args_doc = c->operands;
	t.root.doc = doc;
	return help_write(&t.root, name, out);
}
