// SPDX-License-Identifier: Apache-2.0
use std::collections::{BTreeMap, HashMap};

fn main() {
    let mut words: HashMap<String, Vec<usize>> = HashMap::new();
    let mut sorted: BTreeMap<usize, String> = BTreeMap::new();
    let given: Vec<String> = std::env::args().collect();
    for (i, word) in given.iter().cycle().take(1000).enumerate() {
        words.entry(format!("{}{}", word, i % 7)).or_default().push(i);
        sorted.insert(i * 7 % 1000, word.to_uppercase());
    }
    let total: usize = words.values().map(|v| v.iter().sum::<usize>()).sum();
    let mut all: Vec<_> = sorted.into_iter().map(|(k, v)| (v, k)).collect();
    all.sort_by(|a, b| b.cmp(a));
    println!("{} {:?}", total, all.first());
}
