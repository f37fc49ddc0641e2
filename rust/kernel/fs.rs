// SPDX-License-Identifier: GPL-2.0

//! Files.

mod async_files;
mod operations;

pub use async_files::AsyncFiles;
pub use operations::{
    FileOperations,
    FileOwned,
    KiocbExt,
    Operations,
    PollTable, //
};
