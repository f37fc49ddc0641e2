// SPDX-License-Identifier: GPL-2.0

//! Additions to the `kernel` crate's errors.

use kernel::prelude::*;

/// Converts what a C function returns, without a call if that is zero (`kernel::error::to_result`).
#[inline(always)]
pub(crate) fn to_result(returned: c_int) -> Result {
    if returned == 0 {
        Ok(())
    } else {
        kernel::error::to_result(returned)
    }
}
