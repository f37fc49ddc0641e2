// SPDX-License-Identifier: GPL-2.0

//! Files.

mod operations;

pub use operations::{
    FileOperations,
    FileOwned,
    KiocbExt,
    Operations,
    PollTable, //
};
