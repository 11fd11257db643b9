/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages for people: what is here, and how to ask for it.
 */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include "profiler/base/buffer.h"

struct server;

void page_home(const struct server *s, struct buffer *out);
/* /debug/pprof/, as people know it of Go. */
void page_pprof(const struct server *s, struct buffer *out);

#endif
