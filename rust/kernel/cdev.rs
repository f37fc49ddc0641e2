// SPDX-License-Identifier: GPL-2.0

//! Character devices.
//!
//! Unsafe: the memory of a `struct cdev` is a driver's, which alone knows when it goes.
//!
//! C headers: [`include/linux/cdev.h`](srctree/include/linux/cdev.h),
//! [`include/linux/kdev_t.h`](srctree/include/linux/kdev_t.h)

use crate::fs::{
    FileOperations,
    Operations, //
};
use bindings_net as bindings;
use kernel::{
    error::to_result,
    prelude::*,
    str::CStr, //
};

/// How many minor numbers a major number has.
pub const MINORS: u32 = 1 << bindings::MINORBITS;

/// Minor numbers that hardly ever are interface indices: of a network device's node, if the number
/// that is the index is taken by a device in another network namespace, or there is none.
pub const SPARE_MINORS: core::ops::Range<u32> = MINORS / 2..MINORS;

/// A device number (`dev_t`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceNumber(bindings::dev_t);

impl DeviceNumber {
    /// Combines a major and a minor number (`MKDEV()`).
    pub const fn new(major: u32, minor: u32) -> Self {
        Self((major << bindings::MINORBITS) | (minor & (MINORS - 1)))
    }

    /// Creates a device number from a `dev_t`.
    pub const fn from_raw(raw: bindings::dev_t) -> Self {
        Self(raw)
    }

    /// Returns the `dev_t`.
    pub const fn as_raw(self) -> bindings::dev_t {
        self.0
    }

    /// Returns the major number.
    pub const fn major(self) -> u32 {
        self.0 >> bindings::MINORBITS
    }

    /// Returns the minor number.
    pub const fn minor(self) -> u32 {
        self.0 & (MINORS - 1)
    }
}

/// Allocates a major number with all its minor numbers, for devices with some operations.
///
/// Returns the device number of minor 0. Nodes can be opened from here on.
///
/// # Errors
///
/// `EBUSY` if there is no major number left, `ENOMEM`.
///
/// # Safety
///
/// * `cdev` must be valid for writing, and stay so until it is given to [`remove`].
/// * `module` must be the module that does so before it goes.
pub unsafe fn add<T: Operations>(
    cdev: *mut bindings::cdev,
    name: &CStr,
    operations: &'static FileOperations<T>,
    module: *mut bindings::module,
) -> Result<DeviceNumber> {
    let mut number = 0;
    // SAFETY: `number` is a local variable, and the name is copied.
    to_result(unsafe {
        bindings::alloc_chrdev_region(&mut number, 0, MINORS, name.as_char_ptr())
    })?;
    // SAFETY: By the safety requirements of this function.
    let added = to_result(unsafe {
        bindings::cdev_init(cdev, operations.as_raw());
        (*cdev).owner = module;
        bindings::cdev_add(cdev, number, MINORS)
    });
    if let Err(error) = added {
        // SAFETY: The numbers were allocated above.
        unsafe { bindings::unregister_chrdev_region(number, MINORS) };
        return Err(error);
    }
    Ok(DeviceNumber(number))
}

/// Frees what [`add`] has allocated. Files that are open stay so.
///
/// # Safety
///
/// `cdev` and `number` must come from a successful call of [`add`], and not be removed yet.
pub unsafe fn remove(cdev: *mut bindings::cdev, number: DeviceNumber) {
    // SAFETY: By the safety requirements of this function.
    unsafe {
        bindings::cdev_del(cdev);
        bindings::unregister_chrdev_region(number.as_raw(), MINORS);
    }
}
