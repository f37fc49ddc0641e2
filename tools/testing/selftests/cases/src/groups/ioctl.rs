// SPDX-License-Identifier: GPL-2.0
//! Every ioctl with good and bad arguments, and what it changes.

use std::os::fd::AsRawFd as _;

use nix::errno::Errno::{self, EADDRNOTAVAIL, EFAULT, EINVAL, ENOLINK};

use crate::cases;
use crate::driver::Driver;
use crate::ktap::Case;
use crate::setup::Lone;
use crate::sys::compat;
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::tun::Tun;

const TAP_NO_PI: i32 = libc::IFF_TAP | libc::IFF_NO_PI;
const ALL_FLAGS: i32 = TAP_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
const EVERY_OFFLOAD: usize = 0x7f;
const ETHER: u16 = libc::ARPHRD_ETHER;
const MULTICAST: [u8; 6] = [1, 0, 0, 0, 0, 1];
const UNICAST: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

/// Sizes of the parts of `struct ifreq` that the driver may touch.
const NAME: usize = 16;
const NAME_AND_FLAGS: usize = 18;
const NAME_AND_ADDRESS: usize = 32;

/// What an ioctl is called with.
#[derive(Clone, Copy)]
enum Argument {
    /// The argument itself.
    Value(usize),
    /// The address of an int.
    Int(i32),
    /// The address of an ifreq with these flags.
    Flags(i32),
    /// The address of an ifreq with this hardware address.
    Mac(u16, [u8; 6]),
}
use Argument::{Flags, Int, Mac, Value};

/// Arguments and their results on a fresh queue.
#[rustfmt::skip]
const CALLS: &[(&str, u64, Argument, nix::Result<()>)] = &[
    ("TUNSETIFF tap",                  libc::TUNSETIFF, Flags(TAP_NO_PI), Ok(())),
    ("TUNSETIFF tap, vnet_hdr",        libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_VNET_HDR), Ok(())),
    ("TUNSETIFF tap, multi_queue",     libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_MULTI_QUEUE), Ok(())),
    ("TUNSETIFF all it has",           libc::TUNSETIFF, Flags(ALL_FLAGS), Ok(())),
    ("TUNSETIFF nothing",              libc::TUNSETIFF, Flags(0), Err(EINVAL)),
    ("TUNSETIFF tap with pi",          libc::TUNSETIFF, Flags(libc::IFF_TAP), Err(EINVAL)),
    ("TUNSETIFF no_pi alone",          libc::TUNSETIFF, Flags(libc::IFF_NO_PI), Err(EINVAL)),
    ("TUNSETIFF tun",                  libc::TUNSETIFF, Flags(libc::IFF_TUN | libc::IFF_NO_PI), Err(EINVAL)),
    ("TUNSETIFF tun and tap",          libc::TUNSETIFF, Flags(libc::IFF_TUN | TAP_NO_PI), Err(EINVAL)),
    ("TUNSETIFF one_queue",            libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_ONE_QUEUE), Err(EINVAL)),
    ("TUNSETIFF napi",                 libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_NAPI), Err(EINVAL)),
    ("TUNSETIFF persist",              libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_PERSIST), Err(EINVAL)),
    ("TUNSETIFF tun_excl",             libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_TUN_EXCL), Err(EINVAL)),
    ("TUNSETIFF attach_queue",         libc::TUNSETIFF, Flags(TAP_NO_PI | libc::IFF_ATTACH_QUEUE), Err(EINVAL)),
    ("TUNSETQUEUE attach when attached", libc::TUNSETQUEUE, Flags(libc::IFF_ATTACH_QUEUE), Err(EINVAL)),
    ("TUNSETQUEUE detach",             libc::TUNSETQUEUE, Flags(libc::IFF_DETACH_QUEUE), Ok(())),
    ("TUNSETQUEUE both when attached", libc::TUNSETQUEUE, Flags(libc::IFF_ATTACH_QUEUE | libc::IFF_DETACH_QUEUE), Err(EINVAL)),
    ("TUNSETQUEUE nothing",            libc::TUNSETQUEUE, Flags(0), Err(EINVAL)),
    ("TUNSETQUEUE other flags",        libc::TUNSETQUEUE, Flags(ALL_FLAGS), Err(EINVAL)),
    ("TUNSETSNDBUF 1",                 libc::TUNSETSNDBUF, Int(1), Ok(())),
    ("TUNSETSNDBUF longest",           libc::TUNSETSNDBUF, Int(i32::MAX), Ok(())),
    ("TUNSETSNDBUF 0",                 libc::TUNSETSNDBUF, Int(0), Err(EINVAL)),
    ("TUNSETSNDBUF -1",                libc::TUNSETSNDBUF, Int(-1), Err(EINVAL)),
    ("TUNSETSNDBUF most negative",     libc::TUNSETSNDBUF, Int(i32::MIN), Err(EINVAL)),
    ("TUNSETVNETHDRSZ 10",             libc::TUNSETVNETHDRSZ, Int(10), Ok(())),
    ("TUNSETVNETHDRSZ 12",             libc::TUNSETVNETHDRSZ, Int(12), Ok(())),
    ("TUNSETVNETHDRSZ 20",             libc::TUNSETVNETHDRSZ, Int(20), Ok(())),
    ("TUNSETVNETHDRSZ longest",        libc::TUNSETVNETHDRSZ, Int(i32::MAX), Ok(())),
    ("TUNSETVNETHDRSZ 9",              libc::TUNSETVNETHDRSZ, Int(9), Err(EINVAL)),
    ("TUNSETVNETHDRSZ 0",              libc::TUNSETVNETHDRSZ, Int(0), Err(EINVAL)),
    ("TUNSETVNETHDRSZ -1",             libc::TUNSETVNETHDRSZ, Int(-1), Err(EINVAL)),
    ("TUNSETVNETHDRSZ most negative",  libc::TUNSETVNETHDRSZ, Int(i32::MIN), Err(EINVAL)),
    ("TUNSETVNETLE 0",                 libc::TUNSETVNETLE, Int(0), Ok(())),
    ("TUNSETVNETLE 1",                 libc::TUNSETVNETLE, Int(1), Ok(())),
    ("TUNSETVNETLE -1",                libc::TUNSETVNETLE, Int(-1), Ok(())),
    ("TUNSETVNETBE 0",                 libc::TUNSETVNETBE, Int(0), Ok(())),
    ("TUNSETVNETBE 1",                 libc::TUNSETVNETBE, Int(1), Ok(())),
    ("TUNGETVNETBE",                   libc::TUNGETVNETBE, Int(0), Ok(())),
    ("TUNSETOFFLOAD ~0",               libc::TUNSETOFFLOAD, Value(usize::MAX), Err(EINVAL)),
    ("SIOCSIFHWADDR unicast",          libc::SIOCSIFHWADDR, Mac(ETHER, UNICAST), Ok(())),
    ("SIOCSIFHWADDR multicast",        libc::SIOCSIFHWADDR, Mac(ETHER, MULTICAST), Err(EADDRNOTAVAIL)),
    ("SIOCSIFHWADDR broadcast",        libc::SIOCSIFHWADDR, Mac(ETHER, [0xff; 6]), Err(EADDRNOTAVAIL)),
    ("SIOCSIFHWADDR zero",             libc::SIOCSIFHWADDR, Mac(ETHER, [0; 6]), Err(EADDRNOTAVAIL)),
    ("SIOCSIFHWADDR family 0",         libc::SIOCSIFHWADDR, Mac(0, UNICAST), Err(EINVAL)),
    ("SIOCSIFHWADDR loopback family",  libc::SIOCSIFHWADDR, Mac(libc::ARPHRD_LOOPBACK, UNICAST), Err(EINVAL)),
];

/// Requests of tun or of others: not ENOTTY, as programs rely on it.
const UNKNOWN: &[(&str, u64)] = &[
    ("TUNSETNOCSUM", libc::TUNSETNOCSUM),
    ("TUNSETPERSIST", libc::TUNSETPERSIST),
    ("TUNSETOWNER", libc::TUNSETOWNER),
    ("TUNSETGROUP", libc::TUNSETGROUP),
    ("TUNSETLINK", libc::TUNSETLINK),
    ("TUNSETTXFILTER", libc::TUNSETTXFILTER),
    ("TUNATTACHFILTER", libc::TUNATTACHFILTER),
    ("TUNDETACHFILTER", libc::TUNDETACHFILTER),
    ("TUNSETIFINDEX", libc::TUNSETIFINDEX),
    ("TUNSETCARRIER", libc::TUNSETCARRIER),
    ("TUNGETSNDBUF", libc::TUNGETSNDBUF),
    ("TUNGETFILTER", libc::TUNGETFILTER),
    ("TUNGETDEVNETNS", libc::TUNGETDEVNETNS),
    ("TUNSETSTEERINGEBPF", libc::TUNSETSTEERINGEBPF),
    ("TUNSETFILTEREBPF", libc::TUNSETFILTEREBPF),
    ("SIOCGSKNS", libc::SIOCGSKNS),
    ("TCGETS", libc::TCGETS),
    ("FIONREAD", libc::FIONREAD),
    ("SIOCGIFINDEX", libc::SIOCGIFINDEX),
    ("0xdead", 0xdead),
];

/// On a queue whose link was deleted.
#[rustfmt::skip]
const ORPHAN_CALLS: &[(&str, u64, Argument, nix::Result<()>)] = &[
    ("TUNSETIFF",                libc::TUNSETIFF, Flags(ALL_FLAGS), Ok(())),
    ("TUNSETIFF wrong flags",    libc::TUNSETIFF, Flags(0), Err(EINVAL)),
    ("TUNGETIFF",                libc::TUNGETIFF, Flags(0), Err(ENOLINK)),
    ("TUNGETIFF bad address",    libc::TUNGETIFF, Value(UNMAPPED), Err(ENOLINK)),
    ("TUNSETQUEUE attach",       libc::TUNSETQUEUE, Flags(libc::IFF_ATTACH_QUEUE), Err(EINVAL)),
    ("TUNSETQUEUE detach",       libc::TUNSETQUEUE, Flags(libc::IFF_DETACH_QUEUE), Err(EINVAL)),
    ("TUNSETQUEUE bad address",  libc::TUNSETQUEUE, Value(UNMAPPED), Err(EFAULT)),
    ("TUNGETFEATURES",           libc::TUNGETFEATURES, Int(0), Ok(())),
    ("TUNSETSNDBUF",             libc::TUNSETSNDBUF, Int(1000), Ok(())),
    ("TUNSETSNDBUF 0",           libc::TUNSETSNDBUF, Int(0), Err(EINVAL)),
    ("TUNSETOFFLOAD",            libc::TUNSETOFFLOAD, Value(0), Err(ENOLINK)),
    ("TUNSETOFFLOAD unknown",    libc::TUNSETOFFLOAD, Value(0x100), Err(EINVAL)),
    ("TUNSETVNETHDRSZ",          libc::TUNSETVNETHDRSZ, Int(12), Ok(())),
    ("TUNSETVNETHDRSZ 9",        libc::TUNSETVNETHDRSZ, Int(9), Err(EINVAL)),
    ("TUNGETVNETHDRSZ",          libc::TUNGETVNETHDRSZ, Int(0), Ok(())),
    ("TUNSETVNETLE",             libc::TUNSETVNETLE, Int(1), Ok(())),
    ("TUNGETVNETLE",             libc::TUNGETVNETLE, Int(0), Ok(())),
    ("SIOCGIFHWADDR",            libc::SIOCGIFHWADDR, Flags(0), Err(ENOLINK)),
    ("SIOCSIFHWADDR",            libc::SIOCSIFHWADDR, Mac(ETHER, UNICAST), Err(ENOLINK)),
    ("SIOCSIFHWADDR bad address", libc::SIOCSIFHWADDR, Value(UNMAPPED), Err(EFAULT)),
    ("unknown",                  0xdead, Value(0), Err(EINVAL)),
];

/// All that take an address, and what they make of a bad one.
const WITH_ADDRESS: &[(&str, u64, Errno)] = &[
    ("TUNSETIFF", libc::TUNSETIFF, EFAULT),
    ("TUNGETIFF", libc::TUNGETIFF, EFAULT),
    ("TUNSETQUEUE", libc::TUNSETQUEUE, EFAULT),
    ("TUNGETFEATURES", libc::TUNGETFEATURES, EFAULT),
    ("TUNSETSNDBUF", libc::TUNSETSNDBUF, EFAULT),
    ("TUNSETVNETHDRSZ", libc::TUNSETVNETHDRSZ, EFAULT),
    ("TUNGETVNETHDRSZ", libc::TUNGETVNETHDRSZ, EFAULT),
    ("TUNSETVNETLE", libc::TUNSETVNETLE, EFAULT),
    ("TUNGETVNETLE", libc::TUNGETVNETLE, EFAULT),
    ("TUNSETVNETBE", libc::TUNSETVNETBE, EFAULT),
    ("TUNGETVNETBE", libc::TUNGETVNETBE, EFAULT),
    ("SIOCGIFHWADDR", libc::SIOCGIFHWADDR, EFAULT),
    ("SIOCSIFHWADDR", libc::SIOCSIFHWADDR, EFAULT),
];

/// The result of a request that is refused unseen by kernels that were not built for both
/// byte orders. Whether this one was, tun tells: that is the kernel's own.
fn here<T>(request: u64, result: nix::Result<T>) -> nix::Result<T> {
    let big_endian = [libc::TUNSETVNETBE, libc::TUNGETVNETBE].contains(&request);
    if big_endian && !Tun::new("mt-tun").0.has_both_byte_orders() {
        return Err(EINVAL);
    }
    result
}

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, request, argument, result) in CALLS {
        let name = outcome(name, result);
        cases.push(Case::new(format!("32-bit {name}"), move || {
            let result = here(request, result);
            assert_eq!(call_32(&Lone::new().tap, request, argument), result);
        }));
        cases.push(Case::new(name, move || {
            let result = here(request, result);
            assert_eq!(call(&Lone::new().tap, request, argument), result);
        }));
    }
    for &(name, request, argument, result) in ORPHAN_CALLS {
        let name = outcome(name, result);
        cases.push(Case::new(format!("32-bit orphan {name}"), move || {
            assert_eq!(call_32(&Lone::orphan().tap, request, argument), result);
        }));
        cases.push(Case::new(format!("orphan {name}"), move || {
            assert_eq!(call(&Lone::orphan().tap, request, argument), result);
        }));
    }
    for &(name, request) in UNKNOWN {
        cases.push(Case::new(format!("{name} is unknown"), move || {
            let Lone { tap, .. } = &Lone::new();
            assert_eq!(call(tap, request, Int(0)), Err(EINVAL));
            assert_eq!(call(tap, request, Value(UNMAPPED)), Err(EINVAL));
        }));
    }
    for &(name, request, error) in WITH_ADDRESS {
        cases.push(Case::new(format!("{name} bad address"), move || {
            let Lone { tap, .. } = &Lone::new();
            for address in [0, UNMAPPED, KERNEL, usize::MAX] {
                assert_eq!(
                    call(tap, request, Value(address)),
                    here(request, Err(error)),
                    "{address:#x}"
                );
            }
        }));
    }
    cases.extend(cases![
        offload_bits,
        features,
        name_and_flags_of_a_new_queue,
        flags_follow_tunsetiff,
        name_in_tunsetiff_is_ignored,
        queue_detach_and_attach,
        header_size_is_the_queues_own,
        byte_order_is_the_queues_own,
        refused_size_changes_nothing,
        request_at_the_end_of_memory,
        request_cut_by_the_end_of_memory,
        address_at_the_end_of_memory,
        from_a_32_bit_program,
        from_a_32_bit_program_wrong,
    ]);
    cases
}

fn outcome(name: &str, result: nix::Result<()>) -> String {
    match result {
        Ok(()) => name.into(),
        Err(error) => format!("{name} gives {error:?}"),
    }
}

fn call(tap: &Tap, request: u64, argument: Argument) -> nix::Result<()> {
    match argument {
        Value(value) => tap.ioctl(request, value),
        Int(number) => tap.set_number(request, number),
        Flags(flags) => tap.ioctl(request, IfReq::new(flags).address()),
        Mac(family, mac) => tap.ioctl(request, IfReq::with_address(family, mac).address()),
    }
}

/// The same from a 32-bit program, whose ifreq is shorter.
fn call_32(tap: &Tap, request: u64, argument: Argument) -> nix::Result<()> {
    let mut memory = Guarded::new(NAME_AND_ADDRESS);
    let mut put = |bytes: &[u8]| memory.put_at_tail(bytes);
    let argument = match argument {
        Value(value) => value as u32 as usize,
        Int(number) => put(&number.to_ne_bytes()),
        Flags(flags) => put(&IfReq::new(flags).bytes()[..NAME_AND_ADDRESS]),
        Mac(family, mac) => put(&IfReq::with_address(family, mac).bytes()[..NAME_AND_ADDRESS]),
    };
    compat::ioctl(tap.as_raw_fd(), request, argument)
}

fn offload_bits() {
    let Lone { tap, .. } = &Lone::new();
    for bits in 0..=EVERY_OFFLOAD {
        assert_eq!(tap.ioctl(libc::TUNSETOFFLOAD, bits), Ok(()), "{bits:#x}");
    }
    for bit in 7..usize::BITS {
        for bits in [1 << bit, (1 << bit) | EVERY_OFFLOAD] {
            assert_eq!(
                tap.ioctl(libc::TUNSETOFFLOAD, bits),
                Err(EINVAL),
                "{bits:#x}"
            );
        }
    }
}

fn features() {
    let Lone { tap, .. } = &Lone::new();
    assert_eq!(tap.number(libc::TUNGETFEATURES), Ok(ALL_FLAGS));
}

fn name_and_flags_of_a_new_queue() {
    let lone = Lone::new();
    let (name, flags) = lone.tap.name_and_flags().expect("TUNGETIFF");
    assert_eq!(name, lone.link.name);
    assert_eq!(flags, TAP_NO_PI | libc::IFF_VNET_HDR);
}

fn flags_follow_tunsetiff() {
    let lone = Lone::new();
    let other = Tap::open(&lone.link);
    for flags in [
        TAP_NO_PI,
        TAP_NO_PI | libc::IFF_MULTI_QUEUE,
        ALL_FLAGS,
        TAP_NO_PI | libc::IFF_VNET_HDR,
        TAP_NO_PI,
    ] {
        lone.tap.set_flags(flags).expect("TUNSETIFF");
        // What is refused changes nothing.
        assert_eq!(lone.tap.set_flags(flags | libc::IFF_TUN), Err(EINVAL));
        assert_eq!(lone.tap.name_and_flags().expect("TUNGETIFF").1, flags);
    }
    let (_, flags) = other.name_and_flags().expect("TUNGETIFF");
    assert_eq!(flags, TAP_NO_PI | libc::IFF_VNET_HDR, "the other queue's");
}

fn name_in_tunsetiff_is_ignored() {
    let lone = Lone::new();
    let mut request = IfReq::new(TAP_NO_PI);
    request.name = [b'x'; 16];
    assert_eq!(lone.tap.ioctl(libc::TUNSETIFF, request.address()), Ok(()));
    let (name, _) = lone.tap.name_and_flags().expect("TUNGETIFF");
    assert_eq!(name, lone.link.name);
}

fn queue_detach_and_attach() {
    let Lone { tap, .. } = &Lone::new();
    for _ in 0..3 {
        assert_eq!(tap.set_queue(libc::IFF_DETACH_QUEUE), Ok(()));
        assert_eq!(tap.set_queue(libc::IFF_DETACH_QUEUE), Err(EINVAL));
        // With both bits set it attaches.
        let both = libc::IFF_ATTACH_QUEUE | libc::IFF_DETACH_QUEUE;
        assert_eq!(tap.set_queue(both), Ok(()));
        assert_eq!(tap.set_queue(both), Err(EINVAL));
        assert_eq!(tap.set_queue(libc::IFF_DETACH_QUEUE), Ok(()));
        assert_eq!(tap.set_queue(libc::IFF_ATTACH_QUEUE), Ok(()));
        assert_eq!(tap.set_queue(libc::IFF_ATTACH_QUEUE), Err(EINVAL));
    }
}

fn header_size_is_the_queues_own() {
    let lone = Lone::new();
    let other = Tap::open(&lone.link);
    assert_eq!(lone.tap.number(libc::TUNGETVNETHDRSZ), Ok(10));
    for size in [12, 20, 64, i32::MAX, 10] {
        lone.tap
            .set_number(libc::TUNSETVNETHDRSZ, size)
            .expect("a size");
        assert_eq!(lone.tap.number(libc::TUNGETVNETHDRSZ), Ok(size));
        assert_eq!(other.number(libc::TUNGETVNETHDRSZ), Ok(10));
    }
}

fn byte_order_is_the_queues_own() {
    let lone = Lone::new();
    let other = Tap::open(&lone.link);
    assert_eq!(lone.tap.number(libc::TUNGETVNETLE), Ok(0));
    for (set, get) in [(1, 1), (0, 0), (2, 1), (-1, 1), (0, 0)] {
        lone.tap
            .set_number(libc::TUNSETVNETLE, set)
            .expect("an order");
        assert_eq!(lone.tap.number(libc::TUNGETVNETLE), Ok(get));
        assert_eq!(other.number(libc::TUNGETVNETLE), Ok(0));
    }
    // It is no flag of the interface.
    lone.tap
        .set_number(libc::TUNSETVNETLE, 1)
        .expect("an order");
    lone.tap.set_flags(ALL_FLAGS).expect("TUNSETIFF");
    assert_eq!(lone.tap.number(libc::TUNGETVNETLE), Ok(1));
    assert_eq!(lone.tap.name_and_flags().expect("TUNGETIFF").1, ALL_FLAGS);
}

fn refused_size_changes_nothing() {
    let Lone { tap, .. } = &Lone::new();
    tap.set_number(libc::TUNSETVNETHDRSZ, 12).expect("a size");
    assert_eq!(tap.set_number(libc::TUNSETVNETHDRSZ, 9), Err(EINVAL));
    assert_eq!(tap.number(libc::TUNGETVNETHDRSZ), Ok(12));
}

/// Programs that know only the beginning of `struct ifreq` are served.
fn request_at_the_end_of_memory() {
    let lone = Lone::new();
    let mut memory = Guarded::new(NAME_AND_ADDRESS);

    let mut request = [0; NAME_AND_FLAGS];
    request[NAME..].copy_from_slice(&(TAP_NO_PI as u16).to_ne_bytes());
    let address = memory.put_at_tail(&request);
    assert_eq!(lone.tap.ioctl(libc::TUNSETIFF, address), Ok(()));

    memory.put_at_tail(&[0xa5; NAME_AND_FLAGS]);
    assert_eq!(lone.tap.ioctl(libc::TUNGETIFF, address), Ok(()));
    let answer = memory.bytes().last_chunk::<NAME_AND_FLAGS>().expect("them");
    let name = lone.link.name.as_bytes();
    assert_eq!(&answer[..name.len()], name);
    assert!(answer[name.len()..NAME].iter().all(|&byte| byte == 0));
    assert_eq!(answer[NAME..], (TAP_NO_PI as u16).to_ne_bytes());

    request[NAME..].copy_from_slice(&(libc::IFF_DETACH_QUEUE as u16).to_ne_bytes());
    let address = memory.put_at_tail(&request);
    assert_eq!(lone.tap.ioctl(libc::TUNSETQUEUE, address), Ok(()));
}

fn request_cut_by_the_end_of_memory() {
    let lone = Lone::new();
    let mut memory = Guarded::new(NAME_AND_ADDRESS);
    for mapped in [NAME, NAME + 1] {
        let address = memory.put_at_tail(&vec![0; mapped]);
        for request in [libc::TUNSETIFF, libc::TUNGETIFF, libc::TUNSETQUEUE] {
            assert_eq!(
                lone.tap.ioctl(request, address),
                Err(EFAULT),
                "{request:#x}"
            );
        }
    }
    let address = memory.put_at_tail(&[0; NAME_AND_ADDRESS - 1]);
    for request in [libc::SIOCGIFHWADDR, libc::SIOCSIFHWADDR] {
        assert_eq!(
            lone.tap.ioctl(request, address),
            Err(EFAULT),
            "{request:#x}"
        );
    }
}

fn address_at_the_end_of_memory() {
    let lone = Lone::new();
    let mut memory = Guarded::new(NAME_AND_ADDRESS);
    let mut request = [0; NAME_AND_ADDRESS];
    request[NAME..NAME_AND_FLAGS].copy_from_slice(&ETHER.to_ne_bytes());
    request[NAME_AND_FLAGS..][..6].copy_from_slice(&UNICAST);
    let address = memory.put_at_tail(&request);
    assert_eq!(lone.tap.ioctl(libc::SIOCSIFHWADDR, address), Ok(()));

    memory.put_at_tail(&[0xa5; NAME_AND_ADDRESS]);
    assert_eq!(lone.tap.ioctl(libc::SIOCGIFHWADDR, address), Ok(()));
    let answer = memory.bytes().last_chunk::<NAME_AND_ADDRESS>().expect("it");
    assert_eq!(answer[NAME..], request[NAME..]);
}

fn from_a_32_bit_program() {
    let lone = Lone::new();
    let other = Tap::open(&lone.link);
    let mut memory = Guarded::new(NAME_AND_ADDRESS);
    let mut call = |request, argument: &[u8]| {
        let address = memory.put_at_tail(argument);
        let done = compat::ioctl(lone.tap.as_raw_fd(), request, address);
        assert_eq!(done, Ok(()), "{request:#x}");
        let start = memory.bytes().len() - argument.len();
        memory.bytes()[start..].to_vec()
    };
    let ifreq = |flags| IfReq::new(flags).bytes()[..NAME_AND_ADDRESS].to_vec();

    let features = call(libc::TUNGETFEATURES, &[0; 4]);
    assert_eq!(features, ALL_FLAGS.to_ne_bytes());
    call(libc::TUNSETVNETHDRSZ, &12i32.to_ne_bytes());
    assert_eq!(lone.tap.number(libc::TUNGETVNETHDRSZ), Ok(12));
    let size = call(libc::TUNGETVNETHDRSZ, &[0; 4]);
    assert_eq!(size, 12i32.to_ne_bytes());
    call(libc::TUNSETVNETLE, &1i32.to_ne_bytes());
    assert_eq!(lone.tap.number(libc::TUNGETVNETLE), Ok(1));
    let order = call(libc::TUNGETVNETLE, &[0; 4]);
    assert_eq!(order, 1i32.to_ne_bytes());
    call(libc::TUNSETIFF, &ifreq(TAP_NO_PI));
    let (name, flags) = lone.tap.name_and_flags().expect("TUNGETIFF");
    assert_eq!(flags, TAP_NO_PI);
    let answer = call(libc::TUNGETIFF, &ifreq(0));
    assert_eq!(&answer[..name.len()], name.as_bytes());
    assert_eq!(answer[NAME..NAME_AND_FLAGS], (flags as u16).to_ne_bytes());
    call(libc::TUNSETQUEUE, &ifreq(libc::IFF_DETACH_QUEUE));
    assert_eq!(lone.tap.set_queue(libc::IFF_DETACH_QUEUE), Err(EINVAL));
    call(libc::TUNSETQUEUE, &ifreq(libc::IFF_ATTACH_QUEUE));
    assert_eq!(lone.tap.set_queue(libc::IFF_ATTACH_QUEUE), Err(EINVAL));
    call(
        libc::SIOCSIFHWADDR,
        &IfReq::with_address(ETHER, UNICAST).bytes()[..NAME_AND_ADDRESS],
    );
    assert_eq!(lone.link.address(), UNICAST);
    let answer = call(libc::SIOCGIFHWADDR, &[0xa5; NAME_AND_ADDRESS]);
    assert_eq!(answer[NAME..NAME_AND_FLAGS], ETHER.to_ne_bytes());
    assert_eq!(answer[NAME_AND_FLAGS..][..6], UNICAST);
    // Nor does it touch the other queue.
    assert_eq!(other.number(libc::TUNGETVNETHDRSZ), Ok(10));
    assert_eq!(other.number(libc::TUNGETVNETLE), Ok(0));
}

fn from_a_32_bit_program_wrong() {
    let lone = Lone::new();
    let fd = lone.tap.as_raw_fd();
    for &(name, request, error) in WITH_ADDRESS {
        assert_eq!(
            compat::ioctl(fd, request, UNMAPPED),
            here(request, Err(error)),
            "{name}"
        );
    }
    for &(name, request) in UNKNOWN {
        assert_eq!(compat::ioctl(fd, request, UNMAPPED), Err(EINVAL), "{name}");
    }
    assert_eq!(compat::ioctl(fd, libc::TUNSETOFFLOAD, 0x80), Err(EINVAL));
}
