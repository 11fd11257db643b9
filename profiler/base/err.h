/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One full sentence for people, beside the negative errno that a function returns.
 *
 * Libraries don't log. Code that reads outside input takes a `struct err *` as its last argument and
 * leaves one sentence there when it fails: what, which (the offending value in quotes), why. main
 * prints it once. NULL is allowed: then only the code is returned.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	char text[512];
};

/* Writes the sentence and returns `code`, so that `return err_set(err, -EINVAL, "…")` works. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

/* As err_set, with ": " and strerror(-code) behind it, which is whole also when the sentence is cut. */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *err, int code, const char *fmt,
						    ...);

#endif
