// SPDX-License-Identifier: GPL-2.0
//! The version of the kernel.

use nix::sys::utsname::uname;

/// Whether the kernel is of this series or a newer one.
pub fn at_least(major: u32, minor: u32) -> bool {
    let system = uname().expect("uname");
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(['.', '-', '+']).map(str::parse);
    let mut number = || numbers.next().and_then(Result::ok).expect("a release");
    (number(), number()) >= (major, minor)
}
