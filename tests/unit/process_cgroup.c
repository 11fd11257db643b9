// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/process_fake.h"
#include "tests/unit/torture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define V2 "25 24 0:22 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define UNIFIED "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define SYSTEMD "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
#define PIDS "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
#define MEMORY "38 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
#define CPU "37 31 0:34 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define CPUACCT "37 31 0:34 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
#define OTHER "30 1 254:0 / / rw - ext4 /dev/vda rw\n"

static void choose(void **state)
{
	static const struct {
		const char *what, *mounts, *cgroups, *controller, *mount;
	} rows[] = {
		{ "v2 only", OTHER V2, "0::/init.scope\n", "", "/sys/fs/cgroup" },
		{ "hybrid, pids first", OTHER UNIFIED MEMORY CPU PIDS, "1:pids:/\n0::/\n", "pids",
		  "/sys/fs/cgroup/pids" },
		{ "memory before cpu", CPU MEMORY, "", "memory", "/sys/fs/cgroup/memory" },
		{ "mounted together", UNIFIED CPU, "", "cpu", "/sys/fs/cgroup/cpu,cpuacct" },
		{ "a name is no controller", SYSTEMD UNIFIED, "1:name=systemd:/\n0::/\n", "",
		  "/sys/fs/cgroup/unified" },
		{ "cpuacct is not cpu", CPUACCT UNIFIED, "", "", "/sys/fs/cgroup/unified" },
		{ "not mounted, v1", OTHER, "3:cpu,cpuacct:/\n2:memory:/\n1:name=x:/\n0::/\n",
		  "memory", "" },
		{ "not mounted, v2", OTHER, "0::/\n", "", "" },
		{ "nothing", "", "", "", "" },
		{ "rubbish", "\n\n- - -\n" PIDS "rubbish", "::\n:\n", "pids",
		  "/sys/fs/cgroup/pids" },
		{ "a part is mounted first", "1 2 0:36 /a /part rw - cgroup c rw,pids\n" PIDS, "",
		  "pids", "/sys/fs/cgroup/pids" },
		{ "only parts",
		  "1 2 0:36 /a /one rw - cgroup c rw,pids\n"
		  "1 2 0:36 /b /two rw - cgroup c rw,pids\n",
		  "", "pids", "/one" },
		{ "escaped", "1 2 0:36 / /a\\040b rw - cgroup c rw,pids\n", "", "pids", "/a b" },
		{ "an ext4 called pids", "1 2 0:36 / /pids rw - ext4 c rw,pids\n" V2, "", "",
		  "/sys/fs/cgroup" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cgroup_hierarchy h = { .controller = "x", .mount = "y" };

		cgroup_hierarchy_parse(rows[i].mounts, strlen(rows[i].mounts), rows[i].cgroups,
				       strlen(rows[i].cgroups), &h);
		if (strcmp(h.controller, rows[i].controller) != 0 ||
		    strcmp(h.mount, rows[i].mount) != 0)
			fail_msg("%s: got \"%s\" at \"%s\", want \"%s\" at \"%s\"", rows[i].what,
				 h.controller, h.mount, rows[i].controller, rows[i].mount);
	}
}

static void paths(void **state)
{
	static const char several[] = "9:name=systemd:/x\n8:pids:/a\n4:cpu,cpuacct:/b\n0::/c\n";
	static const struct {
		const char *text, *controller;
		size_t size;
		int r;
		const char *want;
	} rows[] = {
		{ "0::/user.slice\n", "", 64, 0, "/user.slice" },
		{ several, "pids", 64, 0, "/a" },
		{ several, "cpu", 64, 0, "/b" },
		{ several, "cpuacct", 64, 0, "/b" },
		{ several, "", 64, 0, "/c" },
		{ several, "systemd", 64, -ENOENT, "" },
		{ "9:name=pids:/x\n", "pids", 64, -ENOENT, "" },
		{ "0::/a:b\n", "", 64, 0, "/a:b" },
		{ "0::/gone (deleted)\n", "", 64, 0, "/gone" },
		{ "0::/", "", 64, 0, "/" },
		{ "0::/../../x\n", "", 64, 0, "/../../x" },
		{ "0::/12345\n", "", 6, -E2BIG, "" },
		{ "0::/12345\n", "", 7, 0, "/12345" },
		{ "0::\n", "", 64, -EINVAL, "" },
		{ "0::a\n", "", 64, -EINVAL, "" },
		{ "8:pids:/a\n", "", 64, -ENOENT, "" },
		{ "8:pids:/a\n", "cpu", 64, -ENOENT, "" },
		{ "", "", 64, -ENOENT, "" },
		{ "8:pids\n8\n\n", "pids", 64, -ENOENT, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char got[64] = "";
		int r = cgroup_path_parse(rows[i].text, strlen(rows[i].text), rows[i].controller,
					  got, rows[i].size);

		if (r != rows[i].r || strcmp(got, rows[i].want) != 0)
			fail_msg("\"%s\" in %zu: got %d, \"%s\", want %d, \"%s\"", rows[i].text,
				 rows[i].size, r, got, rows[i].r, rows[i].want);
	}
}

/* ---- this machine's ---- */

/* As the live source lists cgroups, but of any directory. */
static int list_directory(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	const struct dirent *e;
	char full[1024];
	struct stat st;
	DIR *d;

	(void)ctx;
	snprintf(full, sizeof(full), "%s%s", mount, path);
	d = opendir(full);
	if (!d || fstat(dirfd(d), &st) < 0)
		return -errno;
	buffer_printf(out, "%" PRIu64 " .\n", (uint64_t)st.st_ino);
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			buffer_printf(out, "%" PRIu64 " %s\n", (uint64_t)e->d_ino, e->d_name);
	closedir(d);
	return buffer_error(out);
}

static void fake_begin(struct fake *fake)
{
	fake_init(fake);
	fake->source.cgroup = list_directory;
}

static const char *const controllers[] = { "", "pids", "memory", "cpu" };

/* The hierarchy of `controller`, if it is mounted here. */
static bool hierarchy(const char *controller, struct cgroup_hierarchy *ret)
{
	struct buffer text = BUFFER_INIT(1 << 20);
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char path[512];

	assert_non_null(f);
	assert_int_equal(buffer_read_fd(&text, fileno(f)), 0);
	fclose(f);
	snprintf(path, sizeof(path), "%s", *controller ? "- cgroup " : "- cgroup2 ");
	*ret = (struct cgroup_hierarchy){ 0 };
	for (char *line = (char *)buffer_cstr(&text), *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		/* "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids" */
		if (!strstr(line, path) ||
		    (*controller && strcmp(strrchr(line, ',') + 1, controller) != 0))
			continue;
		line = strstr(line, " / /") + 3;
		*strchr(line, ' ') = '\0';
		snprintf(ret->controller, sizeof(ret->controller), "%s", controller);
		snprintf(ret->mount, sizeof(ret->mount), "%s", line);
		break;
	}
	buffer_release(&text);
	return *ret->mount;
}

static void name_cgroups(const struct cgroup_hierarchy *h, char *outer, char *inner, size_t size)
{
	snprintf(outer, size, "%s/slowburn test %d", h->mount, getpid());
	snprintf(inner, size, "%s/slowburn test %d/inner", h->mount, getpid());
}

/* A new cgroup below `h`, with one in it; false if we may not. */
static bool make_cgroups(const struct cgroup_hierarchy *h, char *outer, char *inner, size_t size)
{
	name_cgroups(h, outer, inner, size);
	if (mkdir(outer, 0755) < 0)
		return false;
	assert_int_equal(mkdir(inner, 0755), 0);
	return true;
}

/* Also after a test that failed. */
static int remove_cgroups(void **state)
{
	char outer[512], inner[512];
	struct cgroup_hierarchy h;

	(void)state;
	for (size_t i = 0; i < COUNT(controllers); i++) {
		if (!hierarchy(controllers[i], &h))
			continue;
		name_cgroups(&h, outer, inner, sizeof(outer));
		rmdir(inner);
		rmdir(outer);
	}
	return 0;
}

static uint64_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void find_one(const struct cgroup_hierarchy *h, const char *path, const char *directory)
{
	struct cgroup_hierarchy found = *h;
	struct err err = { "" };
	uint64_t id = 0;
	int r = cgroup_find(path, &found, &id, &err);

	if (r != 0 || id != inode(directory))
		fail_msg("\"%s\": %d, id %" PRIu64 ", \"%s\"", path, r, id, err.text);
	assert_string_equal(found.controller, h->controller);
	assert_string_equal(found.mount, h->mount);
}

static void find_here(void **state)
{
	char outer[512], inner[512];
	struct cgroup_hierarchy h;
	int tried = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(controllers); i++) {
		if (!hierarchy(controllers[i], &h) ||
		    !make_cgroups(&h, outer, inner, sizeof(outer)))
			continue;
		tried++;
		find_one(&h, inner, inner);
		find_one(&h, inner + strlen(h.mount), inner);
		find_one(&h, inner + strlen(h.mount) + 1, inner);
		find_one(&h, h.mount, h.mount);
		find_one(&h, "/", h.mount);
	}
	if (!tried)
		skip();
}

/* An absolute directory says by itself which hierarchy it is in. */
static void find_changes_hierarchy(void **state)
{
	struct cgroup_hierarchy a, b, h;
	struct err err = { "" };
	uint64_t id = 0;

	(void)state;
	if (!hierarchy("", &a) || !hierarchy("memory", &b))
		skip();
	h = a;
	assert_int_equal(cgroup_find(b.mount, &h, &id, &err), 0);
	assert_string_equal(h.controller, "memory");
	assert_string_equal(h.mount, b.mount);
	assert_int_equal(cgroup_find(a.mount, &h, &id, &err), 0);
	assert_string_equal(h.controller, "");
	assert_string_equal(h.mount, a.mount);
}

static void find_refuses(void **state)
{
	static const struct {
		const char *path;
		int r;
		const char *say;
	} rows[] = {
		{ "", -EINVAL, "empty" },
		{ "/no such cgroup", -ENOENT, "\"/no such cgroup\"" },
		{ "no/such", -ENOENT, "\"no/such\"" },
		{ "/tmp", -ENOENT, "\"/tmp\"" },
		{ "..", -ENOENT, "\"..\"" },
		{ "../../../../etc", -ENOENT, "etc" },
		{ "cgroup.procs", -ENOTDIR, "cgroup.procs\" is a file" },
	};
	struct cgroup_hierarchy h, nowhere = { .controller = "pids" };
	uint64_t id = 4711;
	struct err err;

	(void)state;
	assert_int_equal(cgroup_hierarchy_choose(&h, &err), 0);
	if (!*h.mount)
		skip();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cgroup_hierarchy before = h;
		int r = cgroup_find(rows[i].path, &h, &id, &err);

		if (r != rows[i].r || !strstr(err.text, rows[i].say))
			fail_msg("\"%s\": got %d, \"%s\", want %d, \"%s\"", rows[i].path, r,
				 err.text, rows[i].r, rows[i].say);
		assert_int_equal(id, 4711);
		assert_memory_equal(&before, &h, sizeof(h));
	}
	assert_int_equal(cgroup_find("a", &nowhere, &id, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no hierarchy is mounted"));
	assert_int_equal(cgroup_find("a", &nowhere, &id, NULL), -ENOENT);
}

/* ---- names ---- */

static void names_set(void **state)
{
	static const struct cgroup_hierarchy h = { "", "" };
	struct cgroup_names *n;
	char path[8192];
	int r = 0;
	uint64_t id;

	(void)state;
	assert_int_equal(cgroup_names_new(&n, &h, NULL), 0);
	assert_null(cgroup_names_path(n, 5));
	assert_int_equal(cgroup_names_set(n, 5, "/a"), 0);
	assert_int_equal(cgroup_names_set(n, 0, ""), 0);
	assert_int_equal(cgroup_names_set(n, UINT64_MAX, "/b"), 0);
	assert_int_equal(cgroup_names_set(n, 5, "/c"), 0);
	assert_string_equal(cgroup_names_path(n, 5), "/c");
	assert_string_equal(cgroup_names_path(n, 0), "");
	assert_string_equal(cgroup_names_path(n, UINT64_MAX), "/b");
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(cgroup_names_set(n, 6, path), -E2BIG);
	for (id = 100; r >= 0 && id < 200000; id++)
		r = cgroup_names_set(n, id, "/x");
	assert_int_equal(r, -E2BIG);
	assert_in_range(id, 65000, 66000);
	assert_string_equal(cgroup_names_path(n, 5), "/c");
	cgroup_names_free(n);
	cgroup_names_free(NULL);
}

/* What the process says is verified; when it's another's name, the hierarchy is searched. */
static void learn_here(void **state)
{
	char outer[512], inner[512], text[1024];
	struct cgroup_hierarchy h;
	int tried = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(controllers); i++) {
		static const char *const ways[] = { "its own", "another's", "unreadable" };

		if (!hierarchy(controllers[i], &h) ||
		    !make_cgroups(&h, outer, inner, sizeof(outer)))
			continue;
		tried++;
		for (size_t way = 0; way < COUNT(ways); way++) {
			uint64_t id = inode(inner);
			struct cgroup_names *n;
			struct fake fake;

			fake_begin(&fake);
			snprintf(text, sizeof(text), "77:x:/nowhere\n%s:%s:%s\n",
				 *h.controller ? "9" : "0", h.controller,
				 (way == 1 ? outer : inner) + strlen(h.mount));
			fake_set(&fake, PROCESS_TEXT_CGROUP, 7, text, way == 2 ? -ESRCH : 0);
			assert_int_equal(cgroup_names_new(&n, &h, &fake.source), 0);
			cgroup_names_learn(n, id, 7);
			if (!cgroup_names_path(n, id))
				fail_msg("%s at \"%s\": not found", ways[way], h.mount);
			assert_string_equal(cgroup_names_path(n, id), inner + strlen(h.mount));
			/* a walk has learnt the others too */
			if (way > 0) {
				assert_string_equal(cgroup_names_path(n, inode(outer)),
						    outer + strlen(h.mount));
				assert_string_equal(cgroup_names_path(n, inode(h.mount)), "/");
			}
			cgroup_names_free(n);
		}
	}
	if (!tried)
		skip();
}

static const char *hostile_list;

static int list_hostile(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	(void)ctx;
	(void)mount;
	if (strcmp(path, "/") != 0)
		return -ENOENT;
	buffer_text(out, hostile_list);
	return 0;
}

/* What a list says is believed only as far as it is one. */
static void learn_from_any_bytes(void **state)
{
	static const struct {
		const char *list, *want;
	} rows[] = {
		{ "1 .\n7 a\n", "/a" },
		{ "1 .\n7 a", "/a" },
		{ "7 .\n", "/" },
		{ "7 a/b\n", NULL },
		{ "7 \n", NULL },
		{ "7\n", NULL },
		{ "x a\n\n 7 a\n", NULL },
		{ "-7 a\n07 b c\n", "/b c" },
		{ "", NULL },
		{ "7 a\n7 b\n", "/b" },
	};
	struct cgroup_hierarchy h = { "pids", "/here" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cgroup_names *n;
		struct fake fake;
		const char *got;

		fake_init(&fake);
		fake.source.cgroup = list_hostile;
		hostile_list = rows[i].list;
		assert_int_equal(cgroup_names_new(&n, &h, &fake.source), 0);
		cgroup_names_learn(n, 7, 1);
		got = cgroup_names_path(n, 7);
		if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
			fail_msg("\"%s\": got \"%s\", want \"%s\"", rows[i].list,
				 got ? got : "(none)", rows[i].want ? rows[i].want : "(none)");
		cgroup_names_free(n);
	}
}

/* Asked again for each sample, a cgroup that isn't found costs nothing. */
static void learn_gives_up(void **state)
{
	struct cgroup_hierarchy h;
	struct cgroup_names *n;
	struct fake fake;

	(void)state;
	assert_int_equal(cgroup_hierarchy_choose(&h, NULL), 0);
	if (!*h.mount)
		skip();
	fake_begin(&fake);
	assert_int_equal(cgroup_names_new(&n, &h, &fake.source), 0);
	for (int i = 0; i < 1000; i++)
		cgroup_names_learn(n, 0xfffffffffffffffe, 7);
	assert_null(cgroup_names_path(n, 0xfffffffffffffffe));
	assert_int_equal(fake.reads[PROCESS_TEXT_CGROUP], 1);
	cgroup_names_free(n);
}

#define WIDE 20000

/* WIDE directories with one in each, below `top`. */
static void make_wide(const char *top)
{
	char path[256];

	for (int i = 0; i < WIDE; i++) {
		snprintf(path, sizeof(path), "%s/%d", top, i);
		assert_int_equal(mkdir(path, 0700), 0);
		snprintf(path, sizeof(path), "%s/%d/in", top, i);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static int remove_wide(void **state)
{
	char path[256];

	for (int i = 0; *state && i < WIDE; i++) {
		snprintf(path, sizeof(path), "%s/%d/in", (char *)*state, i);
		rmdir(path);
		snprintf(path, sizeof(path), "%s/%d", (char *)*state, i);
		rmdir(path);
	}
	if (*state)
		rmdir(*state);
	return 0;
}

/* Of `ids`, those that have a name. */
static int named(const struct cgroup_names *n, const uint64_t *ids)
{
	int count = 0;

	for (int i = 0; i < WIDE; i++)
		count += cgroup_names_path(n, ids[i]) != NULL;
	return count;
}

/* A walk that would take long is taken in pieces, and goes on where it was. */
static void learn_in_pieces(void **state)
{
	static char top[] = "/dev/shm/slowburn-XXXXXX", path[64];
	static uint64_t ids[WIDE];
	struct cgroup_hierarchy h = { 0 };
	struct cgroup_names *n;
	struct fake fake;
	int first;

	if (!mkdtemp(top)) {
		skip();
		return;
	}
	*state = top;
	make_wide(top);
	for (int i = 0; i < WIDE; i++) {
		snprintf(path, sizeof(path), "%s/%d/in", top, i);
		ids[i] = inode(path);
	}
	snprintf(h.mount, sizeof(h.mount), "%s", top);
	fake_begin(&fake);
	assert_int_equal(cgroup_names_new(&n, &h, &fake.source), 0);
	cgroup_names_learn(n, 0xfffffffffffffffe, 7);
	first = named(n, ids);
	assert_in_range(first, 0, WIDE - 1);
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 10000000 }, NULL);
	cgroup_names_learn(n, 0xfffffffffffffffd, 7);
	assert_in_range(named(n, ids), first + 1, WIDE);
	cgroup_names_free(n);
}

/* A cgroup that was removed meanwhile keeps the name that its process gave. */
static void learn_removed(void **state)
{
	struct cgroup_hierarchy h;
	struct cgroup_names *n;
	struct fake fake;
	char text[256];

	(void)state;
	assert_int_equal(cgroup_hierarchy_choose(&h, NULL), 0);
	fake_begin(&fake);
	snprintf(text, sizeof(text), "%d:%s:/a/b.scope (deleted)\n", *h.controller != '\0',
		 h.controller);
	fake_set(&fake, PROCESS_TEXT_CGROUP, 7, text, 0);
	assert_int_equal(cgroup_names_new(&n, &h, &fake.source), 0);
	cgroup_names_learn(n, 0xfffffffffffffffe, 7);
	assert_non_null(cgroup_names_path(n, 0xfffffffffffffffe));
	assert_string_equal(cgroup_names_path(n, 0xfffffffffffffffe), "/a/b.scope");
	cgroup_names_free(n);
}

static int learn_some(void *ctx)
{
	static const struct cgroup_hierarchy h = { "pids", "" };
	struct cgroup_names *n = NULL;
	struct fake *fake = ctx;
	int r = cgroup_names_new(&n, &h, &fake->source);

	for (uint64_t id = 0; r >= 0 && id < 100; id++)
		r = cgroup_names_set(n, id, "/a");
	if (r >= 0)
		cgroup_names_learn(n, 200, 7);
	cgroup_names_free(n);
	return r;
}

static void survives_without_memory(void **state)
{
	struct fake fake;

	(void)state;
	fake_begin(&fake);
	fake_set(&fake, PROCESS_TEXT_CGROUP, 7, "9:pids:/b\n", 0);
	assert_in_range(torture(learn_some, &fake), 3, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choose),
		cmocka_unit_test(paths),
		cmocka_unit_test_teardown(find_here, remove_cgroups),
		cmocka_unit_test(find_changes_hierarchy),
		cmocka_unit_test(find_refuses),
		cmocka_unit_test(names_set),
		cmocka_unit_test_teardown(learn_here, remove_cgroups),
		cmocka_unit_test(learn_from_any_bytes),
		cmocka_unit_test(learn_gives_up),
		cmocka_unit_test_teardown(learn_in_pieces, remove_wide),
		cmocka_unit_test(learn_removed),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
