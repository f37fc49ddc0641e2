// SPDX-License-Identifier: GPL-2.0
//! Sends every frame that a macvtap link gets back to its sender, as `../reflect.c` does in C.
//!
//! ```text
//! cargo build --manifest-path samples/reflect-rs/Cargo.toml
//! ip link add link eth0 name macvtap0 type macvtap mode bridge
//! ip link set macvtap0 up
//! reflect-rs /dev/tap$(cat /sys/class/net/macvtap0/ifindex)
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::{env, mem};

use nix::libc;

nix::ioctl_write_ptr_bad!(set_flags, libc::TUNSETIFF, libc::ifreq);
nix::ioctl_read_bad!(get_address, libc::SIOCGIFHWADDR, libc::ifreq);

type Mac = [u8; 6];

/// Opens a queue that has frames only, without virtio-net headers; with the link's address.
fn open(node: &str) -> io::Result<(File, Mac)> {
    let tap = OpenOptions::new().read(true).write(true).open(node)?;
    // SAFETY: All zeroes are a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
    // SAFETY: The descriptor is open, and the request is what the ioctls take.
    unsafe {
        set_flags(tap.as_raw_fd(), &request)?;
        get_address(tap.as_raw_fd(), &mut request)?;
    }
    // SAFETY: This is what the kernel has filled in.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr.sa_data };
    Ok((tap, std::array::from_fn(|at| address[at] as u8)))
}

/// The link only gets what is sent to its own address, and broadcasts.
fn reflect(node: &str) -> io::Result<()> {
    let (mut tap, address) = open(node)?;
    let mut frame = [0; 65536];
    loop {
        // Each read takes one frame, and each write sends one.
        let length = tap.read(&mut frame)?;
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&address);
        tap.write_all(&frame[..length])?;
    }
}

fn main() -> ExitCode {
    let Some(node) = env::args().nth(1) else {
        eprintln!("usage: reflect-rs NODE");
        return ExitCode::FAILURE;
    };
    if let Err(error) = reflect(&node) {
        eprintln!("reflect-rs: {node}: {error}");
    }
    ExitCode::FAILURE
}
