// SPDX-License-Identifier: GPL-2.0
//! A program: operations on a link, its queues and its lower device, one after
//! the other. Any bytes are one, and a small change of the bytes is a small
//! change of the program.

use arbitrary::{Result, Unstructured};
use libc::{c_int, IFF_ATTACH_QUEUE, IFF_DETACH_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR};
use macvtap_selftests::sys::memory::{KERNEL, UNMAPPED};

use crate::frames;
use crate::hex::Bytes;
use crate::links::{self, Request};

/// More takes longer than it is worth.
const LONGEST: usize = 16;

#[derive(Debug)]
pub enum Operation {
    /// Another queue of the link, which is the last one from then on.
    Open,
    /// Closes the first one.
    Close,
    Ioctl(Ioctl),
    Write(Write),
    Read(Read),
    /// The lower device receives this.
    Receive(Bytes),
    Poll(u8),
    Link(Request),
}

#[derive(Debug)]
pub struct Ioctl {
    pub queue: u8,
    pub request: u64,
    pub argument: Argument,
    /// As a 32-bit program calls it.
    pub compat: bool,
}

#[derive(Debug)]
pub enum Argument {
    Value(u32),
    /// An address that nothing is at.
    Bad(usize),
    /// The address of these bytes, behind which nothing is.
    Bytes(Bytes),
}

#[derive(Debug)]
pub struct Write {
    pub queue: u8,
    pub how: How,
    pub bytes: Bytes,
}

#[derive(Debug)]
pub struct Read {
    pub queue: u8,
    pub how: How,
    pub length: usize,
}

#[derive(Debug)]
pub enum How {
    /// From or to one buffer, behind which nothing is.
    Plain,
    /// With `RWF_NOWAIT`.
    NoWait,
    /// From or to pieces, the first ones of these lengths.
    Pieces(Vec<usize>),
    /// The last so many bytes are not there.
    Cut(usize),
}

pub fn decode(bytes: &[u8]) -> Vec<Operation> {
    let mut u = Unstructured::new(bytes);
    let mut program = vec![];
    while !u.is_empty() && program.len() < LONGEST {
        // What lacks bytes is the end.
        match operation(&mut u) {
            Ok(operation) => program.push(operation),
            Err(_) => break,
        }
    }
    program
}

fn operation(u: &mut Unstructured<'_>) -> Result<Operation> {
    Ok(match u.int_in_range(0..=15)? {
        0 => Operation::Open,
        1 => Operation::Close,
        2 => Operation::Poll(queue(u)?),
        3..=6 => Operation::Ioctl(ioctl(u)?),
        7..=9 => Operation::Write(Write {
            queue: queue(u)?,
            how: how(u)?,
            bytes: Bytes(frames::with_header(u)?),
        }),
        10..=12 => Operation::Receive(Bytes(frames::with_header(u)?)),
        13..=14 => Operation::Read(Read {
            queue: queue(u)?,
            how: how(u)?,
            length: length(u)?,
        }),
        _ => Operation::Link(links::request(u)?),
    })
}

fn queue(u: &mut Unstructured<'_>) -> Result<u8> {
    u.int_in_range(0..=3)
}

fn how(u: &mut Unstructured<'_>) -> Result<How> {
    Ok(match u.int_in_range(0..=7)? {
        1 => How::NoWait,
        2 => How::Cut(length(u)?),
        3 | 4 => {
            let pieces = u.int_in_range(1..=4)?;
            How::Pieces((0..pieces).map(|_| length(u)).collect::<Result<_>>()?)
        }
        _ => How::Plain,
    })
}

/// Most are those at which something ends: headers, frames, pages, limits.
pub fn length(u: &mut Unstructured<'_>) -> Result<usize> {
    const ENDS: [usize; 22] = [
        1514, 0, 1, 2, 4, 8, 9, 10, 12, 14, 16, 18, 20, 24, 34, 54, 64, 74, 128, 4096, 65_535,
        70_000,
    ];
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => *u.choose(&ENDS)?,
        4 => usize::from(u.arbitrary::<u16>()?),
        _ => usize::from(u.arbitrary::<u8>()?),
    })
}

#[rustfmt::skip]
const SERVED: [u64; 14] = [
    libc::TUNSETVNETHDRSZ, libc::TUNSETIFF, libc::TUNGETIFF, libc::TUNSETQUEUE,
    libc::TUNGETFEATURES, libc::TUNSETSNDBUF, libc::TUNSETOFFLOAD, libc::TUNGETVNETHDRSZ,
    libc::TUNSETVNETLE, libc::TUNGETVNETLE, libc::TUNSETVNETBE, libc::TUNGETVNETBE,
    libc::SIOCGIFHWADDR, libc::SIOCSIFHWADDR,
];

/// Of tun only.
#[rustfmt::skip]
const REFUSED: [u64; 8] = [
    libc::TUNSETPERSIST, libc::TUNSETOWNER, libc::TUNSETLINK, libc::TUNSETTXFILTER,
    libc::TUNATTACHFILTER, libc::TUNSETSTEERINGEBPF, libc::TUNSETCARRIER, libc::TUNGETSNDBUF,
];

fn ioctl(u: &mut Unstructured<'_>) -> Result<Ioctl> {
    const SETS_A_BIT: u64 = 1 << 30;
    let queue = queue(u)?;
    let request = match u.int_in_range(0..=31)? {
        // Not those without a type: the kernel itself serves some of them.
        31 => u64::from(u.arbitrary::<u32>()?) | SETS_A_BIT,
        30 => *u.choose(&REFUSED)?,
        _ => *u.choose(&SERVED)?,
    };
    Ok(Ioctl {
        queue,
        request,
        argument: argument(request, u)?,
        compat: u.ratio(1, 8)?,
    })
}

/// Mostly of the request's type.
fn argument(request: u64, u: &mut Unstructured<'_>) -> Result<Argument> {
    Ok(match u.int_in_range(0..=15)? {
        0 => Argument::Bad(*u.choose(&[0, UNMAPPED, KERNEL])?),
        1 => Argument::Value(u.arbitrary()?),
        2 => {
            let length: u8 = u.int_in_range(0..=40)?;
            Argument::Bytes(Bytes(u.bytes(length.into())?.to_vec()))
        }
        _ if request == libc::TUNSETOFFLOAD => Argument::Value(u.int_in_range(0..=0x1ff)?),
        _ => Argument::Bytes(Bytes(match request {
            libc::TUNSETIFF | libc::TUNGETIFF | libc::TUNSETQUEUE => ifreq(&flags(u)?, u)?,
            libc::SIOCGIFHWADDR | libc::SIOCSIFHWADDR => {
                let family = *u.choose(&[libc::ARPHRD_ETHER, 0, 0xffff])?;
                let mut address = *u.choose(&[[2, 0, 0, 0, 0, 0x77], [0; 6], [0xff; 6]])?;
                address[5] ^= u.arbitrary::<u8>()?;
                ifreq(&[&family.to_ne_bytes()[..], &address].concat(), u)?
            }
            libc::TUNSETVNETHDRSZ => size(u)?.to_ne_bytes().to_vec(),
            _ => number(u)?.to_ne_bytes().to_vec(),
        })),
    })
}

/// What follows the name. It is long enough for the kernel as a rule.
fn ifreq(data: &[u8], u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 40];
    bytes[16..16 + data.len()].copy_from_slice(data);
    bytes.truncate(*u.choose(&[40, 32, 24, 18, 17, 16])?);
    Ok(bytes)
}

fn flags(u: &mut Unstructured<'_>) -> Result<[u8; 2]> {
    const FLAGS: [c_int; 4] = [
        IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
        IFF_TAP | IFF_NO_PI,
        IFF_ATTACH_QUEUE,
        IFF_DETACH_QUEUE,
    ];
    let flags = match u.int_in_range(0..=7)? {
        7 => u.arbitrary()?,
        _ => *u.choose(&FLAGS)? as u16,
    };
    Ok(flags.to_ne_bytes())
}

/// Of a header: most are near the shortest one.
fn size(u: &mut Unstructured<'_>) -> Result<c_int> {
    Ok(match u.int_in_range(0..=7)? {
        0 => number(u)?,
        _ => u.int_in_range(0..=24)?,
    })
}

fn number(u: &mut Unstructured<'_>) -> Result<c_int> {
    const ENDS: [c_int; 16] = [
        12,
        10,
        9,
        0,
        1,
        -1,
        20,
        24,
        64,
        4096,
        65_535,
        100_000,
        c_int::MAX,
        c_int::MIN,
        c_int::MAX - 10,
        0x100,
    ];
    Ok(match u.int_in_range(0..=3)? {
        3 => u.arbitrary()?,
        _ => *u.choose(&ENDS)?,
    })
}
