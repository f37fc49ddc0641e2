// SPDX-License-Identifier: GPL-2.0
//! vhost-net on queues that change, are closed, and lose their link.

use std::mem;
use std::slice;

use fastrand::Rng;
use netlink_packet_route::link::LinkAttribute;

use super::race::{at_once, times, Once, Race, SEED};
use super::traffic::{self, assert_usable, BUFFER};
use crate::frame;
use crate::groups::vhost::{Setup, Way};
use crate::ktap;
use crate::setup::Wire;
use crate::sys::link::{Link, Macvtap};
use crate::sys::netns::Netns;
use crate::sys::process;
use crate::sys::tap::Tap;
use crate::sys::vhost::{Vhost, HEADER_SIZE, RING_SIZE};
use crate::sys::wait;
use crate::vnet::VnetHeader;

fn packet(length: usize) -> Vec<u8> {
    let header = VnetHeader::default().with(&[0; HEADER_SIZE - crate::vnet::SIZE]);
    [header, frame::outgoing(length)].concat()
}

/// Another queue, as the first one.
fn queue(way: Way, link: &Link) -> Tap {
    let tap = Tap::open(link);
    way.set_up(&tap);
    tap
}

/// As many as there is room for.
fn post(vhost: &mut Vhost, rng: &mut Rng) {
    while vhost.transmit.used().is_some() {}
    let count = rng.usize(..=vhost.transmit.room());
    let packets: Vec<_> = (0..count).map(|_| packet(rng.usize(14..1500))).collect();
    vhost.post(&packets);
}

fn offer(vhost: &mut Vhost) {
    while vhost.receive_now().is_some() {}
    vhost.offer(vhost.receive.room() as u16, BUFFER);
}

/// The backend is changed for another queue, for none, and back; the old one is closed.
/// Meanwhile the rings get other lengths and the headers other sizes.
pub fn attached(way: Way) {
    let mut setup = Setup::new(way);
    let Setup {
        vhost, tap, wire, ..
    } = &mut setup;
    let mut taps = vec![tap.duplicate(), queue(way, &wire.link)];
    let settings = queue(way, &wire.link);
    let link = &wire.link;
    Race::default()
        .with("backends", times(60), |rng| {
            match rng.u8(..5) {
                0 => vhost.detach(),
                1 => vhost.attach(&taps[rng.usize(..taps.len())]),
                2 => {
                    // vhost may have the only reference.
                    drop(taps.pop());
                    taps.push(queue(way, link));
                }
                3 => post(vhost, rng),
                _ => offer(vhost),
            }
            true
        })
        .with("rings resized", times(25), |rng| {
            let length = rng.choice([1, 7, 100, 1000]).expect("a length");
            link.set(LinkAttribute::TxQueueLen(length))
                .expect("a length");
            true
        })
        .with("queues switched", times(200), |rng| {
            let flags = [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE][rng.usize(..2)];
            traffic::set_queue(&settings, flags);
            true
        })
        .with("frames sent", times(2000), traffic::send(&wire.peer_link))
        .with("header sizes", times(400), |rng| {
            let size = [10, 12, 64][rng.usize(..3)];
            tap.set_number(libc::TUNSETVNETHDRSZ, size)
                .expect("TUNSETVNETHDRSZ");
            true
        })
        .with("frames arrived", 0, traffic::discard(&mut wire.peer))
        .run();
    taps.clear();
    drop(settings);
    let last = queue(way, &wire.link);
    vhost.attach(&last);
    // The only queue.
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    assert_moves(vhost, wire);
    let Setup {
        vhost, tap, wire, ..
    } = setup;
    drop((vhost, tap, last));
    assert_usable(&wire, &wire.link);
}

/// After whatever it has still to do, vhost moves a packet each way.
fn assert_moves(vhost: &mut Vhost, wire: &mut Wire) {
    let sent = packet(1501);
    wait::until("the ring to be sent", || {
        while vhost.transmit.used().is_some() {}
        vhost.transmit.room() == usize::from(RING_SIZE)
    });
    vhost.send(slice::from_ref(&sent));
    wait::until("a packet to leave", || {
        let left = wire.peer.receive_now();
        left.is_some_and(|left| left.frame == sent[HEADER_SIZE..])
    });
    offer(vhost);
    let sent = frame::incoming(1501);
    wire.peer.send(&sent);
    wait::until("a packet to arrive", || {
        let arrived = vhost.receive_now();
        arrived.is_some_and(|arrived| arrived[HEADER_SIZE..] == sent)
    });
}

/// Packets are under way, with pages of this program if they are not copied, when their link
/// goes, vhost lets go of the queue, and the queue is closed.
pub fn ended(way: Way) {
    let module = way.load_module();
    let mut rng = Rng::with_seed(SEED);
    let wire = Wire::jumbo();
    wire.link.delete().expect("a link to delete");
    let rounds = times(4);
    for round in 0..rounds {
        println!("round {round}");
        let link = &Macvtap::default().create(&wire.lower).expect("a link");
        link.set_up(true).expect("a link that is up");
        link.wait_operational();
        link.delay(1);
        process::pin_to_cpu(rng.usize(..2));
        let (mut vhost, tap) = way.attach(link);
        process::pin_to_cpu(0);
        vhost.offer(RING_SIZE, BUFFER);
        let packets: Vec<_> = (0..RING_SIZE)
            .map(|_| packet(rng.usize(14..4000)))
            .collect();
        let (stays, seed) = ((round % 2 == 0).then(|| tap.duplicate()), rng.u64(..));
        let mut send = traffic::send(&wire.peer_link);
        let flood: Once<'_> = Box::new(move || {
            let mut rng = Rng::with_seed(seed);
            (0..50).for_each(|_| {
                send(&mut rng);
            });
        });
        let used = &mut vhost;
        let (first, copy) = (&packets, stays.as_ref());
        let end: Once<'_> = Box::new(move || {
            used.post(first);
            used.detach();
            if let Some(tap) = copy {
                // Each comes back, whatever has become of it.
                used.attach(tap);
                used.wait_sent(first.len());
            }
        });
        let close: Once<'_> = Box::new(move || drop(tap));
        let delete: Once<'_> = Box::new(|| link.delete().expect("a link to delete"));
        let mut actions = vec![flood, end, close, delete];
        rng.shuffle(&mut actions);
        at_once(&mut rng, actions);
        if stays.is_some() {
            // None of these leaves.
            vhost.send(&packets);
        }
        while wire.peer.receive_now().is_some() {}
    }
    ktap::operations(rounds * 309, "(links deleted, queues closed, packets)");
    let link = Macvtap::default().create(&wire.lower).expect("a link");
    link.set_up(true).expect("a link that is up");
    assert_usable(&wire, &link);
    drop((link, wire, module));
}

/// A namespace goes, with a link whose queue vhost has and uses.
pub fn namespace_gone(way: Way) {
    let module = way.load_module();
    let mut rng = Rng::with_seed(SEED);
    let rounds = times(3);
    let home = Netns::current();
    for round in 0..rounds {
        println!("round {round}");
        let there = Netns::enter_new();
        let Wire {
            link,
            lower,
            peer_link,
            peer,
        } = Wire::jumbo();
        home.enter();
        process::pin_to_cpu(1);
        // Here: a file keeps the namespace of who opens it.
        let (mut vhost, tap) = way.attach(&link);
        process::pin_to_cpu(0);
        let packets: Vec<_> = (0..RING_SIZE)
            .map(|_| packet(rng.usize(14..4000)))
            .collect();
        let leave: Once<'_> = Box::new(move || {
            drop((there, peer));
            // By name, they would be somebody else's here.
            mem::forget((link, lower, peer_link));
        });
        let send: Once<'_> = Box::new(move || {
            while tap.name_and_flags().is_ok() {
                vhost.send(&packets);
            }
            vhost.send(&packets);
        });
        at_once(&mut rng, vec![leave, send]);
    }
    ktap::operations(rounds * 257, "(namespaces gone, packets at least)");
    let wire = Wire::new();
    assert_usable(&wire, &wire.link);
    drop((wire, module));
}
