/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that do not compile here. The Makefile includes this before every file of ours.
 *
 * They are refused for what they cannot say: atoi() that its input was no number, sprintf() how
 * much room there was, strtok() that it runs in another thread too, sscanf() that a number didn't
 * fit. Each line names what to use instead.
 *
 * Redeclared as unavailable rather than poisoned or hidden by macros: a header that comes later may
 * still declare them, and a struct may have a member of such a name.
 */
#ifndef SLOWBURN_PROFILER_BASE_BANNED_H
#define SLOWBURN_PROFILER_BASE_BANNED_H

#include <alloca.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Declared again on purpose. clang overlooks those that glibc defines inline: gcc decides. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#pragma GCC diagnostic ignored "-Wignored-attributes"

#define BANNED(instead) __attribute__((__unavailable__("not used here: " instead)))

/* Numbers: a parser that says what it refused (profiler/base). */
extern int atoi(const char *) BANNED("parse strictly, with an error");
extern long atol(const char *) BANNED("parse strictly, with an error");
extern long long atoll(const char *) BANNED("parse strictly, with an error");
extern double atof(const char *) BANNED("parse strictly, with an error");
extern int scanf(const char *, ...) BANNED("parse strictly, with an error");
extern int sscanf(const char *, const char *, ...) BANNED("parse strictly, with an error");
extern int fscanf(FILE *, const char *, ...) BANNED("parse strictly, with an error");
extern int vsscanf(const char *, const char *, va_list) BANNED("parse strictly, with an error");

/* Text: whatever knows how much room there is. */
extern char *strcpy(char *, const char *) BANNED("memcpy with a checked length");
extern char *strcat(char *, const char *) BANNED("memcpy with a checked length");
extern char *stpcpy(char *, const char *) BANNED("memcpy with a checked length");
extern char *strncpy(char *, const char *, size_t) BANNED("it may leave no NUL: memcpy, checked");
extern char *strncat(char *, const char *, size_t) BANNED("memcpy with a checked length");
extern int(sprintf)(char *, const char *, ...) BANNED("snprintf");
extern int(vsprintf)(char *, const char *, va_list) BANNED("vsnprintf");
extern char *gets(char *) BANNED("getline, with a maximum");
extern char *strtok(char *, const char *) BANNED("strcspn, or strsep on a copy of our own");

/* Files: names that someone else can take first. */
extern char *mktemp(char *) BANNED("mkostemp");
extern char *tmpnam(char[L_tmpnam]) BANNED("mkostemp");
extern char *tempnam(const char *, const char *) BANNED("mkostemp");

/* Time: static buffers, shared by all threads. */
extern struct tm *gmtime(const time_t *) BANNED("gmtime_r");
extern struct tm *localtime(const time_t *) BANNED("localtime_r");
extern char *ctime(const time_t *) BANNED("strftime");
extern char *asctime(const struct tm *) BANNED("strftime");

/* Shells: whose words are someone else's. */
extern int system(const char *) BANNED("fork and execve");
extern FILE *popen(const char *, const char *) BANNED("fork and execve");

#pragma GCC diagnostic pop

#endif
