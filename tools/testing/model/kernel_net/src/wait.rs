// SPDX-License-Identifier: GPL-2.0

//! What files are ready for. Nobody waits here.

#[path = "../../../../../rust/kernel/wait/events.rs"]
mod events;

pub use events::PollEvents;
