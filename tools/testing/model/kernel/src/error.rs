// SPDX-License-Identifier: GPL-2.0

//! Errors.

use crate::ffi::c_int;
use core::{
    convert::Infallible,
    num::{
        NonZeroI32,
        TryFromIntError, //
    },
};

/// An error number of C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(NonZeroI32);

/// What may have failed with an [`Error`].
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

pub const EAGAIN: Error = Error::from_errno(-11);
pub const ENOMEM: Error = Error::from_errno(-12);
pub const EFAULT: Error = Error::from_errno(-14);
pub const EBUSY: Error = Error::from_errno(-16);
pub const EINVAL: Error = Error::from_errno(-22);

impl Error {
    /// Converts what a C function has returned.
    pub const fn from_errno(errno: c_int) -> Self {
        assert!(errno < 0);
        match NonZeroI32::new(errno) {
            Some(errno) => Self(errno),
            None => unreachable!(),
        }
    }

    /// Returns the negative number.
    pub const fn to_errno(self) -> c_int {
        self.0.get()
    }
}

impl From<TryFromIntError> for Error {
    fn from(_: TryFromIntError) -> Self {
        EINVAL
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Converts what a C function has returned.
pub fn to_result(err: c_int) -> Result {
    if err < 0 {
        Err(Error::from_errno(err))
    } else {
        Ok(())
    }
}
