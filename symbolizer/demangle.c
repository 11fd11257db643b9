// SPDX-License-Identifier: Apache-2.0
/*
 * libiberty, by its callback interface: it prints into our buffer and allocates nothing. A name of
 * 100 bytes can stand for 2^40 bytes of output (each substitution doubles), which would be printed
 * to the end, so output beyond the buffer leaves the demangler by longjmp. That is sound because
 * these two entry points keep all they have on the stack. Its limits on recursion are left on:
 * names that are nested deeper stay as they are.
 *
 * Refused: cplus_demangle(), which grows a string without a limit and also tries Java, Ada and D.
 */
#include "symbolizer/demangle.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "symbolizer/protocol.h"

#define OPTIONS (DMGL_PARAMS | DMGL_ANSI)

struct output {
	char *text;
	size_t len, max;
	jmp_buf full;
};

static void output_append(const char *s, size_t len, void *opaque)
{
	struct output *out = opaque;
	size_t room = out->max - out->len;

	if (len == 0) /* then `s` may be NULL */
		return;
	memcpy(out->text + out->len, s, len < room ? len : room);
	if (len > room) {
		out->len = out->max;
		longjmp(out->full, 1);
	}
	out->len += len;
}

/*
 * Both mangle to "_Z" (C++; Rust's legacy names, which end in 17h and a hash); Rust's v0 to "_R".
 */
static bool looks_mangled(const char *name)
{
	return name[0] == '_' &&
	       (name[1] == 'Z' || name[1] == 'R' || !strncmp(name, "_GLOBAL_", 8));
}

/*
 * ThinLTO and rustc make local names unique by ".llvm.1234": says nothing, and hides Rust's hash.
 */
static const char *without_llvm_suffix(const char *name, char *copy, size_t size)
{
	const char *suffix = strstr(name, ".llvm.");
	size_t len;

	if (!suffix)
		return name;
	len = (size_t)(suffix - name);
	if (len >= size)
		return name;
	memcpy(copy, name, len);
	copy[len] = '\0';
	return copy;
}

/* A function of its own: what longjmp returns to must not have changed a local since. */
static bool print(const char *name, struct output *out)
{
	if (setjmp(out->full))
		return true;
	if (rust_demangle_callback(name, OPTIONS, output_append, out))
		return true;
	out->len = 0; /* what it printed before it gave up */
	return cplus_demangle_v3_callback(name, OPTIONS, output_append, out);
}

bool demangle(const char *name, char *ret_name, size_t size)
{
	char copy[SYMBOLS_MAX_NAME + 1];
	struct output out = { .text = ret_name, .max = size - 1 };

	if (!looks_mangled(name) || !print(without_llvm_suffix(name, copy, sizeof(copy)), &out))
		return false;
	ret_name[out.len] = '\0';
	return out.len > 0;
}
