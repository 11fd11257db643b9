/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files damaged at random, cut, flipped, spliced, their numbers replaced by those that break sums: ELF files of this
 * machine and of the fuzz corpora, or what else is added. Most damage is done to what a reader looks at first: headers,
 * symbol tables, strings, hashes, notes; and to DWARF by what it means (dwarf_fields.h).
 *
 * A mutant follows from the seed and its number alone, so that one that broke something can be made again.
 */
#ifndef TESTS_HOSTILE_MUTANT_H
#define TESTS_HOSTILE_MUTANT_H

#include <stddef.h>
#include <stdint.h>

struct mutants;

/* A variable of the environment: a number, or `fallback` if it isn't set. */
uint64_t mutants_setting(const char *name, uint64_t fallback);

/*
 * Libraries and programs of this machine, and the ELF files of the fuzz corpora. From a seed of 0 one is taken from the
 * clock. Fails the test if there are no files to be damaged.
 */
struct mutants *mutants_new(uint64_t seed);
/* Of files that are added then, one at least. */
struct mutants *mutants_bare(uint64_t seed);
void mutants_free(struct mutants *m);

/* All files of a folder, whatever they are; fails the test if there is none. */
void mutants_add_folder(struct mutants *m, const char *path);
/* One that is copied from memory. */
void mutants_add_bytes(struct mutants *m, const char *name, const void *bytes, uint64_t len);
/* The folder of a fuzz target's corpus that the build makes, beside this very program. */
const char *mutants_built_corpus(const char *target, char *path, size_t size);

uint64_t mutants_seed(const struct mutants *m);

/*
 * Mutant `number`, as a file in memory: its descriptor is borrowed until the next call, which mends it. Its size
 * may be much more than what it takes.
 */
int mutants_make(struct mutants *m, uint64_t number);

/*
 * Says on standard error what was done to the present mutant, if one is left that was not freed: for a teardown. Sanitizers
 * do it by themselves when they end the process.
 */
int mutants_tell(void **state);

/* What was done to it, borrowed until the next mutants_make(). */
const char *mutants_story(const struct mutants *m);

/*
 * `count` ascending offsets to ask the present one about: spread over the file that it once was, and some beyond. A
 * part of it: the same for the same mutant.
 */
void mutants_offsets(struct mutants *m, uint64_t *ret_offsets, uint32_t count);

/* Below `limit`, from the present mutant's own sequence. */
uint64_t mutants_random(struct mutants *m, uint64_t limit);

#endif
