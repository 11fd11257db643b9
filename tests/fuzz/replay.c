// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds the files of the given folders to a fuzz target, without a fuzzer: what once broke a parser
 * is part of every test run, with any compiler and any sanitizer.
 *
 * All files go through one process, in the order of their names. Each is named before it is fed, so
 * that the last line of a run that died is the file to look at. Input is copied to a block of
 * exactly its size, where AddressSanitizer and valgrind see the first byte read too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_INPUT_BYTES (64L << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static int replay_stream(FILE *file, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);

	if (!data)
		return -ENOMEM;
	if (fread(data, 1, size, file) != size) {
		free(data);
		return -EIO;
	}
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int replay_file(const char *path)
{
	struct stat st;
	FILE *file;
	int r;

	printf("# %s\n", path);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fstat(fileno(file), &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > MAX_INPUT_BYTES)
		r = -EINVAL;
	else
		r = replay_stream(file, (size_t)st.st_size);
	fclose(file);
	return r;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The number of files fed, or a negative errno. */
static int replay_folder(const char *folder)
{
	struct dirent **entries;
	int n, r = 0;

	n = scandir(folder, &entries, is_input, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		char path[4096];

		if (r >= 0 && (size_t)snprintf(path, sizeof(path), "%s/%s", folder,
					       entries[i]->d_name) >= sizeof(path))
			r = -ENAMETOOLONG;
		if (r >= 0)
			r = replay_file(path);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	int n_files = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int r = replay_folder(argv[i]);

		if (r < 0) {
			printf("not ok 1 - \"%s\": %s\n", argv[i], strerror(-r));
			return 1;
		}
		n_files += r;
	}
	if (n_files == 0) {
		printf("not ok 1 - no inputs\n");
		return 1;
	}
	printf("ok 1 - %d inputs\n", n_files);
	return 0;
}
