/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server is to do: the options of `slowburn serve`, which are those of `slowburn config` and
 * the keys of its configuration file, too.
 */
#ifndef COMMAND_SERVICE_H
#define COMMAND_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/command/index_cache.h"
#include "profiler/command/options.h"
#include "profiler/command/selection.h"
#include "profiler/command/settings.h"
#include "profiler/server/listener.h"
#include "profiler/server/log.h"
#include "profiler/storekeeper/protocol.h"

#define SERVICE_CONFIG_PATH "/etc/slowburn/slowburn.conf"
#define SERVICE_MAX_HOSTS 16u

struct service {
	struct settings *settings;
	struct selection selection;
	struct index_cache cache;
	struct keeper_job keeper;
	uint64_t memory; /* 0: not said */
	const char *listen[LISTENER_MAX];
	uint32_t listen_count;
	const char *hosts[SERVICE_MAX_HOSTS]; /* that clients may call us by */
	uint32_t host_count;
	const char *store;
	const char *token_file; /* NULL: token_place() */
	enum log_format log_format;
	bool log_format_given;
	enum log_level log_level;
	bool no_inlines;
};

extern const struct argp_option service_options[], service_log_options[];

/* For both commands: command.options, and command.take. */
#define SERVICE_OPTIONS                                                                  \
	{                                                                                \
		service_options, selection_options, memory_options, index_cache_options, \
			service_log_options, help_options                                \
	}
int service_take(void *into, int key, const char *arg, struct err *err);

/*
 * From the command line of `command`, the file that it names, or SERVICE_CONFIG_PATH if there is
 * one, and defaults; all is checked that doesn't depend on the machine. As options_parse(). Always
 * to be released.
 */
int service_read(struct service *s, const struct command *command, int argc, char **argv,
		 struct err *err);
/* Was this option said, on the command line or in the file? */
bool service_was_said(const struct service *s, const char *option);
void service_release(struct service *s);

#endif
