// SPDX-License-Identifier: GPL-2.0

//! The operations of a character device's files.
//!
//! Unsafe: callbacks with a file, one pointer of which is what a driver made of it.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h)

use super::AsyncFiles;
use crate::{
    cdev::DeviceNumber,
    compat::ModuleMetadata,
    wait::{
        PollEvents,
        WaitQueue, //
    },
};
use bindings_net as bindings;
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    fs::Kiocb,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    types::ForeignOwnable, //
};

/// What an open file can own.
///
/// # Safety
///
/// [`async_files`](Self::async_files) must return the same list each time, which stays until the value
/// is dropped.
pub unsafe trait FileOwned: ForeignOwnable {
    /// Makes an open file the owner of this.
    ///
    /// # Errors
    ///
    /// `EBUSY` if another one is.
    ///
    /// # Safety
    ///
    /// `file` must be valid until [`unset_file`](Self::unset_file), and for a grace period longer.
    unsafe fn set_file(&self, file: *mut bindings::file) -> Result;

    /// No file owns this any more.
    ///
    /// # Safety
    ///
    /// The owner must be closing, so that nobody uses it.
    unsafe fn unset_file(&self);

    /// Returns the list that the file is on while it has `O_ASYNC`.
    fn async_files<'a>(borrowed: &'a Self::Borrowed<'_>) -> &'a AsyncFiles;
}

/// What can be done with the open files of a character device.
///
/// The C table is [`FileOperations`].
pub trait Operations: Sized {
    /// What an open file owns.
    type Ptr: FileOwned + Send + Sync;

    /// The module that the operations are in. Each open file pins it.
    type OwnerModule: ModuleMetadata;

    /// Whether reads and writes honour `IOCB_NOWAIT`.
    const NOWAIT: bool;

    /// Opens a file of the node with a device number. Opening fails with `EBUSY` if what this returns
    /// has an owner.
    fn open(number: DeviceNumber) -> Result<Self::Ptr>;

    /// Closes a file: nobody uses it any more.
    fn release(ptr: Self::Ptr);

    /// Reads from a file.
    fn read_iter(kiocb: &mut Kiocb<'_, Self::Ptr>, to: &mut IovIterDest<'_>) -> Result<usize>;

    /// Writes to a file.
    fn write_iter(kiocb: &mut Kiocb<'_, Self::Ptr>, from: &mut IovIterSource<'_>) -> Result<usize>;

    /// Returns which events a file is ready for, and registers for others with `table`.
    fn poll<'a>(
        ptr: <Self::Ptr as ForeignOwnable>::Borrowed<'a>,
        table: &PollTable<'a>,
    ) -> PollEvents;

    /// Handles an ioctl. 32-bit callers come here as well, with their pointers extended.
    fn ioctl(ptr: <Self::Ptr as ForeignOwnable>::Borrowed<'_>, cmd: u32, arg: usize) -> Result;
}

/// The C table of a device's [`Operations`] (`struct file_operations`). Declare it as a `static`.
///
/// # Invariants
///
/// The table is that of `T`.
#[repr(transparent)]
pub struct FileOperations<T> {
    table: bindings::file_operations,
    _operations: PhantomData<T>,
}

// SAFETY: The table is constant.
unsafe impl<T> Sync for FileOperations<T> {}

impl<T: Operations> FileOperations<T> {
    /// Creates the table of `T`.
    pub const fn new() -> Self {
        let mut table: bindings::file_operations = pin_init::zeroed();
        table.owner = T::OwnerModule::THIS_MODULE.as_ptr();
        table.open = Some(Self::open);
        table.release = Some(Self::release);
        table.read_iter = Some(Self::read_iter);
        table.write_iter = Some(Self::write_iter);
        table.poll = Some(Self::poll);
        table.fasync = Some(Self::fasync);
        table.unlocked_ioctl = Some(Self::ioctl);
        table.compat_ioctl = bindings::compat_ptr_ioctl;
        // INVARIANT: All callbacks are those of `T`.
        Self {
            table,
            _operations: PhantomData,
        }
    }

    /// Returns the C table.
    pub const fn as_raw(&'static self) -> *const bindings::file_operations {
        &raw const self.table
    }

    /// Returns what a file owns; `None` if it is not one with this table.
    ///
    /// # Safety
    ///
    /// `file` must point to a file that stays open during `'a`.
    pub unsafe fn data_of<'a>(
        &'static self,
        file: *const bindings::file,
    ) -> Option<<T::Ptr as ForeignOwnable>::Borrowed<'a>> {
        // SAFETY: By the safety requirements of this function, the file is valid; neither field
        // changes while it is open.
        let (table, private) = unsafe { ((*file).f_op, (*file).private_data) };
        if !core::ptr::eq(table, self.as_raw()) || private.is_null() {
            return None;
        }
        // SAFETY: By the type invariants, `open` has stored this, and the file stays open.
        Some(unsafe { T::Ptr::borrow(private) })
    }

    /// # Safety
    ///
    /// `inode` and `file` must be valid, for a file that is being opened with this table.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        from_result(|| {
            // SAFETY: By the safety requirements of this function.
            let number = DeviceNumber::from_raw(unsafe { (*inode).i_rdev });
            let ptr = T::open(number)?;
            // SAFETY: As above: `release` comes before the end of the file, whose memory is not
            // reused for anything else within a grace period (`SLAB_TYPESAFE_BY_RCU`). A file that
            // is being opened is not used by anyone else.
            unsafe {
                ptr.set_file(file)?;
                (*file).private_data = ptr.into_foreign();
                if T::NOWAIT {
                    (*file).f_mode |= bindings::FMODE_NOWAIT;
                }
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `file` must be valid, for a file that was opened with this table and is being released.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements of this function, `open` has stored this, and nobody
        // borrows it any more.
        let ptr = unsafe { T::Ptr::from_foreign((*file).private_data) };
        // SAFETY: By the safety requirements of this function; `open` has made it the owner.
        unsafe { ptr.unset_file() };
        T::release(ptr);
        0
    }

    /// # Safety
    ///
    /// `kiocb` must be valid, for a file opened with this table, and so must `iter`, to write to.
    unsafe extern "C" fn read_iter(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: By the safety requirements of this function.
        let (mut kiocb, iter) = unsafe { (Kiocb::from_raw(kiocb), IovIterDest::from_raw(iter)) };
        match T::read_iter(&mut kiocb, iter) {
            Ok(len) => len as isize,
            Err(error) => error.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `kiocb` must be valid, for a file opened with this table, and so must `iter`, to read from.
    unsafe extern "C" fn write_iter(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: By the safety requirements of this function.
        let (mut kiocb, iter) = unsafe { (Kiocb::from_raw(kiocb), IovIterSource::from_raw(iter)) };
        match T::write_iter(&mut kiocb, iter) {
            Ok(len) => len as isize,
            Err(error) => error.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `file` must be valid, for a file opened with this table, and `table` null or valid.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: By the safety requirements of this function, `open` has stored this, and the
        // file stays open meanwhile.
        let ptr = unsafe { T::Ptr::borrow((*file).private_data) };
        let table = PollTable {
            file,
            table,
            _file: PhantomData,
        };
        T::poll(ptr, &table).bits()
    }

    /// # Safety
    ///
    /// `file` must be valid, for a file opened with this table.
    unsafe extern "C" fn fasync(fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: By the safety requirements of this function, `open` has stored this, and the
        // file stays open meanwhile.
        let ptr = unsafe { T::Ptr::borrow((*file).private_data) };
        let files = T::Ptr::async_files(&ptr);
        // SAFETY: As above. The list is the same each time and stays until `release`, before which
        // the file is taken off it.
        unsafe { bindings::fasync_helper(fd, file, on, files.as_raw()) }
    }

    /// # Safety
    ///
    /// `file` must be valid, for a file opened with this table.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: By the safety requirements of this function, `open` has stored this, and the
        // file stays open meanwhile.
        let ptr = unsafe { T::Ptr::borrow((*file).private_data) };
        match T::ioctl(ptr, cmd, arg) {
            Ok(()) => 0,
            Err(error) => error.to_errno() as c_long,
        }
    }
}

impl<T: Operations> Default for FileOperations<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a poll callback registers for wake-ups (`struct poll_table_struct`).
///
/// # Invariants
///
/// `file` is valid and being polled, and `table` is null or valid. What is borrowed for all of
/// `'a` is owned by the file, and stays until it is released.
pub struct PollTable<'a> {
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
    // Invariant in `'a`: a shorter one would let in a wait queue that does not live long enough.
    _file: PhantomData<fn(&'a WaitQueue) -> &'a WaitQueue>,
}

impl<'a> PollTable<'a> {
    /// Registers for the wake-ups of a wait queue that belongs to the file.
    #[inline]
    pub fn register(&self, wait_queue: &'a WaitQueue) {
        // SAFETY: By the type invariants, the table is null or valid.
        if unsafe { self.table.as_ref() }.is_none_or(|table| table._qproc.is_none()) {
            // The poller only looks.
            return;
        }
        // SAFETY: By the type invariants, the file and the table are valid. The wait queue lives
        // until the file is released, when all registrations are gone.
        unsafe { bindings::poll_wait(self.file, wait_queue.as_raw(), self.table) };
    }
}

/// Additions to [`Kiocb`].
pub trait KiocbExt {
    /// Returns whether the caller does not want to wait: the file is open with `O_NONBLOCK`, or
    /// the request has `IOCB_NOWAIT`.
    fn nonblock(&self) -> bool;

    /// Returns whether the request has `IOCB_NOWAIT`, be the file as it may.
    fn nowait(&self) -> bool;
}

impl<T: ForeignOwnable> KiocbExt for Kiocb<'_, T> {
    #[inline]
    fn nonblock(&self) -> bool {
        // SAFETY: By the type invariants of `Kiocb`, it is valid, and so is its file, whose flags
        // change while they are read.
        let flags = unsafe {
            let file = (*self.as_raw()).ki_filp;
            core::ptr::read_volatile(&raw const (*file).f_flags)
        };
        self.nowait() || flags & kernel::fs::file::flags::O_NONBLOCK != 0
    }

    #[inline]
    fn nowait(&self) -> bool {
        // SAFETY: By the type invariants of `Kiocb`, it is valid.
        let flags = unsafe { (*self.as_raw()).ki_flags };
        flags & bindings::IOCB_NOWAIT != 0
    }
}
