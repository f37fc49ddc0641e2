// SPDX-License-Identifier: GPL-2.0

//! Models of the tap module: its own source files, compiled for the host.
//!
//! The crates beside this one stand for what is below the module; what is the model there says so.
//!
//! With the feature `loom` the tests explore what threads do at the same time: the module [`explore`].
//! [`weakened`] sees that this finds what is wrong. Without it they look for properties of what is
//! computed, and done in one thread: [`properties`].

// Most of the module is not here.
#![allow(dead_code)]

#[path = "../../../../drivers/net/tap/device.rs"]
mod device;
mod ffi;
#[path = "../../../../drivers/net/tap/gone.rs"]
mod gone;
#[path = "../../../../drivers/net/tap/ioctl.rs"]
mod ioctl;
#[path = "../../../../drivers/net/tap/offload.rs"]
mod offload;
#[path = "../../../../drivers/net/tap/queue.rs"]
mod queue;
#[path = "../../../../drivers/net/tap/vnet.rs"]
mod vnet;

#[cfg(all(test, feature = "loom"))]
mod explore;
#[cfg(all(test, not(feature = "loom")))]
mod properties;
#[cfg(all(test, feature = "loom"))]
mod weakened;
#[cfg(test)]
mod world;
