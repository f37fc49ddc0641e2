// SPDX-License-Identifier: GPL-2.0
//! Which packets the kernel drops, and why, as its tracepoint tells.

use std::process;

use super::trace::Trace;

/// Watches packets of one protocol, and those that the process itself drops,
/// whose protocol may not be known yet.
pub struct Drops(Trace);

impl Drops {
    pub fn watch(protocol: u16) -> Drops {
        let filter = format!("protocol == {protocol} || common_pid == {}", process::id());
        Drops(Trace::of("skb/kfree_skb", &filter))
    }

    /// The reasons of all drops since the last call, in the order of time.
    pub fn reasons(&self) -> Vec<String> {
        self.0
            .lines()
            .iter()
            .filter_map(|line| line.split_once(" reason: "))
            .map(|(_, reason)| reason.to_owned())
            .collect()
    }
}
