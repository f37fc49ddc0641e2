// SPDX-License-Identifier: GPL-2.0

//! Sockets.
//!
//! Unsafe: C allocates, counts and frees sockets, and finds data behind them by address.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/linux/net.h`](srctree/include/linux/net.h)

mod ops;
mod reference;

pub use ops::{
    RcuDrop,
    SocketOps, //
};
pub use reference::{
    SockBorrow,
    SockRef, //
};

use super::{
    rtnl::{
        Linked,
        Links, //
    },
    DropReason,
    Namespace,
    SkBuff, //
};
use crate::{
    compat::raw_try_init,
    error::to_result,
    fs::AsyncFiles,
    sync::Reference,
    wait::{
        PollEvents,
        WaitQueue, //
    },
};
use bindings_net as bindings;
use core::{
    mem::offset_of,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
    sync::atomic::{
        fence,
        Ordering, //
    }, //
};
use kernel::{
    iov::IovIterSource,
    prelude::*,
    types::Opaque, //
};

/// The flags of those who wait for room, in `socket.flags`.
const NOSPACE: c_ulong = 1 << bindings::SOCKWQ_ASYNC_NOSPACE | 1 << bindings::SOCK_NOSPACE;

/// A socket that no user sees as one, with its protocol's data `T` behind it.
///
/// It is reference counted, see [`SockRef`]. Packets sent through it keep its memory, too, until
/// they are freed. When all are gone it is freed after a grace period, so it may be found under
/// RCU.
///
/// # Invariants
///
/// * `sk` and `socket` are initialised, and refer to each other.
/// * `data` is initialised and pinned.
/// * `SOCK_RCU_FREE` is set.
/// * `socket.file` is the open file that owns the socket, or null.
#[repr(C)]
pub struct Sock<T: SocketOps> {
    // First: a pointer to this is a pointer to the whole.
    sk: Opaque<bindings::sock>,
    socket: Opaque<bindings::socket>,
    links: Links,
    data: T,
}

// SAFETY: `struct sock` may be used on any thread, and so may `T`.
unsafe impl<T: SocketOps> Send for Sock<T> {}
// SAFETY: As above: the methods below only use what has its own synchronisation.
unsafe impl<T: SocketOps> Sync for Sock<T> {}

impl<T: SocketOps> SockRef<T> {
    /// Creates a socket in a network namespace.
    ///
    /// It belongs to the task's file system user, and has a send buffer of the default size.
    /// `zero_copy` tells senders that it does not copy what they can do without.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `data` returns.
    pub fn new(
        namespace: &Namespace,
        zero_copy: bool,
        data: impl PinInit<T, Error>,
    ) -> Result<Self> {
        const {
            assert!(offset_of!(Sock<T>, sk) == 0);
        }
        // SAFETY: The namespace is valid, and so is the protocol, whose `obj_size` makes this a
        // zeroed allocation of the size of `Sock<T>`. `kmalloc()` aligns an allocation to the
        // largest power of two that divides its size, and thus to the alignment of `Sock<T>`.
        let sk = unsafe {
            bindings::sk_alloc(
                namespace.as_raw(),
                bindings::AF_UNSPEC as c_int,
                bindings::GFP_KERNEL,
                ptr::from_ref(Sock::<T>::PROTO).cast_mut(),
                0,
            )
        };
        let this = NonNull::new(sk.cast::<Sock<T>>()).ok_or(ENOMEM)?.as_ptr();

        // SAFETY: `this` is valid for writing, and not moved from here on.
        let data = unsafe { raw_try_init(&raw mut (*this).data, data) };
        if let Err(error) = data {
            // SAFETY: This is the only reference; nothing destructs `data`, because `sk_destruct`
            // is not set yet.
            unsafe { bindings::sk_free(sk) };
            return Err(error);
        }

        // SAFETY: `this` is valid for writing, and nobody else knows of it. The fields of `socket`
        // are initialised before `sock_init_data_uid()` connects it with `sk`.
        unsafe {
            let socket = Opaque::cast_into(&raw const (*this).socket);
            bindings::init_waitqueue_head(&raw mut (*socket).wq.wait);
            (*socket).type_ = bindings::sock_type_SOCK_RAW as i16;
            (*socket).state = bindings::socket_state_SS_CONNECTED;
            (*socket).ops = Sock::<T>::SOCKET_OPS;
            bindings::sock_init_data_uid(socket, sk.cast(), bindings::current_fsuid());
            (*sk).sk_write_space = Some(Sock::<T>::write_space);
            (*sk).sk_destruct = Some(Sock::<T>::destruct);
            bindings::sock_set_flag(sk, bindings::sock_flags_SOCK_RCU_FREE);
            if zero_copy {
                bindings::sock_set_flag(sk, bindings::sock_flags_SOCK_ZEROCOPY);
            }
            (&raw mut (*this).links).write(Links::new());
        }
        // INVARIANT: Everything is initialised, and the flag is set.
        // SAFETY: `sock_init_data_uid()` has left one reference, which this takes over.
        Ok(unsafe { Self::from_raw(NonNull::new_unchecked(this)) })
    }
}

impl<T: SocketOps> Sock<T> {
    // C code gives these pointers back, and then they stand for the whole: so they are derived from
    // a pointer to that, not from a reference of a field.

    #[inline]
    fn sk(&self) -> *mut bindings::sock {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// Returns the C socket.
    #[inline]
    pub fn as_socket(&self) -> *mut bindings::socket {
        // SAFETY: The pointer comes from a reference.
        Opaque::cast_into(unsafe { &raw const (*ptr::from_ref(self)).socket })
    }

    /// Returns the data of the socket whose C socket this is.
    ///
    /// # Safety
    ///
    /// `socket` must be what [`as_socket`](Self::as_socket) returned for a `Sock<T>` that stays
    /// referenced during `'a`.
    pub unsafe fn from_socket<'a>(socket: *mut bindings::socket) -> &'a Self {
        // SAFETY: By the safety requirements of this function, `socket` is that field of a valid
        // value.
        unsafe { &*socket.byte_sub(offset_of!(Self, socket)).cast() }
    }

    /// Returns the queue on which readers and writers wait.
    #[inline]
    pub fn wait_queue(&self) -> &WaitQueue {
        // SAFETY: By the type invariants, the wait queue is initialised; it lives as long as
        // `self`.
        unsafe { WaitQueue::from_raw(&raw mut (*self.as_socket()).wq.wait) }
    }

    /// Returns the list of files with `O_ASYNC`.
    #[inline]
    pub fn async_files(&self) -> &AsyncFiles {
        // SAFETY: By the type invariants, the list is valid; it lives as long as `self`. Only
        // `FileOperations` puts files on it, and takes them off before they are released.
        unsafe { AsyncFiles::from_raw(&raw mut (*self.as_socket()).wq.fasync_list) }
    }

    /// Tells who waits for one of `events`, in a call, by a poller, or for a signal.
    ///
    /// What they are to see must have been written before.
    #[inline]
    pub fn wake_up(&self, events: PollEvents) {
        self.wait_queue().wake_up(events);
        self.async_files().signal(events);
    }

    /// Sets how many bytes of packets may be on their way out before writers wait. Those who wait
    /// are woken if there is room now.
    pub fn set_send_buffer(&self, bytes: i32) {
        // SAFETY: By the type invariants, the field is valid; it is read while it changes.
        unsafe { ptr::write_volatile(&raw mut (*self.sk()).sk_sndbuf, bytes) };
        self.wake_writers();
    }

    /// Lets nobody send any more, and wakes everybody who waits: readers and writers, to look again,
    /// and pollers, with [`PollEvents::ERROR`], and because nobody waits to write any more.
    ///
    /// What readers and pollers are to see must have been written before.
    pub fn shut_down(&self) {
        // SAFETY: By the type invariants, the field is valid. It is read while it changes, which it
        // does here only, and to this value.
        unsafe { ptr::write_volatile(&raw mut (*self.sk()).sk_shutdown, bindings::SEND_SHUTDOWN) };
        self.wake_up(PollEvents::ERROR.and(PollEvents::WAKE_WRITERS));
    }

    /// Wakes those who wait for room in the send buffer, if there is any.
    #[inline]
    fn wake_writers(&self) {
        if !self.is_writable() {
            return;
        }
        // Before the flags are looked at, the room must be there to be seen: who sets one looks for
        // room after that.
        fence(Ordering::SeqCst);
        // SAFETY: By the type invariants, the field is valid. It is read while it changes.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_socket()).flags) };
        if flags & NOSPACE != 0 {
            self.wake_who_waits();
        }
    }

    #[cold]
    fn wake_who_waits(&self) {
        // Pollers set the one, and writers that wait the other.
        let polled = self.test_and_clear_flag(bindings::SOCKWQ_ASYNC_NOSPACE);
        let waited_for = self.test_and_clear_flag(bindings::SOCK_NOSPACE);
        if polled || waited_for {
            self.wake_up(PollEvents::WAKE_WRITERS);
        }
    }

    /// Returns whether a write would not wait: there is room, or nobody may send any more. If it
    /// would, those who wait for room are woken when there is.
    #[inline]
    pub fn poll_writable(&self) -> bool {
        self.is_writable() || self.poll_full()
    }

    #[cold]
    fn poll_full(&self) -> bool {
        // SAFETY: By the type invariants, the field is valid. It is read while it changes.
        let shutdown = unsafe { ptr::read_volatile(&raw const (*self.sk()).sk_shutdown) };
        if shutdown & bindings::SEND_SHUTDOWN != 0 {
            return true;
        }
        // SAFETY: By the type invariants, the field is valid.
        let was_set = unsafe {
            let flags = &raw mut (*self.as_socket()).flags;
            bindings::test_and_set_bit(bindings::SOCKWQ_ASYNC_NOSPACE, flags)
        };
        // Room may have been made before the flag was set.
        !was_set && self.is_writable()
    }

    /// `sock_writeable()`.
    #[inline]
    fn is_writable(&self) -> bool {
        // SAFETY: By the type invariants, the fields are valid. They are read while they change.
        let (used, size) = unsafe {
            let sk = self.sk();
            (
                ptr::read_volatile(&raw const (*sk).sk_wmem_alloc.refs.counter),
                ptr::read_volatile(&raw const (*sk).sk_sndbuf),
            )
        };
        used < size >> 1
    }

    /// Clears a bit of `socket.flags` and returns whether it was set.
    #[inline]
    fn test_and_clear_flag(&self, bit: c_long) -> bool {
        // SAFETY: By the type invariants, the field is valid.
        unsafe { bindings::test_and_clear_bit(bit, &raw mut (*self.as_socket()).flags) }
    }

    /// Allocates a packet, charged to the socket's send buffer, and fills it from `iter`.
    ///
    /// `reserve` bytes are left before it. `linear` of its bytes, or all if that is little, come
    /// into the linear part, the rest into pages.
    ///
    /// Waits for room in the send buffer if `nonblock` is not set.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room and `nonblock` is set, `ERESTARTSYS` if a signal arrives,
    /// `EPIPE` after [`shut_down`](Self::shut_down), `EFAULT` if `iter` cannot be read, `ENOBUFS`,
    /// `EMSGSIZE`.
    #[inline(always)]
    pub fn receive_from(
        &self,
        iter: &mut IovIterSource<'_>,
        reserve: u16,
        linear: usize,
        nonblock: bool,
    ) -> Result<SkBuff> {
        // What a packet's pages can hold.
        const MAX_PAGED: usize = bindings::MAX_SKB_FRAGS as usize
            * (kernel::page::PAGE_SIZE << bindings::PAGE_ALLOC_COSTLY_ORDER);

        let len = iter.len();
        let linear = if usize::from(reserve).saturating_add(len) < kernel::page::PAGE_SIZE {
            // Less than a page: not worth pages of its own.
            len
        } else {
            linear.min(len).max(len.saturating_sub(MAX_PAGED))
        };
        let iter_len = c_int::try_from(len).map_err(|_| EMSGSIZE)?;
        // OVERFLOW: `linear` is a part of `len`.
        let paged = len.wrapping_sub(linear);
        let skb = self.alloc(reserve, linear, paged, nonblock)?;
        // SAFETY: The packet is valid, and nobody else knows it. All of it is written, or it is
        // dropped.
        let copied = unsafe {
            bindings::skb_copy_datagram_from_iter(skb.as_raw(), 0, iter.as_raw(), iter_len)
        };
        Self::filled(skb, copied)
    }

    /// Allocates a packet of `linear` bytes, and `paged` bytes in pages, with `reserve` bytes before
    /// it. Nothing of it has been written.
    #[inline(always)]
    fn alloc(&self, reserve: u16, linear: usize, paged: usize, nonblock: bool) -> Result<SkBuff> {
        let head = usize::from(reserve).checked_add(linear).ok_or(EMSGSIZE)?;
        // C has no more than an `int` for this.
        c_int::try_from(head).map_err(|_| EMSGSIZE)?;

        let mut error = 0;
        // SAFETY: By the type invariants, `sk` is valid.
        let skb = unsafe {
            bindings::sock_alloc_send_pskb(
                self.sk(),
                head,
                paged,
                nonblock.into(),
                &mut error,
                bindings::PAGE_ALLOC_COSTLY_ORDER as c_int,
            )
        };
        let Some(skb) = NonNull::new(skb) else {
            return Err(Error::from_errno(error));
        };
        let skb = skb.as_ptr();
        // SAFETY: The packet is new: its linear part has room for `reserve` and `linear` bytes,
        // and its pages for `paged`.
        unsafe {
            SkBuff::lay_out(skb, reserve.into(), linear as u32, paged as u32);
            Ok(SkBuff::from_raw(skb))
        }
    }

    /// Returns a packet, if what has filled it says that it has.
    #[inline]
    fn filled(skb: SkBuff, result: c_int) -> Result<SkBuff> {
        if let Err(error) = to_result(result) {
            skb.drop_reason(DropReason::SkbUcopyFault);
            return Err(error);
        }
        Ok(skb)
    }

    /// Returns whether senders may ask that what they send is not copied.
    #[inline]
    pub fn zero_copy(&self) -> bool {
        // SAFETY: By the type invariants, `sk` is valid. The flag does not change.
        unsafe { bindings::sock_flag(self.sk(), bindings::sock_flags_SOCK_ZEROCOPY) }
    }

    /// Allocates a packet, charged to the socket's send buffer, whose first `linear` bytes are
    /// copied from `iter`, and whose other bytes stay in the pages in which they are.
    ///
    /// `reserve` bytes are left before it. `linear` is cut to what there is in `iter`, so nothing is
    /// sent that was not written. Waits for room in the send buffer if `nonblock` is not set.
    ///
    /// # Errors
    ///
    /// Those of [`receive_from`](Self::receive_from); `EMSGSIZE` for too many pages.
    pub fn map_from(
        &self,
        iter: &mut IovIterSource<'_>,
        reserve: u16,
        linear: usize,
        nonblock: bool,
    ) -> Result<SkBuff> {
        // C counts what there is by an `int`.
        c_int::try_from(iter.len()).map_err(|_| EMSGSIZE)?;
        let linear = linear.min(iter.len());
        let mut skb = self.alloc(reserve, linear, 0, nonblock)?;
        // SAFETY: The packet is valid, and nobody else knows it. All of its linear part is written,
        // or it is dropped.
        let mapped = unsafe { bindings::zerocopy_sg_from_iter(skb.as_raw(), iter.as_raw()) };
        skb.share_pages();
        Self::filled(skb, mapped)
    }

    /// `sk_write_space`: a packet has left, there may be room for another.
    ///
    /// # Safety
    ///
    /// `sk` must be that of a valid `Sock<T>`.
    unsafe extern "C" fn write_space(sk: *mut bindings::sock) {
        // SAFETY: By the safety requirements of this function; `sk` is the first field.
        unsafe { &*sk.cast::<Self>() }.wake_writers();
    }

    /// `sk_destruct`: the last reference is gone, and a grace period has passed.
    ///
    /// # Safety
    ///
    /// `sk` must be that of a `Sock<T>` that nobody uses any more.
    unsafe extern "C" fn destruct(sk: *mut bindings::sock) {
        let this = sk.cast::<Self>();
        // SAFETY: By the type invariants, `data` is initialised, and nobody uses it any more. It
        // is `RcuDrop`.
        unsafe { ptr::drop_in_place(&raw mut (*this).data) };
    }
}

impl<T: SocketOps> Deref for Sock<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.data
    }
}

// SAFETY: `links` is a field, sockets do not move, and the two functions are inverses.
unsafe impl<T: SocketOps> Linked for Sock<T> {
    type Ref = SockRef<T>;

    unsafe fn links(object: NonNull<Self>) -> *mut Links {
        // SAFETY: By the safety requirements of this function.
        unsafe { &raw mut (*object.as_ptr()).links }
    }

    unsafe fn from_links(links: *mut Links) -> NonNull<Self> {
        // SAFETY: By the safety requirements of this function, `links` is that field of a valid
        // value.
        unsafe { NonNull::new_unchecked(links.byte_sub(offset_of!(Self, links)).cast()) }
    }
}
