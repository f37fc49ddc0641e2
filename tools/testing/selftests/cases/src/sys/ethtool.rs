// SPDX-License-Identifier: GPL-2.0
//! Offloads of a link, switched as `ethtool -K` does.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{socket, AddressFamily, SockFlag, SockType};

use super::link::Link;

const ETHTOOL_GRXCSUM: u32 = 0x14;
const ETHTOOL_SRXCSUM: u32 = 0x15;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;

const ETH_FLAG_LRO: u32 = 1 << 15;

/// The link completes checksums and segments before it transmits.
pub fn disable_transmit_offloads(link: &Link) {
    // Turned off from the highest to the one that it needs.
    for command in [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM] {
        request(link, command, 0);
    }
}

pub fn set_receive_checksums(link: &Link, on: bool) {
    request(link, ETHTOOL_SRXCSUM, u32::from(on));
}

pub fn receive_checksums(link: &Link) -> bool {
    request(link, ETHTOOL_GRXCSUM, 0) != 0
}

pub fn gro(link: &Link) -> bool {
    request(link, ETHTOOL_GGRO, 0) != 0
}

pub fn enable_gro(link: &Link) {
    request(link, ETHTOOL_SGRO, 1);
}

pub fn lro(link: &Link) -> bool {
    request(link, ETHTOOL_GFLAGS, 0) & ETH_FLAG_LRO != 0
}

/// Returns the value that the kernel leaves there.
fn request(link: &Link, command: u32, value: u32) -> u32 {
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
    value.value
}
