// SPDX-License-Identifier: Apache-2.0
/*
 * The command line is taken apart first, since it may name the file; then all values, wherever they
 * are from, go through the same function. Defaults are a text as a configuration's: what `slowburn
 * config` prints of them is what is used.
 */
#include "profiler/command/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/number.h"
#include "profiler/command/memory.h"
#include "profiler/query/moment.h"
#include "profiler/store/writer.h"

enum {
	OPTION_LISTEN = 0xc00,
	OPTION_STORE,
	OPTION_STORE_LIMIT,
	OPTION_KEEP, /* and one for each further level */
	OPTION_TOKEN_FILE = OPTION_KEEP + STORE_LEVELS,
	OPTION_ALLOW_HOST,
	OPTION_NO_INLINES,
	OPTION_CONFIG,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
};

/* clang-format off */
static const char defaults[] =
	"listen = 127.0.0.1:7799\n"
	"store = /var/lib/slowburn\n"
	"store-limit = 2G\n"
	"keep-10s = 1d\n"
	"keep-5min = 7d\n"
	"keep-1h = 90d\n"
	"keep-1d = always\n"
	"frequency = 99\n"
	"event = cpu-clock\n"
	"log-level = info\n";
/* clang-format on */

static const int not_in_files[] = { OPTION_CONFIG, 'h', 0 };

const struct argp_option service_options[] = {
	{ NULL, 0, NULL, 0, "What it serves, and to whom:", 1 },
	{ "listen", OPTION_LISTEN, "ADDR:PORT", 0,
	  "where: an address (without this option 127.0.0.1:7799), [ADDRESS] of IPv6, or unix:PATH; four "
	  "times at most. What systemd hands over ($LISTEN_FDS) comes instead of the default",
	  1 },
	{ "token-file", OPTION_TOKEN_FILE, "FILE", 0,
	  "whose one line clients have to bring along who are neither root's nor of the group slowburn on "
	  "this machine; made if it is missing. Without it /etc/slowburn/token if that is there, else "
	  "/run/slowburn/token",
	  1 },
	{ "allow-host", OPTION_ALLOW_HOST, "NAME", 0,
	  "a name by which clients may call this server (Host), beside those of the loopback and the "
	  "addresses that it listens on; may be given more than once",
	  1 },
	{ NULL, 0, NULL, 0, "What it keeps:", 2 },
	{ "store", OPTION_STORE, "DIR", 0, "in this folder; without it /var/lib/slowburn", 2 },
	{ "store-limit", OPTION_STORE_LIMIT, "SIZE", 0,
	  "the most that it takes on the disk, 2G without it; the oldest goes first", 2 },
	{ "keep-10s", OPTION_KEEP, "TIME", 0, "windows of 10 s, such as 36h or 2d; without it 1d",
	  2 },
	{ "keep-5min", OPTION_KEEP + 1, "TIME", 0, "windows of 5 min; without it 7d", 2 },
	{ "keep-1h", OPTION_KEEP + 2, "TIME", 0, "windows of an hour; without it 90d", 2 },
	{ "keep-1d", OPTION_KEEP + 3, "TIME", 0,
	  "windows of a day; without it always, which is as long as there is room", 2 },
	{ "no-inlines", OPTION_NO_INLINES, NULL, 0,
	  "leave out inlined functions and source lines, which take memory to look up", 22 },
	{ 0 },
};
_Static_assert(STORE_LEVELS == 4, "each has an option");

const struct argp_option service_log_options[] = {
	{ NULL, 0, NULL, 0, "How it is run:", 30 },
	{ "config", OPTION_CONFIG, "FILE", 0,
	  "read options from FILE, lines such as \"listen = 127.0.0.1:7799\"; without it "
	  "/etc/slowburn/slowburn.conf, if that is there. What the command line says counts more",
	  30 },
	{ "log-format", OPTION_LOG_FORMAT, "FORMAT", 0,
	  "text, logfmt or json; without it text at a terminal, else logfmt", 30 },
	{ "log-level", OPTION_LOG_LEVEL, "LEVEL", 0,
	  "error, warning, info or debug: what is no worse is not logged; without it info", 30 },
	{ 0 },
};

/* ---- what options mean ---- */

static int take_listen(struct service *s, const char *where, struct err *err)
{
	if (s->listen_count == LISTENER_MAX)
		return err_set(err, -EINVAL, "--listen \"%s\" is one too many: %u are possible",
			       where, LISTENER_MAX);
	s->listen[s->listen_count++] = where;
	return listener_check(where, err);
}

static int take_host(struct service *s, const char *name, struct err *err)
{
	static const char host_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789.-_:[]";

	if (!*name || strspn(name, host_bytes) != strlen(name) || strlen(name) > 255)
		return err_set(err, -EINVAL, "\"%s\" is no name of a host", name);
	if (s->host_count == SERVICE_MAX_HOSTS)
		return err_set(err, -EINVAL, "--allow-host \"%s\" is one too many: %u are possible",
			       name, SERVICE_MAX_HOSTS);
	s->hosts[s->host_count++] = name;
	return 0;
}

static int take_limit(struct service *s, const char *text, struct err *err)
{
	uint64_t bytes;

	if (size_parse(text, &bytes) < 0)
		return err_set(err, -EINVAL, "store limit \"%s\" is not a size such as 2G or 500M",
			       text);
	if (bytes < STORE_MIN_BYTES)
		return err_set(err, -EINVAL, "store limit \"%s\" is too little: %uM is the least",
			       text, STORE_MIN_BYTES >> 20);
	s->keeper.max_bytes = bytes;
	return 0;
}

static int take_keep(struct service *s, uint32_t level, const char *text, struct err *err)
{
	s->keeper.age_ns[level] = 0;
	if (strcmp(text, "always") == 0)
		return 0;
	if (moment_duration_parse(text, &s->keeper.age_ns[level]) < 0)
		return err_set(err, -EINVAL, "\"%s\" is not a time such as 36h or 7d, or always",
			       text);
	return 0;
}

static int take_path(const char **ret, const char *what, const char *path, struct err *err)
{
	*ret = path;
	return *path ? 0 : err_set(err, -EINVAL, "an empty word is no %s", what);
}

static int take_others(struct service *s, int key, const char *arg, struct err *err)
{
	int r = selection_take(&s->selection, key, arg, err);

	if (r == 1)
		r = memory_take(&s->memory, key, arg, err);
	return r == 1 ? index_cache_take(&s->cache, key, arg, err) : r;
}

static int interpret(void *into, int key, const char *arg, struct err *err)
{
	struct service *s = into;

	switch (key) {
	case OPTION_LISTEN:
		return take_listen(s, arg, err);
	case OPTION_STORE:
		return take_path(&s->store, "store", arg, err);
	case OPTION_STORE_LIMIT:
		return take_limit(s, arg, err);
	case OPTION_KEEP ... OPTION_KEEP + STORE_LEVELS - 1:
		return take_keep(s, (uint32_t)(key - OPTION_KEEP), arg, err);
	case OPTION_TOKEN_FILE:
		return take_path(&s->token_file, "token file", arg, err);
	case OPTION_ALLOW_HOST:
		return take_host(s, arg, err);
	case OPTION_NO_INLINES:
		s->no_inlines = true;
		return 0;
	case OPTION_LOG_FORMAT:
		s->log_format_given = true;
		return log_format_find(arg, &s->log_format)
			       ? 0
			       : err_set(err, -EINVAL,
					 "log format \"%s\" is not text, logfmt or json", arg);
	case OPTION_LOG_LEVEL:
		return log_level_find(arg, &s->log_level)
			       ? 0
			       : err_set(err, -EINVAL,
					 "log level \"%s\" is not error, warning, info or debug",
					 arg);
	default:
		return take_others(s, key, arg, err);
	}
}

/* ---- where they come from ---- */

/* What the command line is taken apart into. */
struct words {
	struct settings *settings;
	const char *config; /* or NULL */
};

int service_take(void *into, int key, const char *arg, struct err *err)
{
	struct words *w = into;

	if (key == 0)
		return err_set(err, -EINVAL, "\"%s\" is one word too many", arg);
	if (key == OPTION_CONFIG)
		return take_path(&w->config, "configuration", arg, err);
	return settings_add(w->settings, key, arg, err);
}

static int read_file(struct service *s, const char *path, struct err *err)
{
	if (path)
		return settings_read(s->settings, path, err);
	if (access(SERVICE_CONFIG_PATH, F_OK) < 0 && errno == ENOENT)
		return 0;
	return settings_read(s->settings, SERVICE_CONFIG_PATH, err);
}

int service_read(struct service *s, const struct command *command, int argc, char **argv,
		 struct err *err)
{
	struct words words = { 0 };
	int r;

	*s = (struct service){ .keeper = keeper_job_default() };
	selection_init(&s->selection);
	r = settings_new(&s->settings, command, not_in_files, defaults, err);
	if (r < 0)
		return r;
	words.settings = s->settings;
	r = options_parse(command, argc, argv, &words, NULL, err);
	if (r == 0)
		r = read_file(s, words.config, err);
	if (r == 0)
		r = settings_apply(s->settings, interpret, s, err);
	return r == 0 ? selection_check(&s->selection, false, err) : r;
}

bool service_was_said(const struct service *s, const char *option)
{
	return settings_were_said(s->settings, option);
}

void service_release(struct service *s)
{
	index_cache_release(&s->cache);
	selection_release(&s->selection);
	settings_free(s->settings);
	s->settings = NULL;
}
