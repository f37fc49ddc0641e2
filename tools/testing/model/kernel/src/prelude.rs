// SPDX-License-Identifier: GPL-2.0

//! The names that are everywhere in the kernel's Rust code.

pub use crate::{
    error::{
        Error,
        Result,
        EAGAIN,
        EBUSY,
        EFAULT,
        EINVAL,
        ENOMEM, //
    },
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    try_pin_init,
};
pub use core::pin::Pin;
pub use pinned_init::{
    pin_data,
    PinInit, //
};
