#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One C++ unit of many instantiations, the same each time: cxxsource.py PARTS > FILE.cc

Each part brings the containers and algorithms of the library for types of its own: some 180 KB of .debug_info by g++ 12 -O2 -g.
"""
import sys

HEAD = "".join(f"#include <{name}>\n" for name in (
    "algorithm", "functional", "map", "memory", "numeric", "string", "unordered_map", "vector"))
PART = """
namespace part_{i} {{

struct item {{
	int key;
	double weight;
	std::string name;
	bool operator<(const item &other) const {{ return key < other.key; }}
}};

int run(int argc, char **argv)
{{
	std::map<std::string, item> by_name;
	std::unordered_map<int, std::vector<item>> parts;
	std::vector<item> all;

	for (int i = 0; i < argc * 10; i++) {{
		std::string word = argv[i % argc];

		by_name[word] = item{{ i, {i} * 0.5, word }};
		all.push_back(item{{ -i, 1.0, word }});
		parts[i % 7].push_back(all.back());
	}}
	std::sort(all.begin(), all.end());
	std::stable_sort(all.begin(), all.end(),
			 [](const item &a, const item &b) {{ return a.name < b.name; }});
	auto first = std::make_shared<item>(all[0]);
	std::function<int(const item &)> f = [&](const item &x) {{ return x.key + argc; }};
	return f(*first) + by_name.size() + parts.size();
}}

}} // namespace part_{i}
"""


def main(count):
    print(HEAD, end="")
    for i in range(count):
        print(PART.format(i=i), end="")
    print("\nint main(int argc, char **argv)\n{\n\tint sum = 0;\n")
    for i in range(count):
        print(f"\tsum += part_{i}::run(argc, argv);")
    print("\treturn sum;\n}")


main(int(sys.argv[1]))
