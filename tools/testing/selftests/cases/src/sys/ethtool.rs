// SPDX-License-Identifier: GPL-2.0
//! Offloads of a link, switched as `ethtool -K` does.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{socket, AddressFamily, SockFlag, SockType};

use super::link::Link;

const ETHTOOL_GRXCSUM: u32 = 0x14;
const ETHTOOL_SRXCSUM: u32 = 0x15;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_SSG: u32 = 0x19;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;
const ETHTOOL_GFEATURES: u32 = 0x3a;

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

/// What can be switched, each by a request of its own.
pub const SWITCHES: &[(&str, u32)] = &[
    ("rx", ETHTOOL_SRXCSUM),
    ("tx", ETHTOOL_STXCSUM),
    ("sg", ETHTOOL_SSG),
    ("tso", ETHTOOL_STSO),
    ("gso", ETHTOOL_SGSO),
];

pub fn switch(link: &Link, command: u32, on: bool) -> nix::Result<()> {
    try_request(link, command, u32::from(on)).map(drop)
}

/// What the link has and what it was asked for, by feature.
pub fn features(link: &Link) -> nix::Result<[u32; FEATURES]> {
    let mut features = Features {
        command: ETHTOOL_GFEATURES,
        size: (FEATURES / 4) as u32,
        blocks: [0; FEATURES],
    };
    call(link, &mut features)?;
    Ok(features.blocks)
}

/// `struct ethtool_gfeatures` for 64 features: of each 32 of them those that
/// are available, asked for, active, and never changed.
#[repr(C)]
struct Features {
    command: u32,
    size: u32,
    blocks: [u32; FEATURES],
}

const FEATURES: usize = 8;

/// Returns the value that the kernel leaves there.
fn request(link: &Link, command: u32, value: u32) -> u32 {
    try_request(link, command, value).expect("an ethtool request")
}

fn try_request(link: &Link, command: u32, value: u32) -> nix::Result<u32> {
    #[repr(C)]
    struct Value {
        command: u32,
        value: u32,
    }

    let mut value = Value { command, value };
    call(link, &mut value)?;
    Ok(value.value)
}

/// `data` is a structure of the kernel's that begins with its command.
fn call<T>(link: &Link, data: &mut T) -> nix::Result<()> {
    #[repr(C)]
    struct Request<T> {
        name: [u8; 16],
        data: *mut T,
        rest: [u8; 16],
    }

    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a socket");
    let mut request = Request {
        name: [0; 16],
        data,
        rest: [0; 16],
    };
    request.name[..link.name.len()].copy_from_slice(link.name.as_bytes());
    // SAFETY: The request is laid out as the kernel's ifreq and points to what
    // the command is for.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &mut request) };
    Errno::result(done).map(drop)
}
