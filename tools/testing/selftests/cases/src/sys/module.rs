// SPDX-License-Identifier: GPL-2.0
//! Kernel modules that are loaded for a while, and unloaded.

use std::fs;
use std::process::Command;

pub struct Module(&'static str);

impl Module {
    pub fn load(name: &'static str, parameters: &[&str]) -> Module {
        load(name, parameters);
        Module(name)
    }
}

impl Drop for Module {
    /// Others keep it from being unloaded until all of its users are gone.
    fn drop(&mut self) {
        unload(self.0);
    }
}

pub fn load(name: &str, parameters: &[&str]) {
    run(Command::new("modprobe").arg(name).args(parameters));
}

pub fn unload(name: &str) {
    run(Command::new("rmmod").arg(name));
}

/// How many keep a module from being unloaded; none for what is built in.
pub fn references(name: &str) -> Option<usize> {
    let references = fs::read_to_string(format!("/sys/module/{name}/refcnt")).ok()?;
    Some(references.trim().parse().expect("a number"))
}

fn run(command: &mut Command) {
    let status = command.status().expect("a command of kmod");
    assert!(status.success(), "{command:?}: {status}");
}
