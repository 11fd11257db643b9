/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said between the agent and its openers: the processes that may look at other people's files
 * and into /proc, and do nothing else. Frames as in role/socket.h; native integers, as both ends are the
 * same program. One request, one reply; an opener reads one at a time.
 *
 * Two roles, one program. The opener waits for no file system but the machine's own. The fetcher copies
 * files from those that may never answer, and looks for debug files under names that may lead there; it is
 * given up when it doesn't come back.
 */
#ifndef OPENER_PROTOCOL_H
#define OPENER_PROTOCOL_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/process/debug_file.h"
#include "profiler/process/package.h"
#include "profiler/process/source.h"

#define OPENER_ROLE "opener"
#define FETCHER_ROLE "fetcher"

/* Of one request, and of one reply: a /proc/PID/maps of 16 MiB, or many small texts. */
#define OPENER_MAX_REQUEST_BYTES (64u << 10)
#define OPENER_MAX_REPLY_BYTES ((16u << 20) + (64u << 10))
#define OPENER_MAX_TEXTS 128 /* of one request */
/* A reply is full beyond this: so that reading many ahead takes nobody much memory. */
#define OPENER_FULL_REPLY_BYTES (1u << 20)
#define OPENER_MAX_PATH_BYTES 4097 /* with the NUL */
/* A file beyond this is not fetched. */
#define OPENER_MAX_COPY_BYTES PROCESS_MAX_COPY_BYTES

enum opener_message {
	/*
	 * struct opener_text[n]; reply: for each, in order, a struct opener_result and `len` bytes. The first
	 * may be as long as a reply, and is cut there. When the reply is full, the rest are answered -EAGAIN
	 * (ask again).
	 */
	OPENER_READ = 1,
	/*
	 * struct opener_place and the path; reply: struct opener_result (status: kind bits), and one descriptor
	 * unless it is slow.
	 */
	OPENER_OPEN,
	/* The same; the descriptor is a sealed copy in memory. The fetcher's. */
	OPENER_FETCH,
	/* Nothing; reply: struct opener_result, descriptors of /proc/kallsyms and, if there, /proc/modules. */
	OPENER_KERNEL,
	/* Two NUL-terminated strings, mount and path; reply: struct opener_result and the lines. */
	OPENER_CGROUP,
	/*
	 * struct opener_debug, path and name; reply: struct opener_result (status: the candidate's number),
	 * struct opener_debug_found and a descriptor, which may be a sealed copy. The fetcher's.
	 */
	OPENER_DEBUG,
	/* struct opener_process; reply: struct opener_result and the descriptor of its perf map. */
	OPENER_PERFMAP,
	/* struct opener_packages and as many NUL-terminated paths; reply: struct opener_result and a line each. The fetcher's. */
	OPENER_PACKAGES,
	OPENER_REPLY = 100,
};

struct opener_text {
	uint32_t what; /* enum process_text */
	uint32_t pid;
};

struct opener_result {
	int32_t status; /* 0 or more, or negative errno */
	uint32_t len; /* of what follows */
};

/* struct file_place without its path, which follows, `path_bytes` long. */
struct opener_place {
	uint64_t start, end, ino, generation;
	uint32_t pid, parent_pid, major, minor;
	uint32_t path_bytes; /* with its NUL */
	uint32_t unused; /* 0 */
};

struct opener_packages {
	uint32_t pid; /* in whose root */
	uint32_t count; /* 1 to PACKAGE_MAX_PATHS */
};

struct opener_process {
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	uint32_t pid;
	uint32_t unused; /* 0 */
};

/* struct debug_place without its texts, which follow, NUL-terminated: path, then name. */
struct opener_debug {
	uint32_t pid, parent_pid;
	uint32_t first; /* the number of the first candidate to be tried */
	uint32_t alternate; /* 0 or 1 */
	uint32_t path_bytes, name_bytes; /* with their NULs */
	uint32_t build_id_bytes;
	uint32_t unused; /* 0 */
	uint8_t build_id[DEBUG_FILE_MAX_ID_BYTES];
};

struct opener_debug_found {
	uint32_t uid; /* its owner */
	uint32_t unused; /* 0 */
};

/*
 * Answers requests on `socket` until it ends; the body of both roles (`fetcher`: which). Returns an exit
 * status.
 */
int opener_serve(int socket, bool fetcher);

/* A request's place, checked: 0 or -EPROTO. *ret borrows its path, NUL-terminated, from `bytes`. */
int opener_place_parse(const struct buffer *bytes, struct file_place *ret);
/* A path that is too long sticks as the buffer's error. */
void opener_place_write(const struct file_place *place, struct buffer *out);

/* A request for a debug file, checked: 0 or -EPROTO. *ret borrows from `bytes`. */
int opener_debug_parse(const struct buffer *bytes, struct debug_place *ret, uint32_t *ret_first);
void opener_debug_write(const struct debug_place *place, uint32_t first, struct buffer *out);

/* A request's texts, checked, borrowed from `bytes`: 0 or -EPROTO. */
int opener_texts_parse(const struct buffer *bytes, const struct opener_text **ret,
		       uint32_t *ret_count);

/* A request's paths, checked, borrowed from `bytes`; `paths` has room for PACKAGE_MAX_PATHS. 0 or -EPROTO. */
int opener_packages_parse(const struct buffer *bytes, struct opener_packages *ret,
			  const char **paths);

/* A request's process, checked: 0 or -EPROTO. */
int opener_process_parse(const struct buffer *bytes, struct opener_process *ret);

/* A request's cgroup, checked, borrowed from `bytes`: 0 or -EPROTO. */
int opener_cgroup_parse(const struct buffer *bytes, const char **ret_mount, const char **ret_path);

/*
 * The result at `*at` of a reply, which moves behind it, and its bytes, borrowed: 0, or -EPROTO if it is
 * none: a status that is no errno, bytes beside an errno, or more than there are.
 */
int opener_result_parse(const struct buffer *reply, size_t *at, struct opener_result *ret,
			const char **ret_bytes);

#endif
