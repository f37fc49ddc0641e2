// SPDX-License-Identifier: GPL-2.0
//! Which packets the kernel drops, and why, as its tracepoint tells.

use std::fs;
use std::path::PathBuf;
use std::process;

const INSTANCES: &str = "/sys/kernel/tracing/instances";
const EVENT: &str = "events/skb/kfree_skb";

/// Watches packets of one protocol, and those that the process itself drops,
/// whose protocol may not be known yet.
pub struct Drops {
    instance: PathBuf,
}

impl Drops {
    pub fn watch(protocol: u16) -> Drops {
        let instance = PathBuf::from(INSTANCES).join(format!("mt-{}", process::id()));
        fs::create_dir(&instance).expect("an instance of tracefs");
        let drops = Drops { instance };
        let filter = format!("protocol == {protocol} || common_pid == {}", process::id());
        drops.write(&format!("{EVENT}/filter"), &filter);
        drops.write(&format!("{EVENT}/enable"), "1");
        drops
    }

    /// The reasons of all drops since the last call, in the order of time.
    pub fn reasons(&self) -> Vec<String> {
        let trace = fs::read_to_string(self.instance.join("trace")).expect("the trace");
        self.write("trace", "");
        trace
            .lines()
            .filter_map(|line| line.split_once(" reason: "))
            .map(|(_, reason)| reason.to_owned())
            .collect()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.instance.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.write(&format!("{EVENT}/enable"), "0");
        fs::remove_dir(&self.instance).expect("the instance to be removed");
    }
}
