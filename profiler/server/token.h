/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secret that who isn't known by his uid brings along. It is in a file, one line, which is made
 * if it is missing: 32 random bytes as hexadecimal digits, mode 0640, for the group that may have
 * it.
 */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/err.h"

#define TOKEN_LEAST_BYTES 16u
#define TOKEN_MAX_BYTES 128u
#define TOKEN_MADE_BYTES 64u

struct token {
	char text[TOKEN_MAX_BYTES + 1];
	bool made; /* just now */
	bool open; /* everybody on this machine can read its file */
};

/*
 * Where it is if nobody said so: /etc/slowburn/token if there is one; else in $RUNTIME_DIRECTORY,
 * or for root in /run/slowburn, or in $XDG_RUNTIME_DIR/slowburn. 0; -ENOENT: there is nowhere;
 * -ENAMETOOLONG.
 */
int token_place(uid_t uid, char *ret_path, size_t size);

/*
 * Reads or makes it; the folder, too, if it is missing and the one above it isn't. `group`: -1, or
 * whose it is to be beside ours. 0, or negative errno and a sentence: it can't be read or made, is
 * no token, or others than its owner and group may write it.
 */
int token_load(struct token *ret, const char *path, gid_t group, struct err *err);

#endif
