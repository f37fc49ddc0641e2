// SPDX-License-Identifier: GPL-2.0
//! A kernel module that is loaded for a while.

use std::process::Command;

pub struct Module(&'static str);

impl Module {
    pub fn load(name: &'static str, parameters: &[&str]) -> Module {
        run(Command::new("modprobe").arg(name).args(parameters));
        Module(name)
    }
}

impl Drop for Module {
    /// Others keep it from being unloaded until all of its users are gone.
    fn drop(&mut self) {
        run(Command::new("rmmod").arg(self.0));
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("a command of kmod");
    assert!(status.success(), "{command:?}: {status}");
}
