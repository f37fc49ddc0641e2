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
    let (near, far) = sockets();
    send(&near, &[&tap]);
    drop(tap);
    receive(&far).pop().expect("a file")
}

/// Two ends of a connection.
pub fn sockets() -> (OwnedFd, OwnedFd) {
    let kind = SockType::Stream;
    socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).expect("a pair of sockets")
}

/// Sends all of them in one message.
pub fn send(socket: &OwnedFd, taps: &[&Tap]) {
    let files: Vec<_> = taps.iter().map(|tap| tap.as_raw_fd()).collect();
    let control = [ControlMessage::ScmRights(&files)];
    let bytes = [IoSlice::new(&[0])];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &bytes,
        &control,
        MsgFlags::empty(),
        None,
    )
    .expect("sendmsg");
}

/// Receives what one message brings.
pub fn receive(socket: &OwnedFd) -> Vec<OwnedFd> {
    let mut space = cmsg_space!([i32; 16]);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let none = MsgFlags::empty();
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut bytes, Some(&mut space), none).expect("recvmsg");
    let control = message.cmsgs().expect("whole control messages").next();
    let Some(ControlMessageOwned::ScmRights(files)) = control else {
        panic!("{control:?} instead of files");
    };
    // SAFETY: The descriptors are new and nobody else's.
    let owned = |file| unsafe { OwnedFd::from_raw_fd(file) };
    files.into_iter().map(owned).collect()
}
