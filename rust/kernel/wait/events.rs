// SPDX-License-Identifier: GPL-2.0

//! What files are ready for.
//!
//! C header: [`include/uapi/linux/eventpoll.h`](srctree/include/uapi/linux/eventpoll.h)

use bindings_net as bindings;

/// `EPOLL*` events, as poll callbacks return them and wake-ups carry them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PollEvents(u32);

#[allow(
    clippy::unnecessary_cast,
    reason = "the constants' type is the architecture's"
)]
impl PollEvents {
    /// No event.
    pub const NONE: Self = Self(0);
    /// There is something to read.
    pub const READABLE: Self = Self((bindings::EPOLLIN | bindings::EPOLLRDNORM) as u32);
    /// There is room to write.
    pub const WRITABLE: Self = Self((bindings::EPOLLOUT | bindings::EPOLLWRNORM) as u32);
    /// Something has happened to what is polled. Who polls sees this whether it asks for it or not.
    pub const ERROR: Self = Self(bindings::EPOLLERR as u32);
    /// What a wake-up because of new data carries.
    pub const WAKE_READERS: Self = Self(Self::READABLE.0 | bindings::EPOLLRDBAND as u32);
    /// What a wake-up because of new room carries.
    pub const WAKE_WRITERS: Self = Self(Self::WRITABLE.0 | bindings::EPOLLWRBAND as u32);

    /// Returns these events and `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all of `other` are among these events.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the bits (`__poll_t`).
    pub const fn bits(self) -> u32 {
        self.0
    }
}
