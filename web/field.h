/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single fields of a request's header say. The texts are anybody's, of any length; NULL is a field that isn't there.
 */
#ifndef WEB_FIELD_H
#define WEB_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#define FIELD_MAX_SECRET 512

/* Accept-Encoding: may the answer be gzip'd? */
bool field_accepts_gzip(const char *value);

/* If-None-Match: has the client what is tagged so? `etag` with its quotes. */
bool field_matches_etag(const char *value, const char *etag);

/* Cookie: the value of the cookie of this name. False if there is none, or it is longer than FIELD_MAX_SECRET - 1. */
bool field_cookie(const char *value, const char *name, char ret[FIELD_MAX_SECRET]);

/*
 * Authorization: the token, which is what is behind "Bearer", or the password of "Basic". False: something else, or
 * nothing that could be one.
 */
bool field_token(const char *value, char ret[FIELD_MAX_SECRET]);

/* In a time that depends on the length of `given` only. An empty secret is nobody's. */
bool field_is_secret(const char *given, const char *secret);

#endif
