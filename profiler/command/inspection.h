/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of `slowburn dump`, `debug` and `symbolize`, as whoever was started by hand sees them: gives up
 * privileges, starts them, hands them the job and prints what comes. Once in a process.
 */
#ifndef COMMAND_INSPECTION_H
#define COMMAND_INSPECTION_H

#include "profiler/base/err.h"
#include "profiler/command/index_cache.h"
#include "profiler/dump/job.h"

/* A file that somebody named, which is to be a regular one; nothing is waited for. The descriptor or negative errno. */
int inspection_open(const char *path, struct err *err);
/* What the job is called in what is printed; of a long path the end. */
void inspection_name(struct dump_job *job, const char *path);

/* `file`: what the job is about, or -1. Returns an exit status; whatever failed was said. */
int inspection_run(struct dump_job *job, int file);
/* The same with a cache that was opened, borrowed. */
int inspection_run_cached(struct dump_job *job, int file, const struct index_cache *cache);

#endif
