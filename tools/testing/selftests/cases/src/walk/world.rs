// SPDX-License-Identifier: GPL-2.0
//! Everything that a walk has: links, open files, two network namespaces.

use std::fs;
use std::os::fd::OwnedFd;

use fastrand::Rng;

use super::files::File;
use super::observe::Seen;
use super::wakeups::Wakeups;
use super::wire::{Barrier, Wire};
use crate::driver::Driver;
use crate::sys::bpf::Steering;
use crate::sys::link::{Link, Mac};
use crate::sys::netns::Netns;
use crate::sys::ring::Ring;

/// How many macvtap links there can be.
pub const SLOTS: usize = 3;

/// A link's names: it is called by the other one after it was renamed.
pub const NAMES: [[&str; 2]; SLOTS] = [
    ["mt-w0", "mt-w0-renamed"],
    ["mt-w1", "mt-w1-renamed"],
    ["mt-w2", "mt-w2-renamed"],
];

pub const MACS: [Mac; SLOTS] = [
    [0x02, 0, 0, 0, 0, 0x10],
    [0x02, 0, 0, 0, 0, 0x11],
    [0x02, 0, 0, 0, 0, 0x12],
];

/// Where the interface indices begin: far from those that the kernel gives, so
/// that no link ever has a node's name that another had.
const FIRST_INDEX: u32 = 1000;

pub struct Slot {
    pub link: Link,
    /// It is in the other namespace.
    pub away: bool,
    pub seen: Seen,
    pub _steering: OwnedFd,
}

pub struct World {
    pub driver: Driver,
    pub rng: Rng,
    pub files: Vec<File>,
    pub opened: usize,
    pub slots: [Option<Slot>; SLOTS],
    pub wire: Option<Wire>,
    barrier: Barrier,
    pub steering: Steering,
    next_index: u32,
    pub ring: Ring,
    pub wakeups: Wakeups,
    pub home: Netns,
    pub away: Netns,
    /// A link's carrier may be another one.
    pub links_changed: bool,
    /// This step's frames may have been segmented.
    pub segmented: bool,
    /// This step may have made a ring shorter.
    pub resized: bool,
    /// This step's writes are to be tried again.
    pub retried: bool,
    /// Frames that came out of files, and at the peer.
    pub frames_read: usize,
    pub frames_sent: usize,
}

impl World {
    pub fn new(driver: Driver, seed: u64) -> World {
        let away = namespace();
        let home = namespace();
        let mut rng = Rng::with_seed(seed);
        World {
            driver,
            files: vec![],
            opened: 0,
            slots: [const { None }; SLOTS],
            wire: Some(Wire::new(rng.bool())),
            barrier: Barrier::new(),
            steering: Steering::load(),
            next_index: FIRST_INDEX,
            ring: Ring::new(),
            wakeups: Wakeups::new(),
            home,
            away,
            rng,
            links_changed: true,
            segmented: false,
            resized: false,
            retried: false,
            frames_read: 0,
            frames_sent: 0,
        }
    }

    pub fn wire(&self) -> &Wire {
        self.wire.as_ref().expect("the wire")
    }

    pub fn new_index(&mut self) -> u32 {
        self.next_index += 1;
        self.next_index
    }

    /// Does something with a link in the namespace where it is.
    pub fn at<T>(&self, slot: usize, what: impl FnOnce(&Slot) -> T) -> Option<T> {
        let slot = self.slots[slot].as_ref()?;
        if slot.away {
            self.away.enter();
        }
        let result = what(slot);
        if slot.away {
            self.home.enter();
        }
        Some(result)
    }

    /// Waits until nothing is on its way: no frame, and no link whose carrier has
    /// changed but not its queues.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.links_changed) {
            self.settle_links();
        }
        self.barrier.wait();
    }

    fn settle_links(&self) {
        // A change goes from one end of the wire to the other, and up.
        for _ in 0..2 {
            // The kernel catches up with a link's carrier before it answers.
            for link in [&self.wire().peer_link, &self.wire().lower] {
                link.get().expect("the wire");
            }
            for slot in 0..SLOTS {
                self.at(slot, |slot| slot.link.get().map(drop));
            }
        }
    }

    /// The last line of the log.
    pub fn totals(&self) -> String {
        format!("read {} sent {}", self.frames_read, self.frames_sent)
    }
}

impl Drop for World {
    /// The next walk has links with the same indices.
    fn drop(&mut self) {
        self.files.clear();
        for slot in 0..SLOTS {
            self.at(slot, |slot| {
                let _ = slot.link.delete();
            });
        }
    }
}

/// A network namespace in which the host's stack says nothing by itself.
fn namespace() -> Netns {
    let netns = Netns::enter_new();
    for which in ["all", "default"] {
        // There is no such file in a kernel without IPv6.
        let _ = fs::write(
            format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"),
            "1\n",
        );
    }
    netns
}
