/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that can reach one directory, and no other path: what a system call filter can't see, the kernel's Landlock does.
 */
#ifndef ROLE_ENCLOSURE_H
#define ROLE_ENCLOSURE_H

/*
 * For good, from now on: paths outside of `dirfd` can't be opened, made, renamed or removed, and in it only plain files. 0; -EOPNOTSUPP: the
 * kernel doesn't have it (before 5.13, or switched off), or a container's filter; or another negative errno.
 */
int enclosure_enter(int dirfd);

#endif
