// SPDX-License-Identifier: GPL-2.0
//! Offloads of a link, switched as `ethtool -K` does.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{socket, AddressFamily, SockFlag, SockType};

use super::link::Link;

const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;

/// The link completes checksums and segments before it transmits.
pub fn disable_transmit_offloads(link: &Link) {
    // Turned off from the highest to the one that it needs.
    for command in [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM] {
        set(link, command, 0);
    }
}

fn set(link: &Link, command: u32, value: u32) {
    #[repr(C)]
    struct Value {
        command: u32,
        value: u32,
    }

    #[repr(C)]
    struct Request {
        name: [u8; 16],
        data: *mut Value,
        rest: [u8; 16],
    }

    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a socket");
    let mut value = Value { command, value };
    let mut request = Request {
        name: [0; 16],
        data: &mut value,
        rest: [0; 16],
    };
    request.name[..link.name.len()].copy_from_slice(link.name.as_bytes());
    // SAFETY: The request is laid out as the kernel's ifreq and points to an
    // ethtool_value.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &mut request) };
    Errno::result(done).expect("an ethtool request");
}
