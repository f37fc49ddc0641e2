// SPDX-License-Identifier: GPL-2.0

//! What users of a file are told when its device is gone.
//!
//! A file outlives its device, and nothing arrives any more. Who waits is told by an error,
//! `ENETDOWN`, as users of packet sockets are: reads and writes on a file without `O_NONBLOCK`, and
//! reads by io_uring, which waits on either.
//!
//! Who does not wait is told by `EPOLLERR`. Reads go on to say `EAGAIN`, and writes that all went
//! well: some monitors end a guest on any other error, and a guest with one link less goes on. The
//! event is there until a poller has seen it and somebody has read `EAGAIN` after that. So a monitor
//! that polls and reads, as all do, sees it once, and does not spin. Who is told by an error does not
//! take it away from those that poll the same file.

use crate::queue::{
    Queue,
    QueueSock, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu, //
    },
};
use kernel_net::{
    compat::enetdown,
    net::SkBuff,
    sync::Atomic,
    wait::PollEvents, //
};

/// Whether pollers of a file are to be told that its device is gone.
pub(crate) struct Notice(Atomic<u32>);

impl Notice {
    /// There is nothing to tell.
    const NONE: u32 = 0;
    /// Nobody has been told.
    const NEW: u32 = 1;
    /// Somebody has been told.
    const SEEN: u32 = 2;

    pub(crate) const fn new() -> Self {
        Self(Atomic::new(Self::NONE))
    }

    /// Adds to `events` what a poller is to be told, and takes it that it is.
    #[inline]
    pub(crate) fn poll(&self, events: PollEvents) -> PollEvents {
        match self.0.load(Relaxed) {
            Self::NONE => events,
            _ => self.report(events),
        }
    }

    #[cold]
    fn report(&self, events: PollEvents) -> PollEvents {
        if self.0.load(Relaxed) == Self::NEW {
            self.0.store(Self::SEEN, Relaxed);
        }
        events.and(PollEvents::ERROR)
    }

    /// A reader is told nothing. If a poller sent it, that has been told now.
    fn acknowledge(&self) {
        if self.0.load(Relaxed) == Self::SEEN {
            self.0.store(Self::NONE, Relaxed);
        }
    }

    /// Nobody needs to be told any more.
    pub(crate) fn withdraw(&self) {
        self.0.store(Self::NONE, Relaxed);
    }
}

/// Tells the users of a queue that has just lost its device.
pub(crate) fn tell(queue: &QueueSock) {
    queue.notice.0.store(Notice::NEW, Relaxed);
    queue.shut_down();
}

impl Queue {
    /// Returns whether the device is gone.
    #[cold]
    pub(crate) fn is_gone(&self) -> bool {
        self.device.load(&rcu::read_lock()).is_none()
    }

    /// Takes a frame for a reader who waits for one; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// `ENETDOWN` if there is none and the device is gone.
    #[inline]
    pub(crate) fn next_frame(&self) -> Option<Result<SkBuff>> {
        match self.ring.consume() {
            Some(skb) => Some(Ok(skb)),
            None if self.is_gone() => Some(self.last_frame()),
            None => None,
        }
    }

    /// Takes what came before the device went.
    #[cold]
    fn last_frame(&self) -> Result<SkBuff> {
        self.ring.consume().ok_or_else(enetdown)
    }

    /// Returns what a reader is told who does not wait, and found no frame. `nowait` is for one who
    /// does so later, as io_uring does: for what will not come.
    #[inline]
    pub(crate) fn no_frame(&self, nowait: bool) -> Error {
        if nowait && self.is_gone() {
            return enetdown();
        }
        self.notice.acknowledge();
        EAGAIN
    }
}
