// SPDX-License-Identifier: GPL-2.0
//! What the modules hold on behalf of others: files, nodes, devices, references.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::sys::{module, wait};

/// What must be as it was when all that was made since is gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Holdings {
    sockets: String,
    references: [Option<usize>; 2],
    nodes: Vec<String>,
    devices: Vec<String>,
}

impl Holdings {
    pub fn now() -> Holdings {
        let statistics = fs::read_to_string("/proc/thread-self/net/sockstat");
        let statistics = statistics.expect("sockstat");
        let mut nodes = names("/dev");
        nodes.retain(|name| name.starts_with("tap"));
        Holdings {
            sockets: statistics.lines().next().unwrap_or_default().to_owned(),
            references: ["tap", "macvtap"].map(module::references),
            nodes,
            devices: names("/sys/class/macvtap"),
        }
    }

    /// When nothing is on its way out any more: sockets are freed a grace period
    /// after their last use.
    pub fn settled() -> Holdings {
        let mut before = Holdings::now();
        loop {
            wait::grace_period();
            sleep(Duration::from_millis(10));
            let now = Holdings::now();
            if now == before {
                return now;
            }
            before = now;
        }
    }

    /// The same but for the sockets, where packets of any socket have been on their way through
    /// all of the stack: one of those may be freed much later than it is closed, with the modules
    /// in C as well. Those of queues are counted as references of tap.
    #[track_caller]
    pub fn assert_modules_back(&self) {
        let same = |now: Holdings| {
            (now.references, now.nodes, now.devices)
                == (self.references, self.nodes.clone(), self.devices.clone())
        };
        wait::until("what the modules hold to be as before", || {
            same(Holdings::now())
        });
    }

    #[track_caller]
    pub fn assert_back(&self) {
        let now = Holdings::now();
        if now != *self {
            let what = format!("{now:?} to become {self:?}");
            wait::until(&what, || Holdings::now() == *self);
        }
    }
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
