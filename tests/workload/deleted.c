/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary that is gone from the disk while it runs: copies itself to a new directory under $TMPDIR
 * as "deleted-copy", executes the copy, which removes itself and its directory, then works.
 * usage: deleted [CPU-SECONDS]
 */
#include "truth.h"

#include <libgen.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static PROFILED void deleted_spin(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static void copy_self(const char *path)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		abort();
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);

		if (n <= 0)
			abort();
		left -= n;
	}
	close(in);
	if (close(out) < 0)
		abort();
}

static void execute_copy(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	char directory[4000], path[4096], seconds[] = "2";
	char *args[] = { path, argc > 1 ? argv[1] : seconds, NULL };

	snprintf(directory, sizeof(directory), "%s/slowburn-deleted-XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(directory))
		abort();
	snprintf(path, sizeof(path), "%s/deleted-copy", directory);
	copy_self(path);
	setenv("WORKLOAD_DELETE", path, 1);
	execv(path, args);
	perror(path);
	exit(2);
}

int main(int argc, char **argv)
{
	struct account account = { .name = "deleted_spin", .work = deleted_spin, .share = 1 };
	uint64_t random = truth_seed();
	char *path = getenv("WORKLOAD_DELETE");

	if (!path)
		execute_copy(argc, argv);
	if (unlink(path) < 0 || rmdir(dirname(path)) < 0)
		abort();
	truth_wait_for_go();
	accounts_run(&account, 1, truth_cpu_seconds(argc, argv, 2), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("deleted-copy");
	return 0;
}
