// SPDX-License-Identifier: GPL-2.0
//! The differences of `Documentation/networking/macvtap-differences.rst` that a
//! walk could see, and what is done about each.
//!
//! =============================  ============================================
//! Minor numbers                  are not printed.
//! A tag that is cut off          [`length_read`]
//! A tag to a bad address         [`tag_is_bad`]
//! Segments that find no room     [`hidden_counters`]
//! Frames that lose their room    [`hidden_counters`]
//! Writes to be tried again       [`hidden_counters`]
//! Header, offloads turned off    `ioctls` reads all frames first.
//! Frames left in a closed file   `files::close` reads all frames first.
//! Packets without a description  `frames::GSO_TYPES` has none.
//! Links that are gone            [`events_seen`], [`result_read`], [`result_written`];
//!                                nobody waits on files of such a link: `files::any`.
//! Files that send signals        [`status_seen`]; nobody asks for their signals.
//! Everything else                is about time, which is not printed.
//! =============================  ============================================

use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::driver::Driver;

/// The part of a frame that stands before its VLAN tag, and both together.
const BEFORE_TAG: usize = 12;
const WITH_TAG: usize = 16;

/// What a read returned, from what C returns when it cuts a frame off in or
/// right behind its tag: the number of the tag's bytes.
///
/// `header` is the size of the virtio-net header, `buffer` that of the whole
/// buffer.
pub fn length_read(driver: Driver, header: usize, buffer: usize, length: usize) -> usize {
    let room = buffer.saturating_sub(header);
    let tag_cut = room > BEFORE_TAG && room <= WITH_TAG && length == room - BEFORE_TAG;
    if tag_cut && !driver.has_our_tap() {
        buffer
    } else {
        length
    }
}

/// Whether a read fails that succeeds in C: the buffer is good up to `good`,
/// which lies in a frame's tag.
pub fn tag_is_bad(header: usize, good: usize) -> bool {
    (header + BEFORE_TAG..header + WITH_TAG).contains(&good)
}

/// What poll() reports, but for what it says in C never, that the link is `gone`;
/// nor, if it is, whether there is room to write, which is not needed here.
pub fn events_seen(gone: bool, events: PollFlags) -> PollFlags {
    let seen = events - PollFlags::POLLERR;
    if gone {
        seen - PollFlags::POLLOUT - PollFlags::POLLWRNORM
    } else {
        seen
    }
}

/// A file's status flags, but for the one that in C does not stay.
pub fn status_seen(flags: i32) -> i32 {
    flags & !libc::O_ASYNC
}

/// What a read without waiting returned, from what it returns when the link is gone:
/// in C it is `nothing`, as on any file without frames.
pub fn result_read(nothing: Errno, result: nix::Result<usize>) -> nix::Result<usize> {
    match result {
        Err(Errno::ENETDOWN) => Err(nothing),
        other => other,
    }
}

/// What a write without waiting returned to a file whose link is `gone`: whatever
/// else may be wrong with it, C says first.
pub fn result_written(gone: bool, length: usize, result: nix::Result<usize>) -> nix::Result<usize> {
    match result {
        Ok(_) | Err(Errno::EAGAIN | Errno::EFAULT) if gone => Ok(length),
        other => other,
    }
}

/// The counters that are not compared after this step.
pub fn hidden_counters(dropped: bool, retried: bool) -> Vec<&'static str> {
    let mut hidden = vec![];
    if dropped {
        // C does not count the segments of a packet that find no room behind
        // others that did, nor frames that a resize leaves none.
        hidden.extend(["rx_errors", "rx_dropped"]);
    }
    if retried {
        // C counts writes that fail with EAGAIN or are interrupted.
        hidden.push("tx_dropped");
    }
    hidden
}
