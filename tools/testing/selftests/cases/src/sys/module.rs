// SPDX-License-Identifier: GPL-2.0
//! Kernel modules that are loaded for a while, and unloaded.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use nix::kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags};

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

/// Without waiting, and without a word.
pub fn try_unload(name: &str) -> nix::Result<()> {
    let name = CString::new(name).expect("a name");
    delete_module(&name, DeleteModuleFlags::O_NONBLOCK)
}

/// The file that modprobe would load a module from.
pub fn file(name: &str) -> PathBuf {
    let ended = Command::new("modinfo").args(["-n", name]).output();
    let ended = ended.expect("modinfo");
    assert!(ended.status.success(), "{ended:?}");
    PathBuf::from(String::from_utf8_lossy(&ended.stdout).trim())
}

/// Loads a module itself, in the calling thread. What it needs must be loaded.
pub fn load_here(file: &File) -> nix::Result<()> {
    finit_module(file, c"", ModuleInitFlags::empty())
}

pub fn is_loaded(name: &str) -> bool {
    fs::exists(format!("/sys/module/{name}")).expect("/sys")
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
