// SPDX-License-Identifier: GPL-2.0

//! A module that panics when it is loaded; see `fault.c`.

use kernel::prelude::*;

module! {
    type: Fault,
    name: "rust_fault",
    authors: ["The macvtap-rust authors"],
    description: "A Rust panic on demand, for the test harness",
    license: "GPL",
}

struct Fault;

impl kernel::Module for Fault {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        panic!("a panic, as ordered");
    }
}
