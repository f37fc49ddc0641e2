// SPDX-License-Identifier: GPL-2.0
//! Where programs are run: a macvtap link on a tun device. What is written to
//! that one's file, the link receives in the same thread, so that KCOV sees it.
//!
//! A program that may have changed the link leaves none behind for the next one:
//! each finds the same world, so that an input does what it did before.

use std::fs;
use std::mem::{self, ManuallyDrop};
use std::os::fd::AsRawFd;

use macvtap_selftests::sys::link::{self, Link, Macvtap, LOWER, TAP_MAC};
use macvtap_selftests::sys::memory::Guarded;
use macvtap_selftests::sys::tap::{IfReq, Tap};
use macvtap_selftests::sys::tun::Tun;
use macvtap_selftests::sys::{compat, netlink, wait};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::links::Request;
use crate::program::{Argument, How, Ioctl, Operation, Read, Write};

pub const LOWER_INDEX: u32 = 6001;
pub const LINK_INDEX: u32 = 6002;
const NODE: &str = "/dev/tap6002";
/// One that programs make.
pub const OTHER_INDEX: u32 = 6003;

const MOST_QUEUES: usize = 4;
const LONGEST_IFREQ: usize = 40;
const BUFFER: usize = 1 << 18;
/// Of a new link: TUN_F_CSUM, ..._TSO4, ..._TSO6, ..._TSO_ECN.
const OFFLOADS: u32 = 0x0f;
/// What makes closing files fast, which in C wait for a grace period each.
const GRACE_PERIODS: &str = "/sys/kernel/rcu_expedited";

pub struct World {
    /// It goes with this process, and the link with it. Its module stays: what
    /// was lost may keep it from being unloaded, which others tell.
    tun: ManuallyDrop<Tun>,
    queues: Vec<Tap>,
    changes: Changes,
    /// For arguments of ioctls.
    argument: Guarded,
    /// For what is written and read.
    buffer: Guarded,
    /// For what the tun device sent.
    received: Box<[u8]>,
}

/// What a program may have changed.
#[derive(Default)]
struct Changes {
    /// The link's offloads and address.
    settings: bool,
    /// All else of it.
    link: bool,
    /// There may be others.
    links: bool,
}

impl World {
    pub fn new() -> World {
        fs::write(GRACE_PERIODS, "1").expect("fast grace periods");
        link::delete_leftovers();
        let (tun, lower) = Tun::with_index(LOWER, LOWER_INDEX);
        lower.set_up(true).expect("a tun device that is up");
        // It goes with its file.
        mem::forget::<Link>(lower);
        create_link();
        World {
            tun: ManuallyDrop::new(tun),
            queues: vec![],
            changes: Changes::default(),
            argument: Guarded::new(LONGEST_IFREQ),
            buffer: Guarded::new(BUFFER),
            received: vec![0; BUFFER].into(),
        }
    }

    pub fn run(&mut self, program: Vec<Operation>) {
        self.open();
        for operation in program {
            self.execute(operation);
        }
        self.queues.clear();
    }

    /// Makes it as it was before a program.
    pub fn restore(&mut self) {
        while self.tun.receive(&mut self.received).is_ok() {}
        let changes = mem::take(&mut self.changes);
        if changes.links {
            delete(OTHER_INDEX);
        }
        if changes.link {
            delete(LINK_INDEX);
            create_link();
        } else if changes.settings {
            let queue = Tap::open_path(NODE, 0).expect("a queue");
            queue.set_offload(OFFLOADS).expect("TUNSETOFFLOAD");
            let mut address = IfReq::with_address(libc::ARPHRD_ETHER, TAP_MAC);
            let done = queue.ioctl(libc::SIOCSIFHWADDR, address.address());
            done.expect("SIOCSIFHWADDR");
        }
    }

    fn open(&mut self) {
        if self.queues.len() == MOST_QUEUES {
            return;
        }
        match Tap::open_path(NODE, libc::O_NONBLOCK) {
            Ok(queue) => self.queues.push(queue),
            Err(error) => assert!(self.changes.link, "open: {error}"),
        }
    }

    /// What fails is as good as what does not.
    fn execute(&mut self, operation: Operation) {
        match operation {
            Operation::Open => self.open(),
            Operation::Close => {
                if !self.queues.is_empty() {
                    self.queues.remove(0);
                }
            }
            Operation::Poll(queue) => {
                if let Some(queue) = queue_of(&self.queues, queue) {
                    wait::events_now(queue, PollFlags::all());
                }
            }
            Operation::Ioctl(ioctl) => self.ioctl(&ioctl),
            Operation::Write(write) => self.write(&write),
            Operation::Read(read) => self.read(&read),
            Operation::Receive(frame) => {
                let _ = self.tun.send(&frame.0);
            }
            Operation::Link(request) => self.ask(request),
        }
    }

    fn ioctl(&mut self, ioctl: &Ioctl) {
        let Some(queue) = queue_of(&self.queues, ioctl.queue) else {
            return;
        };
        let argument = match &ioctl.argument {
            Argument::Value(value) => *value as usize,
            Argument::Bad(address) => *address,
            Argument::Bytes(bytes) => self.argument.put_at_tail(&bytes.0),
        };
        if ioctl.compat {
            let argument = argument as u32 as usize;
            let _ = compat::ioctl(queue.as_raw_fd(), ioctl.request, argument);
        } else {
            let _ = queue.ioctl(ioctl.request, argument);
        }
        self.changes.settings |= matches!(ioctl.request, libc::TUNSETOFFLOAD | libc::SIOCSIFHWADDR);
    }

    fn write(&mut self, write: &Write) {
        let Some(queue) = queue_of(&self.queues, write.queue) else {
            return;
        };
        let bytes = &write.bytes.0;
        let _ = match &write.how {
            How::Plain => {
                let address = self.buffer.put_at_tail(bytes);
                queue.write_at(address, bytes.len())
            }
            How::NoWait => queue.write_nowait(bytes),
            How::Pieces(lengths) => queue.write_pieces(bytes, &pieces(lengths, bytes.len())),
            How::Cut(bad) => {
                let good = bytes.len().saturating_sub(*bad);
                queue.writev_then_bad(&bytes[..good], bytes.len() - good)
            }
        };
    }

    fn read(&mut self, read: &Read) {
        let Some(queue) = queue_of(&self.queues, read.queue) else {
            return;
        };
        let length = read.length;
        let start = self.buffer.tail(length);
        let buffer = &mut self.buffer.bytes()[BUFFER - length..];
        let done = match &read.how {
            How::Plain => queue.read_at(start, length),
            How::NoWait => queue.read_nowait(buffer),
            How::Pieces(lengths) => queue.read_pieces(buffer, &pieces(lengths, length)),
            How::Cut(bad) => {
                let good = length.saturating_sub(*bad);
                queue.readv_then_bad(&mut buffer[..good], length - good)
            }
        };
        if let Ok(done) = done {
            assert!(done <= length, "{done} bytes read into {length}");
        }
    }

    fn ask(&mut self, request: Request) {
        // What is refused may have been done in part.
        self.changes.links = true;
        self.changes.link |= request.index() == LINK_INDEX;
        let _ = netlink::ask(request.message, request.flags);
    }
}

fn queue_of(queues: &[Tap], number: u8) -> Option<&Tap> {
    queues.get(usize::from(number) % queues.len().max(1))
}

/// As many pieces as fit into `total`, and the rest.
fn pieces(lengths: &[usize], total: usize) -> Vec<usize> {
    let mut rest = total;
    let mut pieces: Vec<_> = lengths
        .iter()
        .map(|&length| {
            let length = length.min(rest);
            rest -= length;
            length
        })
        .collect();
    pieces.push(rest);
    pieces
}

fn create_link() {
    let mut message = Macvtap {
        index: LINK_INDEX,
        ..Macvtap::default()
    }
    .message_on(LOWER_INDEX);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink::create(message).expect("a macvtap link");
}

/// By its index: it may have another name by now, or be gone.
fn delete(index: u32) {
    let mut message = LinkMessage::default();
    message.header.index = index;
    match netlink::delete(message).map_err(Errno::from) {
        Ok(()) | Err(Errno::ENODEV) => (),
        Err(error) => panic!("cannot delete link {index}: {error}"),
    }
}
