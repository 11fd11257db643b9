/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the cache is if nobody said so.
 */
#ifndef CACHE_PLACE_H
#define CACHE_PLACE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The first of $CACHE_DIRECTORY (a service's: systemd.exec(5)); for root /var/cache/slowburn; $XDG_CACHE_HOME/slowburn;
 * $HOME/.cache/slowburn. The folder above a user's own is made if it is missing. 0; -ENOENT: there is nowhere; -ENAMETOOLONG.
 */
int cache_place(uid_t uid, char *ret_path, size_t size);

#endif
