// SPDX-License-Identifier: GPL-2.0

//! The operations of a socket that is a file's, as other kernel code calls them.
//!
//! Unsafe: callbacks with a socket and a message, whose control data is a pointer.
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/linux/if_tun.h`](srctree/include/uapi/linux/if_tun.h)

use super::Sock;
use crate::{
    compat::ModuleMetadata,
    net::{
        DropReason,
        SkBuff,
        XdpFrame,
        ZeroCopy, //
    },
};
use bindings_net as bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_result,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    str::CStr, //
};

/// Data that an RCU callback may drop.
///
/// # Safety
///
/// Dropping a value must not sleep.
pub unsafe trait RcuDrop {}

/// A protocol: the data behind its sockets, and what can be done with them.
///
/// The callers are those of `tun_get_socket()` and `tap_get_socket()`, and the messages are theirs:
/// a packet with what the file's users see before it, per message.
pub trait SocketOps: RcuDrop + Sized + Send + Sync + 'static {
    /// The protocol's name.
    const NAME: &'static CStr;

    /// The module that the operations are in. Each socket pins it.
    type OwnerModule: ModuleMetadata;

    /// Sends one packet, all of `from`, and returns its length.
    ///
    /// With a `sender`, the packet may have its pages, and is given the sender then; after that it
    /// cannot fail any more.
    fn sendmsg(
        sock: &Sock<Self>,
        from: &mut IovIterSource<'_>,
        sender: &mut Option<ZeroCopy>,
        nonblock: bool,
    ) -> Result<usize>;

    /// Sends one packet that lies in memory of the kernel. Nobody is told if that fails.
    fn send_frame(sock: &Sock<Self>, frame: XdpFrame);

    /// Receives one packet, `skb` if it is given, and returns its length, even if `to` has less
    /// room.
    fn recvmsg(
        sock: &Sock<Self>,
        skb: Option<SkBuff>,
        to: &mut IovIterDest<'_>,
        nonblock: bool,
    ) -> Result<usize>;

    /// Returns the length of the packet that is to be received next; zero if there is none.
    fn peek_len(sock: &Sock<Self>) -> c_int;
}

impl<T: SocketOps> Sock<T> {
    pub(super) const PROTO: &'static bindings::proto = &{
        let mut proto: bindings::proto = pin_init::zeroed();
        let name = T::NAME.to_bytes_with_nul();
        let mut i = 0;
        #[expect(
            clippy::indexing_slicing,
            reason = "this is a constant: too long a name does not compile"
        )]
        while i < name.len() {
            proto.name[i] = name[i] as c_char;
            i += 1;
        }
        proto.owner = T::OwnerModule::THIS_MODULE.as_ptr();
        proto.obj_size = size_of::<Self>() as u32;
        proto
    };

    pub(super) const SOCKET_OPS: &'static bindings::proto_ops = &{
        let mut ops: bindings::proto_ops = pin_init::zeroed();
        ops.sendmsg = Some(Self::sendmsg_callback);
        ops.recvmsg = Some(Self::recvmsg_callback);
        ops.peek_len = Some(Self::peek_len_callback);
        ops
    };

    /// # Safety
    ///
    /// `control` must be a batch of frames, which are handed over.
    unsafe fn send_batch(&self, control: &bindings::tun_msg_ctl) {
        let frames = control.ptr.cast::<bindings::xdp_buff>();
        for i in 0..usize::from(control.num) {
            // SAFETY: By the safety requirements of this function, there are that many frames.
            T::send_frame(self, unsafe { XdpFrame::from_raw(frames.add(i)) });
        }
    }

    /// # Safety
    ///
    /// `socket` must be that of a valid `Sock<T>`, and `msg` a valid message to send, whose
    /// control data is null or a valid `struct tun_msg_ctl`. What `ubuf_info` that has is for this
    /// to complete, unless it returns an error.
    unsafe extern "C" fn sendmsg_callback(
        socket: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        _total_len: usize,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the safety requirements of this function.
            let this = unsafe { Self::from_socket(socket) };
            // SAFETY: As above.
            let (control, control_len, flags) = unsafe {
                (
                    (*msg).__bindgen_anon_1.msg_control,
                    (*msg).msg_controllen,
                    (*msg).msg_flags,
                )
            };
            // SAFETY: As above.
            let control = unsafe { control.cast::<bindings::tun_msg_ctl>().as_ref() };
            if let Some(control) = control {
                let batch = u32::from(control.type_) == bindings::TUN_MSG_PTR;
                if control_len == size_of::<bindings::tun_msg_ctl>() && batch {
                    // SAFETY: By the safety requirements of this function.
                    unsafe { this.send_batch(control) };
                    return Ok(0);
                }
            }
            // SAFETY: As above.
            let from = unsafe { IovIterSource::from_raw(&raw mut (*msg).msg_iter) };
            let len = from.len();
            // Now, because no error may follow when the sender was told.
            c_int::try_from(len).map_err(|_| EMSGSIZE)?;

            let waits = control
                .filter(|control| u32::from(control.type_) == bindings::TUN_MSG_UBUF)
                .and_then(|control| NonNull::new(control.ptr.cast()));
            // SAFETY: By the safety requirements of this function. If this fails, which is said to
            // the caller, that completes it.
            let mut sender = waits.map(|waits| unsafe { ZeroCopy::from_raw(waits) });
            let nonblock = flags & bindings::MSG_DONTWAIT != 0;
            let sent = T::sendmsg(this, from, &mut sender, nonblock);
            let sent = match waits {
                None => sent,
                Some(waits) => match sender.filter(|sender| sender.is(waits)) {
                    // The packet has it: so it was sent, and the caller must not be told otherwise.
                    None => Ok(len),
                    Some(sender) => {
                        if sent.is_err() {
                            // The caller completes it.
                            let _ = sender.into_raw();
                        }
                        sent
                    }
                },
            };
            // CAST: The message is not longer than that.
            Ok(sent?.min(len) as c_int)
        })
    }

    /// # Safety
    ///
    /// `socket` must be that of a valid `Sock<T>`, and `msg` a valid message to receive into,
    /// whose control data is null or a packet, which this takes over.
    unsafe extern "C" fn recvmsg_callback(
        socket: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        total_len: usize,
        flags: c_int,
    ) -> c_int {
        const DONTWAIT: c_int = bindings::MSG_DONTWAIT as c_int;
        const TRUNC: c_int = bindings::MSG_TRUNC as c_int;

        from_result(|| {
            // SAFETY: By the safety requirements of this function.
            let this = unsafe { Self::from_socket(socket) };
            // SAFETY: As above.
            let control = unsafe { (*msg).__bindgen_anon_1.msg_control };
            let skb = NonNull::new(control)
                // SAFETY: By the safety requirements of this function, this is a packet.
                .map(|skb| unsafe { SkBuff::from_raw(skb.as_ptr().cast()) });
            if flags & !(DONTWAIT | TRUNC) != 0 {
                if let Some(skb) = skb {
                    skb.drop_reason(DropReason::NotSpecified);
                }
                return Err(EINVAL);
            }
            // SAFETY: By the safety requirements of this function.
            let to = unsafe { IovIterDest::from_raw(&raw mut (*msg).msg_iter) };
            let mut len = T::recvmsg(this, skb, to, flags & DONTWAIT != 0)?;
            if len > total_len {
                // SAFETY: As above.
                unsafe { (*msg).msg_flags |= bindings::MSG_TRUNC };
                if flags & TRUNC == 0 {
                    len = total_len;
                }
            }
            Ok(c_int::try_from(len)?)
        })
    }

    /// # Safety
    ///
    /// `socket` must be that of a valid `Sock<T>`.
    unsafe extern "C" fn peek_len_callback(socket: *mut bindings::socket) -> c_int {
        // SAFETY: By the safety requirements of this function.
        T::peek_len(unsafe { Self::from_socket(socket) })
    }
}
