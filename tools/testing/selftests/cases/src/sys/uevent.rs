// SPDX-License-Identifier: GPL-2.0
//! The kernel's device events, as udev receives them.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::poll::PollFlags;
use nix::sys::socket::{
    bind, recv, socket, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType,
};

use super::wait;

const KERNEL_GROUP: u32 = 1;

pub type Event = BTreeMap<String, String>;

pub struct Uevents(OwnedFd);

impl Uevents {
    pub fn open() -> Uevents {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkKObjectUEvent,
        )
        .expect("an event socket");
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP)).expect("bind");
        Uevents(socket)
    }

    /// The next event of this subsystem.
    pub fn next_of(&self, subsystem: &str) -> Event {
        loop {
            let event = self.next();
            if event.get("SUBSYSTEM").is_some_and(|name| name == subsystem) {
                return event;
            }
        }
    }

    /// All events up to and without those of a link that is called `marker`.
    pub fn before(&self, marker: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next();
            if event["DEVPATH"].contains(marker) {
                return events;
            }
            events.push(event);
        }
    }

    fn next(&self) -> Event {
        let mut buffer = [0; 8192];
        wait::events(&self.0, PollFlags::POLLIN);
        let length =
            recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()).expect("a device event");
        String::from_utf8_lossy(&buffer[..length])
            .split('\0')
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
}
