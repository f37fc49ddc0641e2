// SPDX-License-Identifier: GPL-2.0
//! One queue of a macvtap link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::libc;

nix::ioctl_write_ptr_bad!(set_flags, libc::TUNSETIFF, libc::ifreq);
nix::ioctl_read_bad!(get_flags, libc::TUNGETIFF, libc::ifreq);
nix::ioctl_write_int_bad!(set_offload, libc::TUNSETOFFLOAD);

/// A queue whose frames have no virtio-net header, and are whole: none of them is left to be
/// segmented, or to get its checksum.
pub struct Tap(File);

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Tap {
    /// Opens the node of that path, or of the link of that name.
    pub fn open(link: &str) -> io::Result<Tap> {
        let path = if link.contains('/') {
            link.to_owned()
        } else {
            let index = fs::read_to_string(format!("/sys/class/net/{link}/ifindex"))?;
            format!("/dev/tap{}", index.trim_end())
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
        let mut request = request();
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
        // SAFETY: The descriptor is open, and the request is what the ioctl takes.
        unsafe { set_flags(file.as_raw_fd(), &request) }?;
        // SAFETY: As above, and this one takes a number.
        unsafe { set_offload(file.as_raw_fd(), 0) }?;
        Ok(Tap(file))
    }

    /// Fails if the link was deleted.
    pub fn check(&self) -> io::Result<()> {
        let mut request = request();
        // SAFETY: The descriptor is open, and the request is what the ioctl takes.
        unsafe { get_flags(self.0.as_raw_fd(), &mut request) }?;
        Ok(())
    }

    /// Reads one frame.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    /// Writes one frame.
    pub fn write(&self, frame: &[u8]) -> io::Result<()> {
        (&self.0).write(frame).map(drop)
    }
}

fn request() -> libc::ifreq {
    // SAFETY: All zeroes are a valid request.
    unsafe { mem::zeroed() }
}
