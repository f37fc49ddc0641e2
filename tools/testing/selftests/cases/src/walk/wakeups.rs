// SPDX-License-Identifier: GPL-2.0
//! Which files have told somebody who waits that there is something to read:
//! epoll, edge-triggered, so that one that tells twice is seen twice.

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::sys::tap::Tap;

/// More than there are files, also those that only a duplicate keeps open.
const MOST: usize = 64;

pub struct Wakeups(Epoll);

impl Wakeups {
    pub fn new() -> Wakeups {
        Wakeups(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll"))
    }

    pub fn watch(&self, tap: &Tap, id: usize) {
        // Not of room to write: C does not tell of it.
        let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        let mut event = EpollEvent::new(events, id as u64);
        let watched = match self.0.add(tap, event) {
            // A duplicate that was closed had the same number.
            Err(Errno::EEXIST) => self.0.modify(tap, &mut event),
            other => other,
        };
        watched.expect("epoll_ctl");
    }

    /// A link is gone: its files told of that, which they do not in C, and of the
    /// frames that they have once more.
    pub fn skip_news(&self) {
        self.take();
    }

    /// Since the last time, in their order.
    pub fn take(&self) -> Vec<u64> {
        let mut events = [EpollEvent::empty(); MOST];
        let count = self
            .0
            .wait(&mut events, EpollTimeout::ZERO)
            .expect("epoll_wait");
        (events[..count].iter())
            // It says, too, if the link is gone, which it does not in C.
            .filter(|event| event.events().contains(EpollFlags::EPOLLIN))
            .map(EpollEvent::data)
            .collect()
    }
}
