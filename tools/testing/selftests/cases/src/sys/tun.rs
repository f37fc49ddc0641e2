// SPDX-License-Identifier: GPL-2.0
//! A tun device. What is written to its file the kernel receives before write()
//! returns, in the writing thread.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;

use super::link::Link;
use super::module::Module;
use super::tap::IfReq;

/// In the order in which they must go.
pub struct Tun {
    file: File,
    _module: Module,
}

impl Tun {
    /// One with whole frames, each with a virtio-net header.
    pub fn new(name: &str) -> (Tun, Link) {
        Tun::with_index(name, 0)
    }

    /// The same with an index that is always the same, unless it is 0.
    pub fn with_index(name: &str, index: u32) -> (Tun, Link) {
        Tun::of_kind(libc::IFF_TAP, name, index)
    }

    /// One without a link layer: with packets of IP, each with a virtio-net header.
    pub fn of_packets(name: &str) -> (Tun, Link) {
        Tun::of_kind(libc::IFF_TUN, name, 0)
    }

    fn of_kind(kind: i32, name: &str, index: u32) -> (Tun, Link) {
        let module = Module::load("tun", &[]);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .expect("/dev/net/tun");
        let mut request = IfReq::new(kind | libc::IFF_NO_PI | libc::IFF_VNET_HDR);
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: The argument is a number that outlives the call.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFINDEX, &index) };
        Errno::result(done).expect("TUNSETIFINDEX");
        // SAFETY: The argument is a `struct ifreq`.
        let done =
            unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, request.address()) };
        Errno::result(done).expect("TUNSETIFF");
        let tun = Tun {
            file,
            _module: module,
        };
        (tun, Link::of_name(name).expect("the tun device"))
    }

    /// Whether the kernel was built with `CONFIG_TUN_VNET_CROSS_LE`.
    pub fn has_both_byte_orders(&self) -> bool {
        let mut is_big_endian = 0i32;
        // SAFETY: The argument is a number that outlives the call.
        let done = unsafe {
            libc::ioctl(
                self.file.as_raw_fd(),
                libc::TUNGETVNETBE,
                &mut is_big_endian,
            )
        };
        Errno::result(done).is_ok()
    }

    /// The next frame that was sent through the device, with its header.
    pub fn receive(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        nix::unistd::read(&self.file, buffer)
    }

    /// A frame with its header.
    pub fn send(&self, bytes: &[u8]) -> nix::Result<usize> {
        nix::unistd::write(&self.file, bytes)
    }
}
