// SPDX-License-Identifier: GPL-2.0

//! KUnit suites.
//!
//! What C has a function for is compared with that, on what comes of a seed. Else the rules of C
//! are stated once more, in another way.

mod frame;
mod minors;
mod offload;
mod random;
mod select;
mod transport;
mod vnet;
