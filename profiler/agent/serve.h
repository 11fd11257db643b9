/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's process: one job, as its supervisor wants it (job.h).
 */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

/*
 * The body of the role, in its sandbox. Returns an exit status: whatever went wrong was said over the
 * socket, if that is still there.
 */
int agent_serve(int socket);

#endif
