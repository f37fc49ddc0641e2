// SPDX-License-Identifier: GPL-2.0
//! What the programs that test macvtap have in common: the system as they see
//! it, and frames.

// Who makes one makes links and the like, which nobody should get by default.
#![allow(clippy::new_without_default, clippy::should_implement_trait)]

pub mod frame;
pub mod sys;
pub mod vnet;

// All checkouts build in one directory. With this, cargo takes nothing for this
// one's that was built in another one.
const _: Option<&str> = option_env!("MACVTAP_CHECKOUT");
