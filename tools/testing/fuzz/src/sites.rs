// SPDX-License-Identifier: GPL-2.0
//! The places in the modules that KCOV can report: after every call of
//! `__sanitizer_cov_trace_pc`, of which the compiler puts one on each edge.

use std::collections::HashMap;
use std::fs;

use macvtap_selftests::sys::module;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};

const MODULES: [&str; 2] = ["tap", "macvtap"];
const SECTION: &str = ".text";
const CALLED: &str = "__sanitizer_cov_trace_pc";
/// A call's relocation is for its last four bytes.
const TO_RETURN_ADDRESS: u64 = 4;

/// Part of the mangled names of what there is for KUnit only, by the names of the
/// Rust modules that it is in.
const OF_SUITES: [&str; 2] = ["5tests", "5kunit"];

pub struct Sites {
    numbers: HashMap<u64, usize>,
    /// How many each module has.
    counts: Vec<(&'static str, usize)>,
}

impl Sites {
    /// Those of the modules that are loaded. What runs only when a module comes
    /// or goes is left out, as are tests.
    pub fn of_modules() -> Sites {
        let mut sites = Sites {
            numbers: HashMap::new(),
            counts: vec![],
        };
        for name in MODULES {
            let before = sites.numbers.len();
            for address in sites_of(name) {
                let number = sites.numbers.len();
                sites.numbers.insert(address, number);
            }
            sites.counts.push((name, sites.numbers.len() - before));
        }
        assert!(sites.len() > 0, "the modules are not instrumented");
        sites
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    pub fn number_of(&self, address: u64) -> Option<usize> {
        self.numbers.get(&address).copied()
    }

    /// How many of each module are set in `map`, and how many there are.
    pub fn by_module(&self, map: &[bool]) -> Vec<(&'static str, usize, usize)> {
        let mut rest = map;
        let mut modules = vec![];
        for &(name, count) in &self.counts {
            let (own, others) = rest.split_at(count);
            modules.push((name, own.iter().filter(|&&met| met).count(), count));
            rest = others;
        }
        modules
    }
}

fn sites_of(name: &str) -> Vec<u64> {
    let path = module::file(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = object::File::parse(&*bytes).expect("a module");
    let section = file.section_by_name(SECTION).expect("code");
    let suites: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.section_index() == Some(section.index()))
        .filter(|symbol| symbol.name().is_ok_and(is_of_suites))
        .map(|symbol| symbol.address()..symbol.address() + symbol.size())
        .collect();
    let start = address_of(name);
    section
        .relocations()
        .filter(|(_, relocation)| match relocation.target() {
            RelocationTarget::Symbol(symbol) => {
                let symbol = file.symbol_by_index(symbol).expect("a symbol");
                symbol.name() == Ok(CALLED)
            }
            _ => false,
        })
        .map(|(offset, _)| offset)
        .filter(|offset| !suites.iter().any(|suite| suite.contains(offset)))
        .map(|offset| start + offset + TO_RETURN_ADDRESS)
        .collect()
}

fn is_of_suites(name: &str) -> bool {
    OF_SUITES.iter().any(|part| name.contains(part))
}

/// Where a loaded module's code is.
fn address_of(name: &str) -> u64 {
    let path = format!("/sys/module/{name}/sections/{SECTION}");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let digits = text.trim().trim_start_matches("0x");
    u64::from_str_radix(digits, 16).expect("an address")
}
