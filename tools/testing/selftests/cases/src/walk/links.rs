// SPDX-License-Identifier: GPL-2.0
//! Links: made, changed, moved and deleted.

use std::os::fd::AsRawFd;

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, LinkAttribute, LinkInfo, MacVtapFlags, MacVtapMacAddressMode,
    MacVtapMode,
};

use super::files;
use super::observe::Seen;
use super::random::{happens, pick, weighted};
use super::wire::Wire;
use super::world::{Slot, World, MACS, NAMES, SLOTS};
use crate::sys::ethtool;
use crate::sys::link::{Link, Macvtap, OTHER_MAC, PEER_MAC};

const LENGTHS: &[u32] = &[0, 1, 2, 3, 10, 100, 500, 500, 1000, 32767, 32768];
const MTUS: &[u32] = &[0, 67, 68, 100, 1000, 1500, 1500, 9000, 65535, 65536];

const MODES: &[(u32, MacVtapMode)] = &[
    (8, MacVtapMode::Bridge),
    (2, MacVtapMode::Vepa),
    (2, MacVtapMode::Private),
    (1, MacVtapMode::Passthrough),
    (3, MacVtapMode::Source),
];

/// The links that a walk starts with: all of them, as they mostly are.
pub fn first(world: &mut World) {
    for slot in 0..SLOTS {
        let what = make(world, slot, MacVtapMode::Bridge, 500, true);
        assert!(world.slots[slot].is_some(), "{what}");
    }
}

pub fn create(world: &mut World) -> String {
    world.links_changed = true;
    let slot = world.rng.usize(..SLOTS);
    if world.slots[slot].is_some() {
        return delete(world, slot);
    }
    let mode = weighted(&mut world.rng, MODES);
    let length = pick(&mut world.rng, LENGTHS);
    let up = happens(&mut world.rng, 85);
    make(world, slot, mode, length, up)
}

fn make(world: &mut World, slot: usize, mode: MacVtapMode, length: u32, up: bool) -> String {
    let macvtap = Macvtap {
        name: NAMES[slot][0],
        address: MACS[slot],
        mode,
        // Broadcasts then need no worker, and keep their order.
        data: vec![InfoMacVtap::BcCutoff(-1)],
        attributes: vec![LinkAttribute::TxQueueLen(length)],
        index: world.new_index(),
    };
    let what = format!("create w{slot} {mode:?} length {length}");
    match macvtap.create(&world.wire().lower) {
        Err(error) => format!("{what}: {error:?}"),
        Ok(link) => {
            let up = up.then(|| link.set_up(true));
            world.slots[slot] = Some(Slot {
                _steering: world.steering.attach(&link),
                link,
                away: false,
                seen: Seen::default(),
            });
            format!("{what}: up {up:?}")
        }
    }
}

fn delete(world: &mut World, slot: usize) -> String {
    if happens(&mut world.rng, 70) {
        return format!("delete w{slot}: not now");
    }
    let result = world.at(slot, |slot| slot.link.delete());
    world.slots[slot] = None;
    world.wakeups.skip_news();
    format!("delete w{slot}: {result:?}")
}

/// What can be changed of the macvtap link.
type Change = fn(&mut World, usize) -> String;

const CHANGES: &[(u32, Change)] = &[
    (5, up_or_down),
    (4, queue_length),
    (4, mtu),
    (2, address),
    (2, rename),
    (3, move_over),
    (4, wire),
    (3, mode),
    (3, sources),
    (3, features),
];

pub fn change(world: &mut World) -> String {
    world.links_changed = true;
    let slot = world.rng.usize(..SLOTS);
    let change = weighted(&mut world.rng, CHANGES);
    change(world, slot)
}

fn up_or_down(world: &mut World, slot: usize) -> String {
    let up = happens(&mut world.rng, 75);
    let result = world.at(slot, |slot| slot.link.set_up(up));
    format!("up w{slot} {up}: {result:?}")
}

fn set(world: &World, slot: usize, attribute: LinkAttribute) -> String {
    let what = format!("set w{slot} {attribute:?}");
    let result = world.at(slot, |slot| slot.link.set(attribute));
    format!("{what}: {result:?}")
}

fn queue_length(world: &mut World, slot: usize) -> String {
    let length = pick(&mut world.rng, LENGTHS);
    world.resized = true;
    set(world, slot, LinkAttribute::TxQueueLen(length))
}

fn mtu(world: &mut World, slot: usize) -> String {
    let mtu = pick(&mut world.rng, MTUS);
    set(world, slot, LinkAttribute::Mtu(mtu))
}

fn address(world: &mut World, slot: usize) -> String {
    let mut choices = MACS.to_vec();
    choices.extend([MACS[slot], [1, 0, 0, 0, 0, 1], [0; 6]]);
    let address = pick(&mut world.rng, &choices);
    set(world, slot, LinkAttribute::Address(address.to_vec()))
}

fn rename(world: &mut World, slot: usize) -> String {
    let name = pick(&mut world.rng, &NAMES[slot]);
    let result = world.at(slot, |slot| {
        slot.link.set(LinkAttribute::IfName(name.into()))
    });
    if let (Some(Ok(())), Some(slot)) = (result, &mut world.slots[slot]) {
        slot.link.name = name.into();
    }
    format!("rename w{slot} {name}: {result:?}")
}

fn set_data(world: &World, slot: usize, data: Vec<InfoMacVtap>) -> String {
    set(
        world,
        slot,
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVtap),
            LinkInfo::Data(InfoData::MacVtap(data)),
        ]),
    )
}

/// Its mode, or its flags.
fn mode(world: &mut World, slot: usize) -> String {
    let data = if happens(&mut world.rng, 70) {
        InfoMacVtap::Mode(weighted(&mut world.rng, MODES))
    } else {
        let (promiscuous, destination) = (MacVtapFlags::NoPromisc, MacVtapFlags::NoDst);
        InfoMacVtap::Flags(pick(
            &mut world.rng,
            &[
                MacVtapFlags::empty(),
                promiscuous,
                destination,
                promiscuous | destination,
                MacVtapFlags::from_bits_retain(4),
            ],
        ))
    };
    set_data(world, slot, vec![data])
}

/// The list of senders that it listens to in source mode.
fn sources(world: &mut World, slot: usize) -> String {
    let mut addresses = MACS.to_vec();
    addresses.extend([PEER_MAC, PEER_MAC, OTHER_MAC, [0xff; 6]]);
    let address = pick(&mut world.rng, &addresses);
    let list = addresses[world.rng.usize(..4)..]
        .iter()
        .map(|&address| InfoMacVtap::MacAddr(address));
    let data = match world.rng.u32(..6) {
        0 => vec![InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Flush)],
        1 => vec![
            InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Set),
            InfoMacVtap::MacAddrData(list.collect()),
        ],
        2 => vec![
            InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Del),
            InfoMacVtap::MacAddr(address),
        ],
        _ => vec![
            InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Add),
            InfoMacVtap::MacAddr(address),
        ],
    };
    set_data(world, slot, data)
}

/// An offload of the lower device or of the macvtap link.
fn features(world: &mut World, slot: usize) -> String {
    let (name, command) = pick(&mut world.rng, ethtool::SWITCHES);
    let on = happens(&mut world.rng, 60);
    let result = if happens(&mut world.rng, 50) {
        let lower = &world.wire().lower;
        format!("lower: {:?}", ethtool::switch(lower, command, on))
    } else {
        let result = world.at(slot, |slot| ethtool::switch(&slot.link, command, on));
        format!("w{slot}: {result:?}")
    };
    let features = world.at(slot, |slot| ethtool::features(&slot.link));
    format!("offload {name} {on} {result}, w{slot} {features:x?}")
}

/// To the other network namespace and back.
fn move_over(world: &mut World, slot: usize) -> String {
    let Some(away) = world.slots[slot].as_ref().map(|slot| slot.away) else {
        return format!("move w{slot}: None");
    };
    let target = if away { &world.home } else { &world.away };
    let target = LinkAttribute::NetNsFd(target.as_raw_fd());
    let result = world.at(slot, |slot| slot.link.set(target));
    if let (Some(Ok(())), Some(slot)) = (result, &mut world.slots[slot]) {
        slot.away = !away;
    }
    // As at first: down for a start it would stay for long.
    let up = world.at(slot, |slot| slot.link.set_up(true));
    format!("move w{slot}: {result:?}, up {up:?}")
}

/// Changes below the macvtap links.
fn wire(world: &mut World, _: usize) -> String {
    if happens(&mut world.rng, 10) {
        return rewire(world);
    }
    let ends = [
        &world.wire.as_ref().expect("the wire").lower,
        &world.wire.as_ref().expect("the wire").peer_link,
    ];
    let link: &Link = ends[world.rng.usize(..2)];
    if world.rng.bool() {
        let up = happens(&mut world.rng, 70);
        format!("up {} {up}: {:?}", link.name, link.set_up(up))
    } else {
        let mtu = pick(&mut world.rng, MTUS);
        let result = link.set(LinkAttribute::Mtu(mtu));
        format!("mtu {} {mtu}: {result:?}", link.name)
    }
}

/// Deletes the lower device, and all links with it, and makes another.
fn rewire(world: &mut World) -> String {
    world.wire = None;
    for slot in 0..SLOTS {
        let left = world.at(slot, |slot| slot.link.get().map(drop));
        assert!(
            !matches!(left, Some(Ok(()))),
            "w{slot} without a lower device"
        );
        world.slots[slot] = None;
    }
    world.wakeups.skip_news();
    let long = world.rng.bool();
    world.wire = Some(Wire::new(long));
    format!("rewire {long}")
}

/// Puts everything into a state in which frames flow.
pub fn mend(world: &mut World) -> String {
    world.links_changed = true;
    let mut results = vec![];
    for link in [&world.wire().lower, &world.wire().peer_link] {
        results.push(link.set_up(true));
        results.push(link.set(LinkAttribute::Mtu(65535)));
        for &(_, command) in ethtool::SWITCHES {
            results.push(ethtool::switch(link, command, true));
        }
    }
    let mut what = String::new();
    for slot in 0..SLOTS {
        match world.at(slot, |slot| slot.link.set_up(true)) {
            Some(result) => results.push(result),
            None => what += &format!(", {}", make(world, slot, MacVtapMode::Bridge, 500, true)),
        }
    }
    files::close_orphans(world);
    format!("mend: {results:?}{what}")
}
