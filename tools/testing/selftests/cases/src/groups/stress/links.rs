// SPDX-License-Identifier: GPL-2.0
//! Links that come, change and go, while files of theirs are used.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Mutex;
use std::{fs, thread};

use fastrand::Rng;
use netlink_packet_route::link::{InfoMacVtap, LinkAttribute, MacVtapMode, Prop};
use nix::errno::Errno;
use nix::sys::stat::{mknod, Mode, SFlag};
use nix::unistd::unlink;

use super::race::{at_once, times, Once, Race, SEED};
use super::traffic::{self, assert_usable, Frames, BUFFER};
use crate::driver::{Driver, Minors};
use crate::frame;
use crate::ktap;
use crate::setup::Wire;
use crate::sys::link::{self, Link, Macvtap, LOWER, PEER_MAC, TAP, TAP2, TAP2_MAC, TAP_MAC};
use crate::sys::netns::Netns;
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::{ethtool, module, netlink, wait};
use crate::vnet;

/// Free in every network namespace of the tests.
const INDEX: u32 = 5201;

/// What an open node may be used for, whether its link is there or not.
fn use_once(tap: &Tap, rng: &mut Rng) {
    let gone = |result: nix::Result<()>| match result {
        Ok(()) | Err(Errno::ENOLINK | Errno::EINVAL) => (),
        Err(error) => panic!("{error}"),
    };
    match rng.u8(..5) {
        0 => gone(tap.name_and_flags().map(drop)),
        1 => gone(tap.set_queue(libc::IFF_DETACH_QUEUE)),
        2 => gone(tap.set_offload(0)),
        3 => assert_eq!(tap.write(&vnet::plain(&frame::outgoing(60))), Ok(70)),
        _ => {
            let _ = tap.read(&mut [0; BUFFER]);
        }
    }
}

/// Whether there was a link to open.
fn open_once(path: &str, rng: &mut Rng) -> bool {
    match Tap::open_path(path, libc::O_NONBLOCK) {
        Ok(tap) => {
            use_once(&tap, rng);
            true
        }
        Err(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO | Errno::EBUSY) => false,
        Err(error) => panic!("opening {path}: {error}"),
    }
}

fn of_index(name: &'static str) -> Macvtap {
    Macvtap {
        name,
        index: INDEX,
        ..Macvtap::default()
    }
}

/// The node is opened from the moment on at which it is there, sooner than by anyone who
/// waits for an event; another one with its number is there always.
pub fn opened_and_deleted() {
    let (lower, _peer) = Link::veth();
    lower.set_up(true).expect("a link that is up");
    let link = of_index(TAP).create(&lower).expect("a link");
    let node = link.node();
    let number = fs::metadata(&node).expect("the node").rdev();
    let stale = format!("/dev/mt-node-{}", std::process::id());
    mknod(
        stale.as_str(),
        SFlag::S_IFCHR,
        Mode::S_IRUSR | Mode::S_IWUSR,
        number,
    )
    .expect("mknod");
    let mut link = Some(link);
    Race::default()
        .with("links made or deleted", times(40), |_| {
            link = match link.take() {
                Some(link) => {
                    drop(link);
                    None
                }
                None => Some(of_index(TAP).create(&lower).expect("a link")),
            };
            true
        })
        .with("nodes opened", times(200), |rng| open_once(&node, rng))
        .with("stale nodes opened", times(200), |rng| {
            open_once(&stale, rng)
        })
        .with("nodes opened", times(200), |rng| open_once(&node, rng))
        .run();
    drop(link.take());
    unlink(stale.as_str()).expect("unlink");
    of_index(TAP).create(&lower).expect("a link");
}

/// A wire whose link is made for every round.
fn bare_wire() -> Wire {
    let wire = Wire::new();
    wire.link.delete().expect("a link to delete");
    wire
}

fn another_link(lower: &Link) -> Link {
    let link = Macvtap::default().create(lower).expect("a link");
    link.set_up(true).expect("a link that is up");
    link
}

/// A queue loses its link in three ways at once.
pub fn detached_closed_and_deleted() {
    let mut wire = bare_wire();
    let lower = &wire.lower;
    Race::default()
        .with("rounds", times(12), |rng| {
            let link = &another_link(lower);
            let [first, second] = [Tap::open(link), Tap::open(link)];
            first.set_offload(0).expect("TUNSETOFFLOAD");
            let copy = first.duplicate();
            let mut actions: Vec<Once<'_>> = vec![
                Box::new(move || {
                    for flags in [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE] {
                        traffic::set_queue(&copy, flags);
                    }
                }),
                Box::new(|| link.delete().expect("a link to delete")),
                Box::new(move || drop(second)),
                Box::new(move || drop(first)),
            ];
            rng.shuffle(&mut actions);
            at_once(rng, actions);
            true
        })
        .with(
            "frames sent",
            times(80),
            traffic::send_long(&wire.peer_link),
        )
        .with("frames arrived", 0, traffic::discard(&mut wire.peer))
        .run();
    let link = another_link(&wire.lower);
    assert_usable(&wire, &link);
}

/// The link goes with the device below it.
pub fn lower_deleted() {
    let mut rng = Rng::with_seed(SEED);
    let rounds = times(6);
    for round in 0..rounds {
        println!("round {round}");
        let mut wire = Wire::new();
        let taps = [Tap::open(&wire.link), Tap::open(&wire.link)];
        let (node, seed) = (wire.link.node(), rng.u64(..));
        let mut send = traffic::send(&wire.peer_link);
        let mut discard = traffic::discard(&mut wire.peer);
        let lower = &wire.lower;
        let [first, second] = &taps;
        at_once(
            &mut rng,
            vec![
                Box::new(move || {
                    let mut rng = Rng::with_seed(seed);
                    for _ in 0..100 {
                        send(&mut rng);
                        discard(&mut rng);
                    }
                }),
                Box::new(move || {
                    thread::sleep(std::time::Duration::from_micros(seed % 5000));
                    lower.delete().expect("a device to delete");
                }),
                Box::new(move || {
                    let frame = vnet::plain(&frame::outgoing(60));
                    (0..200).for_each(|_| assert_eq!(first.write(&frame), Ok(70)));
                }),
                Box::new(move || {
                    (0..200).for_each(|_| {
                        let _ = second.read(&mut [0; BUFFER]);
                    })
                }),
                Box::new(move || {
                    let mut rng = Rng::with_seed(seed);
                    (0..50).for_each(|_| {
                        open_once(&node, &mut rng);
                    });
                }),
            ],
        );
        for tap in &taps {
            assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
        }
    }
    ktap::operations(rounds * 651, "(devices deleted, frames, nodes opened)");
    let wire = Wire::new();
    assert_usable(&wire, &wire.link);
}

/// The lower device changes below a link that is used.
pub fn lower_changed(mode: MacVtapMode) {
    let mut wire = Wire::with(Macvtap {
        mode,
        ..Macvtap::default()
    });
    let address = wire.lower.address();
    // A passthru link has the lower device's address, or gives it its own.
    let own = wire.link.address();
    let tap = Tap::open(&wire.link);
    let change = |rng: &mut Rng| {
        match rng.u8(..5) {
            0 => wire.lower.set(LinkAttribute::Mtu(rng.u32(1300..1600))),
            1 => wire.lower.set_up(rng.bool()),
            // The carrier.
            2 => wire.peer_link.set_up(rng.bool()),
            3 => {
                let mut other = address;
                other[5] ^= rng.u8(..4);
                wire.lower.set(LinkAttribute::Address(other.to_vec()))
            }
            _ => {
                let (_, command) = ethtool::SWITCHES[rng.usize(..ethtool::SWITCHES.len())];
                ethtool::switch(&wire.lower, command, rng.bool())
            }
        }
        .expect("a change");
        true
    };
    Race::default()
        .with("changes", times(200), change)
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("frames written", times(1000), traffic::write(&tap))
        .with("frames read", times(10), |_| {
            tap.read(&mut [0; BUFFER]).is_ok()
        })
        .with("nodes opened", times(100), |_| {
            drop(Tap::open(&wire.link));
            true
        })
        .with(
            "frames arrived",
            times(10),
            traffic::discard(&mut wire.peer),
        )
        .run();
    drop(tap);
    wire.lower
        .set(LinkAttribute::Address(address.to_vec()))
        .expect("an address");
    wire.link
        .set(LinkAttribute::Address(own.to_vec()))
        .expect("an address");
    for link in [&wire.lower, &wire.peer_link, &wire.link] {
        link.set_up(true).expect("a link that is up");
    }
    assert_usable(&wire, &wire.link);
}

/// The link itself, and the one on the other side of its wire.
pub fn down_and_up() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    Race::default()
        .with("links switched", times(100), |rng| {
            let link = if rng.bool() { &wire.link } else { &wire.lower };
            link.set_up(rng.bool()).expect("a link that is up or down");
            true
        })
        .with("frames written", times(2000), traffic::write(&tap))
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("frames written", times(2000), traffic::write(&tap))
        .with("frames read", times(10), traffic::read(&tap))
        .with(
            "frames arrived",
            times(10),
            traffic::discard(&mut wire.peer),
        )
        .run();
    drop(tap);
    for link in [&wire.lower, &wire.link] {
        link.set_up(true).expect("a link that is up");
    }
    assert_usable(&wire, &wire.link);
}

/// A name is one of those that the link had, as a whole.
pub fn renamed() {
    const NAMES: [&str; 3] = [TAP, "mt-another-name", "mt-t"];
    const ALTERNATIVE: &str = "mt-alternative";
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let has_alternative = Mutex::new(false);
    Race::default()
        .with("names given", times(200), |rng| {
            let name = NAMES[rng.usize(..NAMES.len())].to_owned();
            wire.link.set(LinkAttribute::IfName(name)).expect("a name");
            true
        })
        .with("names asked for", times(2000), |_| {
            let (name, _) = tap.name_and_flags().expect("TUNGETIFF");
            assert!(NAMES.contains(&&*name), "{name}");
            true
        })
        .with("addresses asked for", times(1000), |_| {
            let mut request = IfReq::new(0);
            tap.ioctl(libc::SIOCGIFHWADDR, request.address())
                .expect("SIOCGIFHWADDR");
            assert!(NAMES.contains(&&*request.name()), "{}", request.name());
            true
        })
        .with("alternative names", times(100), |_| {
            let has = &mut *has_alternative.lock().expect("the state");
            let mut message = wire.link.message();
            let names = vec![Prop::AltIfName(ALTERNATIVE.into())];
            message.attributes.push(LinkAttribute::PropList(names));
            netlink::alternative_names(message, !*has).expect("an alternative name");
            *has = !*has;
            true
        })
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("frames read", times(100), traffic::read(&tap))
        .with("frames written", times(400), traffic::write(&tap))
        .with(
            "frames arrived",
            times(100),
            traffic::receive(&mut wire.peer),
        )
        .run();
    wire.link
        .set(LinkAttribute::IfName(TAP.into()))
        .expect("a name");
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// The mode decides who gets a frame, while frames go all ways.
pub fn modes_changed() {
    let mut wire = Wire::new();
    let second = wire.second(MacVtapMode::Bridge);
    let taps = [Tap::open(&wire.link), Tap::open(&second)];
    let between = Frames::between(TAP_MAC, TAP2_MAC);
    let from_far = Frames::between(PEER_MAC, TAP2_MAC);
    let send = traffic::send_any(&wire.peer_link, from_far.plain());
    Race::default()
        .with("modes", times(400), |rng| {
            let modes = [MacVtapMode::Private, MacVtapMode::Vepa, MacVtapMode::Bridge];
            let mode = rng.choice(modes).expect("a mode");
            let link = if rng.bool() { &wire.link } else { &second };
            link.set(link::info(vec![InfoMacVtap::Mode(mode)]))
                .expect("a mode");
            true
        })
        .with("frames written", times(1000), |rng| {
            let bytes = vnet::plain(between.any(rng));
            match taps[0].write(&bytes) {
                Ok(length) => assert_eq!(length, bytes.len()),
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
            true
        })
        .with("frames sent", times(1000), send)
        .with("frames read", times(400), |_| {
            let mut buffer = [0; BUFFER];
            let Ok(length) = taps[1].read(&mut buffer) else {
                return false;
            };
            let frame = &buffer[vnet::SIZE..length];
            assert!(between.has(frame) || from_far.has(frame), "no frame");
            true
        })
        .with("frames arrived", 0, traffic::discard(&mut wire.peer))
        .run();
    drop(taps);
    drop(second);
    let bridge = link::info(vec![InfoMacVtap::Mode(MacVtapMode::Bridge)]);
    wire.link.set(bridge).expect("a mode");
    assert_usable(&wire, &wire.link);
}

/// Links that cannot be made touch nothing of those that are there. With faults in every
/// step: group faults, new link.
pub fn refused() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let refused: [(fn() -> Macvtap, Errno); 5] = [
        (Macvtap::default, Errno::EEXIST),
        (
            || Macvtap {
                name: "mt-%d%d",
                address: TAP2_MAC,
                ..Macvtap::default()
            },
            Errno::EINVAL,
        ),
        (
            || Macvtap {
                name: TAP2,
                mode: MacVtapMode::Passthrough,
                ..Macvtap::default()
            },
            Errno::EINVAL,
        ),
        (
            || Macvtap {
                name: TAP2,
                address: [1, 0, 0, 0, 0, 1],
                ..Macvtap::default()
            },
            Errno::EADDRNOTAVAIL,
        ),
        (
            || Macvtap {
                name: TAP2,
                address: TAP2_MAC,
                attributes: vec![LinkAttribute::Mtu(60_000)],
                ..Macvtap::default()
            },
            Errno::EINVAL,
        ),
    ];
    let lower = &wire.lower;
    let refuse = |rng: &mut Rng| {
        let (macvtap, error) = &refused[rng.usize(..refused.len())];
        assert_eq!(macvtap().create(lower).err(), Some(*error));
        true
    };
    Race::default()
        .with("links refused", times(100), refuse)
        .with("frames sent", times(2000), traffic::send(&wire.peer_link))
        .with("frames read", times(400), traffic::read(&tap))
        .with("links refused", times(100), refuse)
        .with_frames_out(&tap, &mut wire.peer)
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// Between namespaces, and back; the index may be somebody else's there, so that the link
/// gets another one, and its node another name.
pub fn moved() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (home, away) = (Netns::current(), Netns::another());
    let index = AtomicU32::new(wire.link.index);
    let here = |netns: &Netns, other: &Netns, index: &AtomicU32| {
        netns.enter();
        let link = Link::of_name(TAP).expect("the link");
        link.set_up(true).expect("a link that is up");
        index.store(link.index, Ordering::Relaxed);
        link.set(LinkAttribute::NetNsFd(other.as_raw_fd()))
            .expect("the link to be moved");
        std::mem::forget(link);
    };
    Race::default()
        .with("links moved", times(6), |rng| {
            // In the way, in the namespace that the link goes to.
            let taken = rng.bool().then(|| {
                away.enter();
                Link::dummy_of("mt-taken", index.load(Ordering::Relaxed), TAP2_MAC)
            });
            here(&home, &away, &index);
            here(&away, &home, &index);
            drop(taken);
            true
        })
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("nodes opened", times(100), |rng| {
            open_once(&format!("/dev/tap{}", index.load(Ordering::Relaxed)), rng)
        })
        .with("names asked for", times(400), |_| {
            let (name, _) = tap.name_and_flags().expect("TUNGETIFF");
            assert_eq!(name, TAP);
            true
        })
        .with("frames written", times(400), traffic::write(&tap))
        .with("frames read", times(10), traffic::read(&tap))
        .with("frames arrived", 0, traffic::discard(&mut wire.peer))
        .run();
    drop(tap);
    let link = Link::of_name(TAP).expect("the link");
    link.set_up(true).expect("a link that is up");
    assert_usable(&wire, &link);
}

/// Links of one index in two namespaces, made and deleted out of step.
pub fn one_index_twice(driver: Driver) {
    const NAMES: [&str; 2] = ["mt-first", "mt-second"];
    let open = |rng: &mut Rng| {
        let Ok(tap) = Tap::open_path(format!("/dev/tap{INDEX}"), libc::O_NONBLOCK) else {
            return false;
        };
        match tap.name_and_flags() {
            Ok((name, _)) => assert!(NAMES.contains(&&*name), "{name}"),
            Err(error) => assert_eq!(error, Errno::ENOLINK),
        }
        use_once(&tap, rng);
        true
    };
    let make = |name: &'static str| {
        let mut home: Option<(Netns, Link)> = None;
        let mut link: Option<Link> = None;
        move |_: &mut Rng| {
            let (_, lower) = home.get_or_insert_with(|| (Netns::enter_new(), Link::dummy(LOWER)));
            link = match link.take() {
                Some(link) => {
                    drop(link);
                    None
                }
                None => Some(of_index(name).create(lower).expect("a link")),
            };
            true
        }
    };
    // The namespaces go with their threads.
    Race::default()
        .with("links made or deleted", times(40), make(NAMES[0]))
        .with("links made or deleted", times(40), make(NAMES[1]))
        .with("nodes opened", times(100), open)
        .with("nodes opened", times(100), open)
        .run();
    let lower = Link::dummy(LOWER);
    wait::until("the namespaces to go", || {
        !fs::exists(format!("/dev/tap{INDEX}")).expect("/dev")
    });
    let link = of_index(TAP).create(&lower).expect("a link");
    let tap = Tap::open(&link);
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, TAP);
    if driver.minors() == Minors::Ifindex {
        let number = fs::metadata(link.node()).expect("the node").rdev();
        assert_eq!(
            nix::sys::stat::minor(number),
            u64::from(INDEX),
            "the number is free again"
        );
    }
}

/// A namespace goes, with a link whose file somebody else has and uses.
pub fn namespace_gone() {
    let mut rng = Rng::with_seed(SEED);
    let rounds = times(6);
    let home = Netns::current();
    let operations = AtomicU64::new(0);
    for round in 0..rounds {
        println!("round {round}");
        let there = Netns::enter_new();
        let wire = Wire::new();
        let Wire {
            link,
            lower,
            peer_link,
            peer,
        } = wire;
        home.enter();
        // Here: a file keeps the namespace of who opens it.
        let tap = Tap::open(&link);
        let (tap, operations) = (&tap, &operations);
        at_once(
            &mut rng,
            vec![
                Box::new(move || {
                    drop((there, peer));
                    // By name, they would be somebody else's here.
                    std::mem::forget((link, lower, peer_link));
                }),
                Box::new(move || {
                    let frame = vnet::plain(&frame::outgoing(60));
                    while tap.name_and_flags().is_ok() {
                        assert_eq!(tap.write(&frame), Ok(70));
                        operations.fetch_add(1, Ordering::Relaxed);
                    }
                }),
                Box::new(move || {
                    while tap.name_and_flags().is_ok() {
                        let _ = tap.read(&mut [0; BUFFER]);
                        operations.fetch_add(1, Ordering::Relaxed);
                    }
                }),
            ],
        );
        assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
    }
    let operations = operations.load(Ordering::Relaxed) + rounds;
    ktap::operations(operations, "(namespaces gone, frames)");
    let wire = Wire::new();
    assert_usable(&wire, &wire.link);
}

/// The modules go as soon as nobody uses them, which is at any moment of others' attempts
/// to: packets are under way that were sent through files that are closed, and grace periods
/// have begun that end in the modules' code.
pub fn unloaded() {
    let rounds = times(3);
    let mut unloaded = 0;
    let (lower, peer_link) = Link::veth();
    for link in [&lower, &peer_link] {
        link.set_up(true).expect("a link that is up");
    }
    let peer = PacketSocket::open(&peer_link, ALL);
    let node = format!("/dev/tap{INDEX}");
    let node = &node;
    let mut rng = Rng::with_seed(SEED);
    for round in 0..rounds {
        println!("round {round}");
        module::load("macvtap", &[]);
        let link = of_index(TAP).create(&lower).expect("a link");
        link.set_up(true).expect("a link that is up");
        link.wait_operational();
        lower.delay(5);
        let taps: Vec<_> = (0..8).map(|_| Tap::open(&link)).collect();
        let seed = rng.u64(..);
        let open: Once<'_> = Box::new(move || {
            let mut rng = Rng::with_seed(seed);
            (0..200).for_each(|_| {
                open_once(node, &mut rng);
            });
        });
        let close: Once<'_> = Box::new(move || {
            for tap in taps {
                assert_eq!(tap.write(&vnet::plain(&frame::outgoing(60))), Ok(70));
                drop(tap);
            }
        });
        let unload: Once<'_> = Box::new(|| {
            // Files keep it, and so do packets keep tap.
            for name in ["macvtap", "tap"] {
                wait::until("a module to go", || {
                    unloaded += 1;
                    module::try_unload(name).is_ok()
                });
            }
        });
        let mut send = traffic::send(&peer_link);
        let flood: Once<'_> = Box::new(move || {
            let mut rng = Rng::with_seed(seed);
            (0..100).for_each(|_| {
                send(&mut rng);
            });
        });
        at_once(&mut rng, vec![open, unload, close, flood]);
        assert!(!module::is_loaded("tap"));
        // It went with the module.
        drop(link);
        while peer.receive_now().is_some() {}
    }
    ktap::operations(
        unloaded + rounds * 308,
        "(attempts to unload, nodes opened, frames)",
    );
    module::load("macvtap", &[]);
    let wire = Wire {
        link: another_link(&lower),
        lower,
        peer_link,
        peer,
    };
    wire.lower.delay(0);
    assert_usable(&wire, &wire.link);
}
