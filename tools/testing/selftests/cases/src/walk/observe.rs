// SPDX-License-Identifier: GPL-2.0
//! What can be seen after a step: frames at the peer, links, files.

use std::mem;

use netlink_packet_route::link::{LinkAttribute, LinkMessage, Stats64};
use nix::errno::Errno;
use nix::poll::PollFlags;

use super::random::digest;
use super::world::{World, SLOTS};
use super::{differences, files, frames};
use crate::sys::wait;

/// What was seen of a link the last time.
#[derive(Default)]
pub struct Seen {
    state: String,
    counters: Vec<(&'static str, u64)>,
}

impl World {
    /// Waits until nothing moves any more, and returns what has changed.
    pub fn observe(&mut self) -> String {
        self.settle();
        let (segmented, resized) = (mem::take(&mut self.segmented), mem::take(&mut self.resized));
        let hidden =
            differences::hidden_counters(segmented || resized, mem::take(&mut self.retried));
        let mut text = self.at_the_peer();
        for slot in 0..SLOTS {
            text += &self.of_the_link(slot, &hidden);
        }
        text + &self.of_the_files()
    }

    fn at_the_peer(&mut self) -> String {
        let (mut text, mut count, mut sum) = (String::new(), 0, 0);
        loop {
            match self.wire().peer.try_receive() {
                Ok(mut received) => {
                    count += 1;
                    let header = digest(&received.header.to_bytes());
                    frames::comparable(&mut received.frame);
                    // In their order: the same frames in another one differ.
                    sum = digest(
                        &[sum, header, digest(&received.frame)]
                            .map(u64::to_ne_bytes)
                            .concat(),
                    );
                }
                Err(Errno::EAGAIN) => break,
                Err(error) => text += &format!(" | peer {error:?}"),
            }
        }
        self.frames_sent += count;
        if count > 0 {
            text += &format!(" | peer {count} {sum:016x}");
        }
        text
    }

    fn of_the_link(&mut self, number: usize, hidden: &[&str]) -> String {
        let link = match self.at(number, |slot| slot.link.get()) {
            None => return String::new(),
            Some(Err(error)) => return format!(" | w{number} {error:?}"),
            Some(Ok(link)) => link,
        };
        let Some(slot) = &mut self.slots[number] else {
            return String::new();
        };
        let seen = Seen {
            state: state(&link),
            counters: counters(&link),
        };
        let mut text = String::new();
        if seen.state != slot.seen.state {
            text += &format!(" {}", seen.state);
        }
        for (at, &(name, value)) in seen.counters.iter().enumerate() {
            let before = slot.seen.counters.get(at).map_or(0, |&(_, value)| value);
            if value != before && !hidden.contains(&name) {
                text += &format!(" {name}+{}", value.wrapping_sub(before));
            }
        }
        slot.seen = seen;
        if text.is_empty() {
            text
        } else {
            format!(" | w{number}{text}")
        }
    }

    fn of_the_files(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let all = PollFlags::all() - PollFlags::POLLNVAL;
            let gone = !files::is_attached(self, file);
            let events = differences::events_seen(gone, wait::events_now(&file.tap, all));
            text += &format!(" f{}:{:x}", file.id, events.bits());
        }
        for id in self.wakeups.take() {
            text += &format!(" woke f{id}");
        }
        if text.is_empty() {
            text
        } else {
            format!(" |{text}")
        }
    }
}

fn state(link: &LinkMessage) -> String {
    let mut parts = vec![format!("{:?}", link.header.flags)];
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(_)
            | LinkAttribute::Mtu(_)
            | LinkAttribute::TxQueueLen(_)
            | LinkAttribute::OperState(_)
            | LinkAttribute::Carrier(_)
            | LinkAttribute::Promiscuity(_)
            | LinkAttribute::Address(_)
            | LinkAttribute::LinkInfo(_)
            | LinkAttribute::Qdisc(_) => parts.push(format!("{attribute:?}")),
            _ => (),
        }
    }
    parts.join(" ")
}

fn counters(link: &LinkMessage) -> Vec<(&'static str, u64)> {
    let statistics = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Stats64(statistics) => Some(*statistics),
            _ => None,
        });
    let counters: Stats64 = statistics.expect("the link's statistics");
    vec![
        ("rx_packets", counters.rx_packets),
        ("rx_bytes", counters.rx_bytes),
        ("rx_errors", counters.rx_errors),
        ("rx_dropped", counters.rx_dropped),
        ("tx_packets", counters.tx_packets),
        ("tx_bytes", counters.tx_bytes),
        ("tx_errors", counters.tx_errors),
        ("tx_dropped", counters.tx_dropped),
        ("multicast", counters.multicast),
        ("rx_nohandler", counters.rx_nohandler),
    ]
}
