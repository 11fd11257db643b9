// SPDX-License-Identifier: Apache-2.0
/*
 * A program whose inlining goes deep: what it does is nobody's concern.
 */
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

struct item {
	int key;
	std::string name;
	bool operator<(const item &other) const { return key < other.key; }
};

template <class T> __attribute__((noinline)) T sum(const std::vector<T> &all)
{
	return std::accumulate(all.begin(), all.end(), T());
}

} // namespace

int main(int argc, char **argv)
{
	std::map<std::string, item> by_name;
	std::unordered_map<int, std::vector<double>> parts;
	std::vector<item> all;
	std::regex pattern("(a|b)*c([0-9]+)");
	std::smatch match;

	for (int i = 0; i < argc * 10; i++) {
		std::string word = argv[i % argc];

		by_name[word + std::to_string(i)] = item{ i, word };
		all.push_back(item{ -i, word });
		parts[i % 7].push_back(i * 0.5);
	}
	std::sort(all.begin(), all.end());
	std::stable_sort(all.begin(), all.end(),
			 [](const item &a, const item &b) { return a.name < b.name; });
	auto first = std::make_shared<item>(all[0]);
	std::function<int(const item &)> f = [&](const item &x) { return x.key + argc; };
	std::string word = argv[0];
	std::cout << std::regex_search(word, match, pattern) << sum(parts[1]) << by_name.size()
		  << f(*first) << "\n";
	return 0;
}
