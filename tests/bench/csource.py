# SPDX-License-Identifier: Apache-2.0
"""C source for compilers to work on, the same bytes on every machine for the same arguments.

csource.py --functions 2000 > large.c                 one large file
csource.py --files 120 --directory DIR                many small ones and a Makefile

Stands in for a large real file (sqlite's amalgamation is in no Debian package): functions of 10 to 60 lines with
loops, switches, structs, tables, strings, calls to earlier functions and static inline ones, so that the
compiler's passes all get something to do, and its stacks are as various as with real code. Where the real
thing is at hand, the bench takes it (SQLITE3_C=/path/to/sqlite3.c).
"""
import argparse
import os
import random
import sys

HEADER = """\
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
struct node { struct node *next, *child; u64 key; u32 flags, count; u8 name[32]; };
struct table { struct node *slots[64]; u64 size; double load; int (*compare)(const struct node *, const struct node *); };
"""


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.functions = []

    def number(self):
        return self.random.choice([self.random.randrange(2, 64), self.random.randrange(2**31), 2 ** self.random.randrange(1, 31) - 1])

    def value(self, depth=0):
        pick = self.random.randrange(9 if depth < 3 else 5)
        if pick < 3:
            return self.random.choice(["a", "b", "c", "n->key", "n->count", "t->size", "i"])
        if pick < 5:
            return f"{self.number()}ul"
        if pick == 5 and self.functions:
            return f"{self.random.choice(self.functions[-40:])}(n, t, {self.value(depth + 1)})"
        operator = self.random.choice(["+", "-", "*", "^", "&", "|", ">>", "<<"])
        right = f"({self.value(depth + 1)} & 31)" if operator in (">>", "<<") else self.value(depth + 1)
        return f"({self.value(depth + 1)} {operator} {right})"

    def condition(self):
        return f"{self.value(1)} {self.random.choice(['<', '>', '==', '!=', '<='])} {self.value(1)}"

    def statement(self, indent, depth=0):
        tab = "\t" * indent
        pick = self.random.randrange(10 if depth < 3 else 5)
        if pick < 3:
            return [f"{tab}{self.random.choice(['a', 'b', 'c'])} {self.random.choice(['=', '+=', '^=', '-='])} {self.value()};"]
        if pick == 3:
            return [f"{tab}n->name[{self.value(2)} & 31] = (u8)({self.value(1)});"]
        if pick == 4:
            return [f"{tab}t->slots[{self.value(2)} & 63] = {self.random.choice(['n', 'n->next', 'n->child', 't->slots[a & 63]'])};"]
        body = [line for _ in range(self.random.randrange(1, 4)) for line in self.statement(indent + 1, depth + 1)]
        if pick < 7:
            out = [f"{tab}if ({self.condition()}) {{", *body]
            if self.random.randrange(2):
                out += [f"{tab}}} else {{", *self.statement(indent + 1, depth + 1)]
            return [*out, f"{tab}}}"]
        if pick == 7:
            return [f"{tab}for (i = 0; i < ({self.value(2)} & 127); i++) {{", *body, f"{tab}}}"]
        if pick == 8:
            return [f"{tab}while (n->next && {self.condition()}) {{", f"{tab}\tn = n->next;", *body, f"{tab}}}"]
        out = [f"{tab}switch ({self.value(1)} & 15) {{"]
        for case in range(self.random.randrange(2, 9)):
            out += [f"{tab}case {case}:", *self.statement(indent + 1, 3), f"{tab}\tbreak;"]
        return [*out, f"{tab}default:", *body, f"{tab}}}"]

    def function(self):
        name = f"{self.random.choice(['parse', 'walk', 'hash', 'merge', 'emit', 'check'])}_{len(self.functions)}"
        kind = self.random.choice(["", "", "static ", "static inline "])
        lines = [f"{kind}u64 {name}(struct node *n, struct table *t, u64 a)", "{", "\tu64 b = a, c = t->size, i = 0;", ""]
        for _ in range(self.random.randrange(3, 9)):
            lines += self.statement(1)
        self.functions.append(name)
        return "\n".join([*lines, "\treturn a ^ b ^ c ^ i;", "}", ""])

    def file(self, functions):
        body = [self.function() for _ in range(functions)]
        uses = ", ".join(self.functions[-functions:])
        table = f"u64 (*const entry_{self.random.randrange(10**9)}[])(struct node *, struct table *, u64) = {{ {uses} }};\n"
        return "\n".join([HEADER, *body, table])


def write_tree(directory, files, seed):
    os.makedirs(directory, exist_ok=True)
    names = [f"small{i}" for i in range(files)]
    for i, name in enumerate(names):
        with open(os.path.join(directory, f"{name}.c"), "w", encoding="ascii") as file:
            file.write(Source(seed + i).file(1))
    with open(os.path.join(directory, "Makefile"), "w", encoding="ascii") as file:
        file.write("CC = gcc\nall: " + " ".join(f"{n}.o" for n in names) + "\n%.o: %.c\n\t@$(CC) -O1 -c -o $@ $<\nclean:\n\t@rm -f *.o\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--files", type=int)
    parser.add_argument("--directory")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.files:
        if not args.directory:
            parser.error("--files needs --directory")
        write_tree(args.directory, args.files, args.seed)
    else:
        sys.stdout.write(Source(args.seed).file(args.functions))


if __name__ == "__main__":
    main()
