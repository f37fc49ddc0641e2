// SPDX-License-Identifier: GPL-2.0
//! Files on their way from one program to another.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::cmsg_space;
use nix::sys::socket::{
    recvmsg, sendmsg, socketpair, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags,
    SockFlag, SockType,
};

use super::tap::Tap;

/// Closes the file while it is under way.
pub fn over_a_socket(tap: Tap) -> OwnedFd {
    let (near, far) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .expect("a pair of sockets");
    let files = [tap.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&files)];
    let bytes = [IoSlice::new(&[0])];
    let none = MsgFlags::empty();
    sendmsg::<()>(near.as_raw_fd(), &bytes, &control, none, None).expect("sendmsg");
    drop(tap);

    let mut space = cmsg_space!([i32; 1]);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let message =
        recvmsg::<()>(far.as_raw_fd(), &mut bytes, Some(&mut space), none).expect("recvmsg");
    let control = message.cmsgs().expect("whole control messages").next();
    match control {
        Some(ControlMessageOwned::ScmRights(files)) => {
            // SAFETY: The descriptor is new and nobody else's.
            unsafe { OwnedFd::from_raw_fd(files[0]) }
        }
        other => panic!("{other:?} instead of a file"),
    }
}
