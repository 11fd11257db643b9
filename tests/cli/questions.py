# SPDX-License-Identifier: Apache-2.0
"""Is a flame graph's JSON a tree whose totals are its selfs and its children's? Says whether nodes were merged."""
import json
import sys

graph = json.load(sys.stdin)
nodes = graph["nodes"]
path, children = [], [0] * len(nodes["depth"])
for i, depth in enumerate(nodes["depth"]):
    assert depth <= len(path) and (depth or not i), (i, depth)
    del path[depth:]
    if path:
        children[path[-1]] += nodes["total"][i]
    path.append(i)
for i, total in enumerate(nodes["total"]):
    assert total == nodes["self"][i] + children[i], (i, total, nodes["self"][i], children[i])
for name in nodes:
    assert len(nodes[name]) == len(nodes["depth"]), name
for column in graph["frames"].values():
    assert len(column) == max(nodes["frame"]) + 1
merged = dict(graph["merged"])
assert {i for i, flags in enumerate(nodes["flags"]) if flags & 4} == set(merged)
assert len(nodes["depth"]) - len(merged) + sum(merged.values()) == graph["node_count"]
print("merged" if merged else "whole")
