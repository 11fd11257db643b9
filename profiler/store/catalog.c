// SPDX-License-Identifier: Apache-2.0
/*
 * A sorted array, a few hundred files long. A name is ours if it comes out again when what was read from it is written: then no
 * two names are the same file, and whatever else lies in the directory is never touched.
 *
 * Refused: an index file. It would have to agree with the directory after every kind of crash.
 */
#include "profiler/store/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/store/level.h"

#define SUFFIX ".slowburn"
#define PAGE_BYTES 4096u
#define STAMP_BYTES 11 /* 20261123T05 */

void catalog_name(const struct catalog_file *f, char ret[CATALOG_NAME_BYTES])
{
	time_t seconds = (time_t)(f->slot_ns / NS_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(ret, CATALOG_NAME_BYTES, "%s-%04d%02d%02dT%02d-%" PRIu64 "-%" PRIu64 SUFFIX,
		 store_levels[f->level].name, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, f->first, f->last);
}

/* The part up to the next '-' or '.', and goes behind it. */
static const char *next_part(const char **at, size_t *ret_len)
{
	const char *part = *at;

	*ret_len = strcspn(part, "-.");
	*at = part + *ret_len + (part[*ret_len] != '\0');
	return part;
}

static bool parse_stamp(const char *s, size_t len, uint64_t *ret_ns)
{
	struct tm tm = { 0 };
	uint64_t date, hour;
	time_t t;

	if (len != STAMP_BYTES || s[8] != 'T' || number_parse(s, 8, 99991231, &date) < 0 ||
	    number_parse(s + 9, 2, 23, &hour) < 0)
		return false;
	tm.tm_year = (int)(date / 10000) - 1900;
	tm.tm_mon = (int)(date / 100 % 100) - 1;
	tm.tm_mday = (int)(date % 100);
	tm.tm_hour = (int)hour;
	t = timegm(&tm);
	if (t < 0 || (uint64_t)t > UINT64_MAX / NS_PER_S)
		return false;
	*ret_ns = (uint64_t)t * NS_PER_S;
	return true;
}

bool catalog_parse(const char *name, struct catalog_file *ret)
{
	struct catalog_file f = { .level = STORE_LEVELS };
	char again[CATALOG_NAME_BYTES];
	const char *at = name, *part;
	size_t len;

	part = next_part(&at, &len);
	for (uint32_t i = 0; i < STORE_LEVELS; i++)
		if (strlen(store_levels[i].name) == len && !memcmp(store_levels[i].name, part, len))
			f.level = i;
	part = next_part(&at, &len);
	if (f.level == STORE_LEVELS || !parse_stamp(part, len, &f.slot_ns))
		return false;
	part = next_part(&at, &len);
	if (number_parse(part, len, UINT64_MAX - 1, &f.first) < 0)
		return false;
	part = next_part(&at, &len);
	if (number_parse(part, len, UINT64_MAX - 1, &f.last) < 0 || f.last < f.first ||
	    f.slot_ns != store_slot(f.level, f.slot_ns))
		return false;
	catalog_name(&f, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret = f;
	return true;
}

static bool is_before(const struct catalog_file *a, const struct catalog_file *b)
{
	if (a->level != b->level)
		return a->level < b->level;
	if (a->slot_ns != b->slot_ns)
		return a->slot_ns < b->slot_ns;
	return a->first < b->first;
}

static int compare_files(const void *a, const void *b)
{
	return is_before(a, b) ? -1 : is_before(b, a);
}

uint64_t catalog_bytes(const struct stat *st)
{
	uint64_t size = ((uint64_t)st->st_size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	uint64_t blocks = (uint64_t)st->st_blocks * 512;

	return size > blocks ? size : blocks;
}

static int take_entry(struct catalog *c, int dirfd, const char *name)
{
	struct catalog_file f, *new;
	struct stat st;

	if (!catalog_parse(name, &f))
		return 0;
	/* Gone since it was listed: the writer gave it up. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	f.bytes = catalog_bytes(&st);
	if (c->files.count == CATALOG_MAX_FILES)
		return -E2BIG;
	new = array_push(&c->files, CATALOG_MAX_FILES);
	if (!new)
		return -ENOMEM;
	*new = f;
	return 0;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

int catalog_read(struct catalog *c, int dirfd, struct err *err)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	_cleanup_(fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int r = 0;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		return err_errno(err, -errno, "cannot list the store");
	(void)take_fd(&fd); /* the stream's now */
	c->files.count = 0;
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		r = take_entry(c, dirfd, entry->d_name);
	if (r == 0 && errno)
		r = -errno;
	if (r < 0)
		return err_errno(err, r, "cannot list the store");
	if (c->files.count)
		qsort(c->files.items, c->files.count, sizeof(*c->files.items), compare_files);
	return 0;
}

void catalog_release(struct catalog *c)
{
	array_release(&c->files);
}

int catalog_add(struct catalog *c, const struct catalog_file *f)
{
	uint32_t i = c->files.count;
	int r = array_reserve((void **)&c->files.items, &c->files.capacity, i + 1,
			      sizeof(*c->files.items), CATALOG_MAX_FILES);

	if (r < 0)
		return r;
	for (; i && is_before(f, &c->files.items[i - 1]); i--)
		c->files.items[i] = c->files.items[i - 1];
	c->files.items[i] = *f;
	c->files.count++;
	return 0;
}

void catalog_remove(struct catalog *c, uint32_t i)
{
	memmove(&c->files.items[i], &c->files.items[i + 1],
		(c->files.count - i - 1) * sizeof(*c->files.items));
	c->files.count--;
}

uint32_t catalog_level(const struct catalog *c, uint32_t level)
{
	uint32_t i = 0;

	while (i < c->files.count && c->files.items[i].level < level)
		i++;
	return i;
}

bool catalog_is_child(const struct catalog_file *parent, const struct catalog_file *f)
{
	return f->level + 1 == parent->level &&
	       store_slot(parent->level, f->slot_ns) == parent->slot_ns &&
	       parent->first <= f->first && f->first <= parent->last;
}

bool catalog_is_covered(const struct catalog *c, const struct catalog_file *f)
{
	for (uint32_t i = catalog_level(c, f->level + 1);
	     i < c->files.count && c->files.items[i].level == f->level + 1; i++)
		if (catalog_is_child(&c->files.items[i], f))
			return true;
	return false;
}

int catalog_open(int dirfd, const char *name, struct err *err)
{
	_cleanup_(fd_close) int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, -errno, "cannot read \"%s\"", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "\"%s\" is no regular file", name);
	return take_fd(&fd);
}
