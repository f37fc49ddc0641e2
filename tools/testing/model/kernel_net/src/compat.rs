// SPDX-License-Identifier: GPL-2.0

//! What not all kernels have.

use kernel::error::Error;

/// Returns `ENOLINK`.
pub fn enolink() -> Error {
    Error::from_errno(-(bindings_net::ENOLINK as i32))
}

/// Returns `ENETDOWN`.
pub fn enetdown() -> Error {
    Error::from_errno(-(bindings_net::ENETDOWN as i32))
}
