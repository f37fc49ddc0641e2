// SPDX-License-Identifier: GPL-2.0
//! SCTP, of which a first packet is enough.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{connect as connect_to, SockaddrIn};

const PORT: u16 = 5000;

/// A socket that has asked `host` for a connection, and got no answer yet.
pub fn connect(host: Ipv4Addr) -> OwnedFd {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, libc::IPPROTO_SCTP) };
    Errno::result(fd).expect("an SCTP socket");
    // SAFETY: The descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let [a, b, c, d] = host.octets();
    let done = connect_to(socket.as_raw_fd(), &SockaddrIn::new(a, b, c, d, PORT));
    assert_eq!(done, Err(Errno::EINPROGRESS));
    socket
}
