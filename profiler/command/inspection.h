/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of `slowburn dump` and `slowburn debug`, as whoever was started by hand sees them: gives up
 * privileges, starts them, hands them the job and prints what comes. Once in a process.
 */
#ifndef COMMAND_INSPECTION_H
#define COMMAND_INSPECTION_H

#include "profiler/base/err.h"
#include "profiler/dump/job.h"

/* `file`: what the job is about, or -1. Returns an exit status; whatever failed was said. */
int inspection_run(struct dump_job *job, int file);

#endif
