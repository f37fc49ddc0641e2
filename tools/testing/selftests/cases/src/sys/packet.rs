// SPDX-License-Identifier: GPL-2.0
//! A packet socket on one link: the far end of the wire.

use std::cell::RefCell;
use std::io::IoSliceMut;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{recvfrom, LinkAddr};

use super::link::Link;
use super::wait;
use crate::vnet::{self, VnetHeader};

const BUFFER_SIZE: usize = 140_000;
const SOCKET_BUFFER: libc::c_int = 64 << 20;

pub const ALL: u16 = libc::ETH_P_ALL as u16;

#[derive(Debug)]
pub struct Received {
    pub header: VnetHeader,
    /// With its VLAN tag, which the kernel takes out and reports aside.
    pub frame: Vec<u8>,
    /// The index of the link whose frame it is: not the socket's, if the kernel has
    /// handed it on to one on top of that.
    pub link: u32,
}

/// Every frame has a virtio-net header here, in both directions.
pub struct PacketSocket {
    socket: OwnedFd,
    /// For what is received: to make one each time takes longer than all else.
    buffer: RefCell<Box<[u8]>>,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl PacketSocket {
    pub fn open(link: &Link, protocol: u16) -> PacketSocket {
        let socket = new_socket(libc::SOCK_RAW);
        set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1);
        set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1);
        set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1);
        // Frames that lie in a tap's ring stay charged to their sender.
        set(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_SNDBUFFORCE,
            SOCKET_BUFFER,
        );
        set(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            SOCKET_BUFFER,
        );
        bind(&socket, link, protocol);
        PacketSocket {
            socket,
            buffer: RefCell::new(vec![0; BUFFER_SIZE].into()),
        }
    }

    pub fn send(&self, frame: &[u8]) {
        self.send_with(VnetHeader::default(), frame);
    }

    pub fn send_with(&self, header: VnetHeader, frame: &[u8]) {
        let done = self.try_send(header, frame);
        let length = vnet::SIZE + frame.len();
        assert_eq!(done, Ok(length), "{header:?}, {} bytes", frame.len());
    }

    pub fn try_send(&self, header: VnetHeader, frame: &[u8]) -> nix::Result<usize> {
        self.send_bytes(&header.with(frame))
    }

    /// A frame with its header before it.
    pub fn send_bytes(&self, bytes: &[u8]) -> nix::Result<usize> {
        nix::unistd::write(self, bytes)
    }

    /// How much memory those of its frames have that are not freed yet.
    pub fn outstanding(&self) -> usize {
        let mut bytes: libc::c_int = 0;
        // SAFETY: The argument is a pointer to a C int.
        let done = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
        Errno::result(done).expect("SIOCOUTQ");
        bytes as usize
    }

    pub fn receive(&self) -> Received {
        wait::events(self, PollFlags::POLLIN);
        self.receive_now().expect("a frame")
    }

    pub fn receive_now(&self) -> Option<Received> {
        match self.try_receive() {
            Ok(received) => Some(received),
            Err(Errno::EAGAIN) => None,
            Err(error) => panic!("recvmsg: {error}"),
        }
    }

    pub fn try_receive(&self) -> nix::Result<Received> {
        let mut buffer = self.buffer.borrow_mut();
        let mut control = [0u64; 16];
        let mut vector = [IoSliceMut::new(&mut buffer)];
        // SAFETY: All zeroes are a valid address.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        // SAFETY: All zeroes are a valid message header.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = (&raw mut address).cast();
        message.msg_namelen = mem::size_of_val(&address) as libc::socklen_t;
        message.msg_iov = vector.as_mut_ptr().cast();
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = mem::size_of_val(&control);
        // SAFETY: The header describes buffers that outlive the call.
        let done = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &mut message, 0) };
        let length = Errno::result(done)? as usize;
        let tag = vlan_tag(&message);
        let header = VnetHeader::from_bytes(&buffer);
        let mut frame = buffer[vnet::SIZE..length].to_vec();
        if let Some(tag) = tag {
            frame.splice(12..12, tag);
        }
        let link = address.sll_ifindex as u32;
        Ok(Received {
            header,
            frame,
            link,
        })
    }

    #[track_caller]
    pub fn assert_empty(&self) {
        if let Some(received) = self.receive_now() {
            panic!("unexpected frame of {} bytes", received.frame.len());
        }
    }
}

/// What leaves by a link, from where the kernel takes its network header to be.
pub struct Departures(OwnedFd);

impl Departures {
    pub fn open(link: &Link) -> Departures {
        let socket = new_socket(libc::SOCK_DGRAM);
        bind(&socket, link, ALL);
        Departures(socket)
    }

    pub fn next(&self) -> Vec<u8> {
        self.next_of_protocol().1
    }

    /// With the protocol that the kernel takes it to be of.
    pub fn next_of_protocol(&self) -> (u16, Vec<u8>) {
        wait::events(&self.0, PollFlags::POLLIN);
        let mut buffer = vec![0; BUFFER_SIZE];
        let (length, address) =
            recvfrom::<LinkAddr>(self.0.as_raw_fd(), &mut buffer).expect("a packet");
        buffer.truncate(length);
        let protocol = address.expect("a packet's address").protocol();
        (u16::from_be(protocol), buffer)
    }
}

fn new_socket(kind: libc::c_int) -> OwnedFd {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind | flags, 0) };
    Errno::result(fd).expect("a packet socket");
    // SAFETY: The descriptor is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
    // SAFETY: The option's value is a C int.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            mem::size_of_val(&value) as libc::socklen_t,
        )
    };
    Errno::result(done).expect("setsockopt");
}

fn bind(socket: &OwnedFd, link: &Link, protocol: u16) {
    // SAFETY: All zeroes are a valid address.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = link.index as i32;
    // SAFETY: The address is a sockaddr_ll and of that size.
    let done = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            mem::size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(done).expect("bind");
}

/// The tag in the order in which it stands in a frame.
fn vlan_tag(message: &libc::msghdr) -> Option<[u8; 4]> {
    // SAFETY: recvmsg() has filled in the header and its control buffer.
    let control = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() }?;
    assert_eq!(control.cmsg_type, libc::PACKET_AUXDATA);
    // SAFETY: This is what a control message of that type holds.
    let data = unsafe {
        libc::CMSG_DATA(control)
            .cast::<libc::tpacket_auxdata>()
            .read_unaligned()
    };
    if data.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let [tpid_high, tpid_low] = data.tp_vlan_tpid.to_be_bytes();
    let [tci_high, tci_low] = data.tp_vlan_tci.to_be_bytes();
    Some([tpid_high, tpid_low, tci_high, tci_low])
}
