// SPDX-License-Identifier: GPL-2.0
//! Memory that is lost.

use std::path::Path;

/// Whether this kernel looks for it.
///
/// vhost loses what it counts the pages of a queue with that it takes without copying, if
/// it is closed as long as it has the queue. That is the kernel's own leak, and must not
/// happen then: ours would not be told from it.
pub fn are_looked_for() -> bool {
    Path::new("/sys/kernel/debug/kmemleak").exists()
}
