// SPDX-License-Identifier: GPL-2.0
//! The modules under test, and where ours mean to differ from the kernel's.
//!
//! Every test has one expectation for both, except for what stands here.

use crate::sys::release;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The kernel's own modules.
    C,
    /// The modules of this project.
    Rust,
    /// Our tap.ko below the kernel's macvtap.ko.
    RustTap,
    /// Our macvtap.ko on top of the kernel's tap.ko.
    RustMacvtap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minors {
    /// The lowest number from 1 that no device has.
    LowestFree,
    /// The link's index, or a number from the top of the range when another
    /// network namespace has a link of the same index.
    Ifindex,
}

impl Driver {
    pub fn of_name(name: &str) -> Option<Driver> {
        match name {
            "c" => Some(Driver::C),
            "rust" => Some(Driver::Rust),
            "rust-tap" => Some(Driver::RustTap),
            "rust-macvtap" => Some(Driver::RustMacvtap),
            _ => None,
        }
    }

    /// Queues end as they should with our tap.ko: a writer does not wait for room
    /// that is there, nor does a closed file leave something behind.
    pub fn has_our_tap(self) -> bool {
        matches!(self, Driver::Rust | Driver::RustTap)
    }

    /// Links have a receive filter with our macvtap.ko.
    pub fn has_our_macvtap(self) -> bool {
        matches!(self, Driver::Rust | Driver::RustMacvtap)
    }

    /// Long UDP packets are handed over whole to those who want that: in C since 7.3, before
    /// that TUNSETOFFLOAD mixed up two variables.
    pub fn passes_udp_whole(self) -> bool {
        self.has_our_tap() || release::at_least(7, 3)
    }

    /// With the minor equal to the index, whoever knows the link knows the
    /// node, as the first version of macvtap promised. It takes both modules:
    /// the C function between them does not tell the index.
    pub fn minors(self) -> Minors {
        match self {
            Driver::Rust => Minors::Ifindex,
            Driver::C | Driver::RustTap | Driver::RustMacvtap => Minors::LowestFree,
        }
    }
}
