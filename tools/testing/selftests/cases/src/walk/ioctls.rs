// SPDX-License-Identifier: GPL-2.0
//! ioctls, with arguments good and bad.

use std::os::fd::AsRawFd;

use nix::errno::Errno;

use super::files::{self, Settings};
use super::random::{digest, happens, pick, weighted};
use super::reads;
use super::world::{World, MACS};
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::{compat, ethtool};

const TAP_NO_PI: i32 = libc::IFF_TAP | libc::IFF_NO_PI;
const IFREQ: usize = size_of::<IfReq>();
const INT: usize = 4;

/// What a request's argument is.
#[derive(Clone, Copy)]
enum Kind {
    /// The address of an int, one of these.
    Int(&'static [i32]),
    /// The address of an ifreq with these flags.
    Flags(&'static [i32]),
    /// The address of an ifreq with a hardware address.
    Address,
    /// A number, one of these.
    Value(&'static [usize]),
    /// A number of some of these bits.
    Combination(usize),
}

/// All TUN_F_* that there are for a tap.
const OFFLOADS: usize = 0x7f;

const SWITCHES: &[i32] = &[0, 1, 2, -1, i32::MIN];

/// Each with how often it comes.
#[rustfmt::skip]
const REQUESTS: &[(u32, (&str, u64, Kind))] = &[
    (4, ("TUNSETIFF", libc::TUNSETIFF, Kind::Flags(&[
        TAP_NO_PI, TAP_NO_PI | libc::IFF_VNET_HDR, TAP_NO_PI | libc::IFF_VNET_HDR,
        TAP_NO_PI | libc::IFF_MULTI_QUEUE, TAP_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE,
        0, libc::IFF_TAP, libc::IFF_TUN | libc::IFF_NO_PI, TAP_NO_PI | libc::IFF_ONE_QUEUE,
        TAP_NO_PI | libc::IFF_NAPI, 0xffff,
    ]))),
    (3, ("TUNGETIFF", libc::TUNGETIFF, Kind::Flags(&[0, 0xffff]))),
    (1, ("TUNGETFEATURES", libc::TUNGETFEATURES, Kind::Int(&[0, -1]))),
    (4, ("TUNSETSNDBUF", libc::TUNSETSNDBUF, Kind::Int(&[
        -1, 0, 1, 100, 2000, 5000, 20_000, 100_000, 1_000_000, i32::MAX, i32::MIN,
    ]))),
    (4, ("TUNSETOFFLOAD", libc::TUNSETOFFLOAD, Kind::Combination(OFFLOADS))),
    (2, ("TUNSETOFFLOAD", libc::TUNSETOFFLOAD, Kind::Value(&[
        0, 1, 7, 0x7f, 0x7f, 0x80, 0x100, 0xffff_ffff, usize::MAX,
    ]))),
    (2, ("TUNGETVNETHDRSZ", libc::TUNGETVNETHDRSZ, Kind::Int(&[0, -1]))),
    (4, ("TUNSETVNETHDRSZ", libc::TUNSETVNETHDRSZ, Kind::Int(&[
        10, 10, 12, 12, 20, 24, 0, 9, -1, 1000, i32::MAX, i32::MIN,
    ]))),
    (1, ("TUNGETVNETLE", libc::TUNGETVNETLE, Kind::Int(&[0, -1]))),
    (2, ("TUNSETVNETLE", libc::TUNSETVNETLE, Kind::Int(SWITCHES))),
    (1, ("TUNGETVNETBE", libc::TUNGETVNETBE, Kind::Int(&[0, -1]))),
    (2, ("TUNSETVNETBE", libc::TUNSETVNETBE, Kind::Int(SWITCHES))),
    (2, ("SIOCGIFHWADDR", libc::SIOCGIFHWADDR, Kind::Address)),
    (2, ("SIOCSIFHWADDR", libc::SIOCSIFHWADDR, Kind::Address)),
    (1, ("TUNSETPERSIST", libc::TUNSETPERSIST, Kind::Value(&[0, 1]))),
    (1, ("TUNSETTXFILTER", libc::TUNSETTXFILTER, Kind::Int(&[0]))),
    (1, ("TUNGETSNDBUF", libc::TUNGETSNDBUF, Kind::Int(&[0]))),
    (1, ("SIOCGIFINDEX", libc::SIOCGIFINDEX, Kind::Address)),
    (1, ("FIONREAD", libc::FIONREAD, Kind::Int(&[0]))),
    (1, ("0", 0, Kind::Value(&[0]))),
];

/// How the argument is handed over.
#[derive(Clone, Copy, Debug)]
enum Way {
    Good,
    /// As a 32-bit program does.
    Compat,
    /// The structure ends one byte behind the end of memory.
    BeyondTheEnd,
    Unmapped,
    Kernel,
}

const WAYS: &[(u32, Way)] = &[
    (12, Way::Good),
    (3, Way::Compat),
    (1, Way::BeyondTheEnd),
    (1, Way::Unmapped),
    (1, Way::Kernel),
];

pub fn call(world: &mut World) -> String {
    let Some(at) = files::any(world) else {
        return "ioctl: no file".into();
    };
    let (name, request, kind) = weighted(&mut world.rng, REQUESTS);
    let way = weighted(&mut world.rng, WAYS);
    let bytes = match kind {
        Kind::Value(values) => {
            let value = pick(&mut world.rng, values);
            return call_with_value(world, at, name, request, way, value);
        }
        Kind::Combination(bits) => {
            let value = world.rng.usize(..) & bits;
            return call_with_value(world, at, name, request, way, value);
        }
        Kind::Int(values) => pick(&mut world.rng, values).to_ne_bytes().to_vec(),
        Kind::Flags(values) => {
            let flags = pick(&mut world.rng, values);
            ifreq(IfReq::new(flags))
        }
        Kind::Address => ifreq(address(world)),
    };
    if request == libc::TUNSETIFF {
        // What was received for a header is handed out bare in C.
        reads::drain(world);
    }
    let mut memory = Guarded::new(IFREQ);
    let result = hand_over(&world.files[at].tap, way, request, &mut memory, &bytes);
    if result.is_ok() {
        learn(world, at, request, &bytes);
    }
    let file = &world.files[at];
    let after = &memory.bytes()[memory_length() - bytes.len()..];
    let given = match bytes.len() {
        INT => i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).to_string(),
        _ => format!("{:02x?}", &bytes[16..24]),
    };
    let mut what = format!("ioctl f{} {name} {way:?} {given}: {result:?}", file.id);
    if after != bytes {
        what += &match bytes.len() {
            INT => format!(
                " {}",
                i32::from_ne_bytes([after[0], after[1], after[2], after[3]])
            ),
            _ => format!(" {:016x}", digest(after)),
        };
    }
    what
}

fn call_with_value(
    world: &mut World,
    at: usize,
    name: &str,
    request: u64,
    way: Way,
    value: usize,
) -> String {
    if request == libc::TUNSETOFFLOAD {
        // What was received for offloads is handed out as it is in C.
        reads::drain(world);
    }
    let file = &world.files[at];
    let (way, result) = match way {
        Way::Compat if u32::try_from(value).is_ok() => (
            "compat ",
            compat::ioctl(file.tap.as_raw_fd(), request, value),
        ),
        _ => ("", file.tap.ioctl(request, value)),
    };
    let features = world.at(file.slot, |slot| ethtool::features(&slot.link));
    format!(
        "ioctl f{} {name} {way}{value:#x}: {result:?}, {features:x?}",
        file.id
    )
}

/// How much memory [`Guarded`] makes of an ifreq's size.
fn memory_length() -> usize {
    Guarded::new(IFREQ).bytes().len()
}

fn hand_over(
    tap: &Tap,
    way: Way,
    request: u64,
    memory: &mut Guarded,
    bytes: &[u8],
) -> nix::Result<()> {
    let address = memory.put_at_tail(bytes);
    match way {
        Way::Good => tap.ioctl(request, address),
        Way::Compat => compat::ioctl(tap.as_raw_fd(), request, address),
        Way::BeyondTheEnd => tap.ioctl(request, address + 1),
        Way::Unmapped => tap.ioctl(request, UNMAPPED),
        Way::Kernel => tap.ioctl(request, KERNEL),
    }
}

fn ifreq(request: IfReq) -> Vec<u8> {
    [&request.name[..], &request.data].concat()
}

fn address(world: &mut World) -> IfReq {
    let mut choices = MACS.to_vec();
    choices.extend([[2, 0, 0, 0, 0, 0x77], [1, 0, 0, 0, 0, 1], [0; 6], [0xff; 6]]);
    let address = pick(&mut world.rng, &choices);
    let family = if happens(&mut world.rng, 85) {
        libc::ARPHRD_ETHER
    } else {
        pick(&mut world.rng, &[0, libc::ARPHRD_LOOPBACK])
    };
    IfReq::with_address(family, address)
}

/// What the walk must know to write frames that are right.
fn learn(world: &mut World, at: usize, request: u64, bytes: &[u8]) {
    let settings = &world.files[at].settings;
    let old = settings.get();
    let int = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    settings.set(match request {
        libc::TUNSETIFF => Settings {
            vnet: i32::from(u16::from_ne_bytes([bytes[16], bytes[17]])) & libc::IFF_VNET_HDR != 0,
            ..old
        },
        libc::TUNSETVNETHDRSZ => Settings {
            header_size: int,
            ..old
        },
        libc::TUNSETVNETLE => Settings {
            little: int != 0,
            ..old
        },
        libc::TUNSETVNETBE => Settings {
            big: int != 0,
            ..old
        },
        _ => old,
    });
}

pub fn set_queue(world: &mut World) -> String {
    let Some(at) = files::any(world) else {
        return "queue: no file".into();
    };
    let (attach, detach) = (libc::IFF_ATTACH_QUEUE, libc::IFF_DETACH_QUEUE);
    let flags = weighted(
        &mut world.rng,
        &[
            (6, attach),
            (3, detach),
            (1, attach | detach),
            (1, 0),
            (1, libc::IFF_VNET_HDR),
        ],
    );
    let file = &world.files[at];
    let result: Result<(), Errno> = file.tap.set_queue(flags);
    format!("queue f{} {flags:#x}: {result:?}", file.id)
}
