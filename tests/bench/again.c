// SPDX-License-Identifier: Apache-2.0
/*
 * A library to preload: main() is called again and again, whatever it returns and wherever it calls exit(). So
 * `PROGRAM --help` becomes a process that works in its own code for as long as one likes, which is what the bench
 * needs a hundred different ones of. What main() leaves allocated is leaked; a program that can't bear it ends.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

typedef int main_fn(int argc, char **argv, char **environment);
typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		     void (*rtld_fini)(void), void *stack_end);

static main_fn *real_main;
static jmp_buf start;
static pid_t owner;

/* Options are permuted by getopt(), and set to NULL by some: each turn has a copy of the words. */
static int main_again(int argc, char **argv, char **environment)
{
	char **words = calloc((size_t)argc + 1, sizeof(*words));

	owner = getpid();
	while (words) {
		for (int i = 0; i < argc; i++)
			words[i] = argv[i];
		optind = 0;
		if (setjmp(start) == 0)
			real_main(argc, words, environment);
	}
	return EXIT_FAILURE;
}

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack_end)
{
	start_fn *next = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

	real_main = main;
	return next(main_again, argc, argv, init, fini, rtld_fini, stack_end);
}

/* Of the first thread of the process that we are in, and not in a child of it. */
__attribute__((noreturn)) static void leave(int status)
{
	if (owner == getpid() && owner == gettid())
		longjmp(start, 1);
	((void (*)(int))dlsym(RTLD_NEXT, "_exit"))(status);
	__builtin_unreachable();
}

void exit(int status)
{
	leave(status);
}

void _exit(int status)
{
	leave(status);
}
