// SPDX-License-Identifier: GPL-2.0
//! Queues that come and go, and what is set of them, while frames pass.

use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use netlink_packet_route::link::LinkAttribute;
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::signal::SaFlags;

use super::race::{times, Race, SEED};
use super::traffic::{self, assert_usable, Frames, BUFFER};
use crate::frame::{Packet, Protocol};
use crate::setup::{Pair, Wire};
use crate::sys::link::{Mac, OTHER_MAC, PEER_MAC, TAP_MAC};
use crate::sys::process::{self, Blocked};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::{ethtool, wait};
use crate::vnet::{self, VnetHeader};

const ATTACH: i32 = libc::IFF_ATTACH_QUEUE;
const DETACH: i32 = libc::IFF_DETACH_QUEUE;

fn attached(taps: &[Tap], only: usize) {
    for (number, tap) in taps.iter().enumerate() {
        traffic::set_queue(tap, if number == only { ATTACH } else { DETACH });
    }
}

/// Closing a queue meets frames for it, even those that it takes long to receive.
pub fn closed_under_flood() {
    let mut wire = Wire::new();
    let stays = Tap::open(&wire.link);
    stays.set_offload(0).expect("TUNSETOFFLOAD");
    Race::default()
        .with("queues closed", times(400), |_| {
            drop(Tap::open(&wire.link));
            true
        })
        .with(
            "long packets sent",
            times(250),
            traffic::send_long(&wire.peer_link),
        )
        .with("frames read", times(400), traffic::read_any(&stays))
        .with("frames sent", times(2000), traffic::send(&wire.peer_link))
        .with_frames_out(&stays, &mut wire.peer)
        .run();
    drop(stays);
    assert_usable(&wire, &wire.link);
}

/// Each queue has its place in the table, whoever else leaves and comes back.
pub fn attached_and_detached() {
    let mut wire = Wire::new();
    let taps: Vec<_> = (0..4).map(|_| Tap::open(&wire.link)).collect();
    let frames = Frames::incoming();
    let toggle = |rng: &mut Rng| {
        let tap = &taps[rng.usize(1..4)];
        traffic::set_queue(tap, if rng.bool() { ATTACH } else { DETACH });
        true
    };
    Race::default()
        .with("queues switched", times(8000), toggle)
        .with("queues switched", times(8000), toggle)
        .with("frames read", times(1000), |rng| {
            traffic::read_one(&taps[rng.usize(..4)], &frames)
        })
        .with("frames sent", times(4000), traffic::send(&wire.peer_link))
        .with_frames_out(&taps[3], &mut wire.peer)
        .run();
    // The count and the places are right if each of them gets a frame when it is alone.
    for only in 0..taps.len() {
        attached(&taps, only);
        for tap in &taps {
            while tap.read(&mut [0; BUFFER]).is_ok() {}
        }
        wire.assert_nothing_arrived(&taps[only]);
        taps.iter().for_each(Tap::assert_empty);
    }
    drop(taps);
    assert_usable(&wire, &wire.link);
}

/// Frames, readers and pollers meet another ring.
pub fn resized() {
    let mut wire = Wire::new();
    let taps = [Tap::open(&wire.link), Tap::open(&wire.link)];
    taps[0].set_offload(0).expect("TUNSETOFFLOAD");
    let resize = |rng: &mut Rng| {
        let length = rng.choice([0, 1, 2, 7, 100, 500, 1000]).expect("a length");
        wire.link
            .set(LinkAttribute::TxQueueLen(length))
            .expect("a length");
        true
    };
    Race::default()
        .with("rings resized", times(60), resize)
        .with(
            "long packets sent",
            times(100),
            traffic::send_long(&wire.peer_link),
        )
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("frames read", times(400), traffic::read_any(&taps[1]))
        .with("frames read", times(400), traffic::read_any(&taps[0]))
        .with("polls", times(4000), |_| {
            let events = wait::events_now(&taps[0], PollFlags::POLLIN | PollFlags::POLLOUT);
            assert!(events.contains(PollFlags::POLLOUT), "{events:?}");
            true
        })
        .with("queues opened", times(40), |_| {
            drop(Tap::open(&wire.link));
            true
        })
        .with_frames_out(&taps[0], &mut wire.peer)
        .run();
    wire.link
        .set(LinkAttribute::TxQueueLen(500))
        .expect("a length");
    drop(taps);
    assert_usable(&wire, &wire.link);
}

/// Long packets meet readers that have just ceased to take them.
pub fn offloads_switched() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let long = [Protocol::Tcp4, Protocol::Tcp6]
        .map(|protocol| Packet::incoming(protocol, 10_000).build_gso(1000));
    let send = traffic::send_any(&wire.peer_link, long.into());
    const WAYS: [u32; 4] = [
        0,
        libc::TUN_F_CSUM,
        libc::TUN_F_CSUM | libc::TUN_F_TSO4,
        libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6,
    ];
    let switch_queue = |rng: &mut Rng| {
        tap.set_offload(WAYS[rng.usize(..WAYS.len())])
            .expect("TUNSETOFFLOAD");
        true
    };
    let switch_link = |rng: &mut Rng| {
        let (name, command) = ethtool::SWITCHES[rng.usize(..ethtool::SWITCHES.len())];
        let done = ethtool::switch(&wire.lower, command, rng.bool());
        assert_eq!(done, Ok(()), "{name}");
        true
    };
    Race::default()
        .with("offloads switched", times(400), switch_queue)
        .with("packets sent", times(1000), send)
        .with("features switched", times(100), switch_link)
        .with("packets read", times(400), |_| {
            let mut buffer = [0; 16_384];
            match tap.read(&mut buffer) {
                Ok(length) => {
                    let header = VnetHeader::from_bytes(&buffer);
                    let whole = header.gso_type != vnet::GSO_NONE;
                    assert!(
                        whole || length < 1600,
                        "{length} bytes, not to be segmented"
                    );
                    true
                }
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    false
                }
            }
        })
        .with_frames_out(&tap, &mut wire.peer)
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// A frame comes with one header, whole, or without one.
pub fn headers_switched() {
    const SIZES: [i32; 3] = [10, 12, 64];
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frames = Frames::incoming();
    let fixed = libc::IFF_TAP | libc::IFF_NO_PI;
    let switch = |rng: &mut Rng| {
        match rng.u8(..4) {
            0 => tap.set_flags(fixed),
            1 => tap.set_flags(fixed | libc::IFF_VNET_HDR),
            2 => tap.set_number(libc::TUNSETVNETLE, i32::from(rng.bool())),
            _ => tap.set_number(libc::TUNSETVNETHDRSZ, SIZES[rng.usize(..3)]),
        }
        .expect("a setting");
        true
    };
    let read = |_: &mut Rng| {
        let mut buffer = [0; BUFFER];
        let Ok(length) = tap.read(&mut buffer) else {
            return false;
        };
        let ends_with_frame = |start: usize| start < length && frames.has(&buffer[start..length]);
        assert!(
            ends_with_frame(0) || SIZES.iter().any(|&size| ends_with_frame(size as usize)),
            "{length} bytes, which do not end with a frame"
        );
        true
    };
    let write = |rng: &mut Rng| {
        // What is taken for a header may be none.
        let bytes = vnet::plain(traffic_frame(rng));
        match tap.write(&bytes) {
            Ok(length) => assert_eq!(length, bytes.len()),
            Err(error) => assert!([Errno::EINVAL, Errno::EAGAIN].contains(&error), "{error}"),
        }
        true
    };
    Race::default()
        .with("settings", times(8000), switch)
        .with("frames sent", times(4000), traffic::send(&wire.peer_link))
        .with("settings", times(8000), switch)
        .with("frames read", times(400), read)
        .with("frames written", times(1000), write)
        .with(
            "frames arrived",
            times(40),
            traffic::discard(&mut wire.peer),
        )
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

fn traffic_frame(rng: &mut Rng) -> &'static [u8] {
    static FRAME: std::sync::LazyLock<Vec<u8>> =
        std::sync::LazyLock::new(|| Packet::outgoing(Protocol::Udp4, 200).build());
    &FRAME[..rng.usize(14..FRAME.len())]
}

/// Whoever waits for room is told of room, of a larger buffer, or of the link's end. In C,
/// only a signal ends it for sure.
pub fn send_buffer(told: bool) {
    process::handle_signals(SaFlags::empty());
    let mut rng = Rng::with_seed(SEED);
    let rounds = times(8);
    for round in 0..rounds {
        println!("round {round}");
        let pair = Pair::new(0);
        let frames = pair.fill();
        let writers: Vec<_> = (0..2)
            .map(|cpu| {
                let near = pair.near.duplicate();
                Blocked::start_any(libc::SYS_write, move || {
                    process::pin_to_cpu(cpu);
                    near.write(&vnet::plain(&Pair::frame()))
                })
            })
            .collect();
        let relieve = || {
            for _ in 0..frames {
                let _ = pair.far.read(&mut [0; BUFFER]);
            }
        };
        let enlarge = || {
            let set = pair.near.set_number(libc::TUNSETSNDBUF, 1_000_000);
            set.expect("TUNSETSNDBUF");
        };
        let mut actions: Vec<super::race::Once<'_>> = vec![Box::new(relieve), Box::new(enlarge)];
        if rng.bool() {
            actions.push(Box::new(|| {
                pair.wire.link.delete().expect("a link to delete")
            }));
        }
        super::race::at_once(&mut rng, actions);
        for writer in writers {
            let length = vnet::SIZE + Pair::frame().len();
            if told {
                let result = writer.result();
                let allowed = [Ok(length), Err(Errno::ENETDOWN)];
                assert!(allowed.contains(&result), "{result:?}");
                continue;
            }
            let mut result = None;
            wait::until("a writer to return", || {
                writer.signal();
                result = writer.result_now();
                result.is_some()
            });
            let result = result.expect("a result");
            assert!(
                [Ok(length), Err(Errno::EINTR)].contains(&result),
                "{result:?}"
            );
        }
    }
    crate::ktap::operations(rounds * 4, "(writers relieved)");
}

/// An address is one of those that were set, as a whole.
pub fn address() {
    const ADDRESSES: [Mac; 2] = [TAP_MAC, OTHER_MAC];
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let both = ADDRESSES.map(|address| Frames::between(PEER_MAC, address));
    let all = both.iter().flat_map(Frames::plain).collect();
    let send = traffic::send_any(&wire.peer_link, all);
    Race::default()
        .with("addresses set by ioctl", times(400), |rng| {
            let mut request = IfReq::with_address(libc::ARPHRD_ETHER, ADDRESSES[rng.usize(..2)]);
            tap.ioctl(libc::SIOCSIFHWADDR, request.address())
                .expect("SIOCSIFHWADDR");
            true
        })
        .with("addresses set by netlink", times(400), |rng| {
            let address = ADDRESSES[rng.usize(..2)].to_vec();
            wire.link
                .set(LinkAttribute::Address(address))
                .expect("an address");
            true
        })
        .with("addresses got", times(400), |_| {
            let mut request = IfReq::new(0);
            tap.ioctl(libc::SIOCGIFHWADDR, request.address())
                .expect("SIOCGIFHWADDR");
            let address = &request.data[2..8];
            assert!(ADDRESSES.iter().any(|own| own == address), "{address:02x?}");
            true
        })
        .with("frames sent", times(4000), send)
        .with("frames read", times(400), |_| {
            let mut buffer = [0; BUFFER];
            let Ok(length) = tap.read(&mut buffer) else {
                return false;
            };
            let frame = &buffer[vnet::SIZE..length];
            assert!(both.iter().any(|frames| frames.has(frame)), "no frame");
            true
        })
        .with_frames_out(&tap, &mut wire.peer)
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// What a link may have.
const LIMIT: usize = 256;

/// More queues than there can be.
pub fn limit() {
    let wire = Wire::new();
    let surely = AtomicUsize::new(0);
    let node = wire.link.node();
    let come_and_go = |taps: &mut Vec<Tap>, rng: &mut Rng| {
        if rng.usize(..140) < taps.len() {
            surely.fetch_sub(1, Ordering::SeqCst);
            taps.swap_remove(rng.usize(..taps.len()));
            return true;
        }
        match Tap::open_path(&node, libc::O_NONBLOCK) {
            Ok(tap) => {
                let open = surely.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(open <= LIMIT, "{open} queues");
                taps.push(tap);
            }
            Err(error) => assert_eq!(error, Errno::EBUSY),
        }
        true
    };
    let (mut a, mut b, mut c, mut d) = (vec![], vec![], vec![], vec![]);
    Race::default()
        .with("queues opened or closed", times(400), |rng| {
            come_and_go(&mut a, rng)
        })
        .with("queues opened or closed", times(400), |rng| {
            come_and_go(&mut b, rng)
        })
        .with("queues opened or closed", times(400), |rng| {
            come_and_go(&mut c, rng)
        })
        .with("queues opened or closed", times(400), |rng| {
            come_and_go(&mut d, rng)
        })
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .run();
    drop((a, b, c, d));
    let taps: Vec<_> = (0..LIMIT).map(|_| Tap::open(&wire.link)).collect();
    assert_eq!(Tap::open_path(&node, 0).err(), Some(Errno::EBUSY));
    drop(taps);
    assert_usable(&wire, &wire.link);
}
