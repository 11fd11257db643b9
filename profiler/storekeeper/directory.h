/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's directory, made for the storekeeper by who starts it, with the rights of that one: before it gives them up
 * (supervisor_confine()).
 */
#ifndef STOREKEEPER_DIRECTORY_H
#define STOREKEEPER_DIRECTORY_H

#include "profiler/base/err.h"

/*
 * Opens it; makes it, mode 0750, where there is none (what it is to be in has to be there). It and the files of a store in it become the
 * storekeeper's, if we may give things away. The descriptor; -ENOTEMPTY: it has something else in it, and is not the storekeeper's; or another
 * negative errno; and a sentence.
 */
int directory_open(const char *path, struct err *err);

#endif
