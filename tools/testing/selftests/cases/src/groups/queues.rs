// SPDX-License-Identifier: GPL-2.0
//! Several queues of one link, and the lengths of their rings.

use netlink_packet_route::link::LinkAttribute;
use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::cgroup::MemoryGroup;
use crate::sys::link::Macvtap;
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

const FLOWS: u16 = 64;

pub fn cases(driver: Driver) -> Vec<Case> {
    let charged = driver.has_our_tap();
    let rings = "rings are charged to who opens the node";
    let mut cases = vec![Case::new(rings, move || rings_are_charged(charged))];
    cases.extend(cases![
        flows_spread_over_the_queues,
        flows_keep_to_their_queue,
        frames_without_flow_are_not_lost,
        detached_queue_gets_nothing,
        attached_queue_gets_its_share_again,
        detached_queue_leaves_its_frames_to_be_read,
        close_of_a_queue_leaves_the_others,
        every_queue_writes,
        flags_are_the_queues_own,
        ring_as_long_as_the_transmit_queue,
        ring_of_a_link_that_is_made_short,
        ring_of_length_0,
        ring_grows_with_frames_in_it,
        ring_shrinks_and_keeps_the_oldest,
        resize_reaches_every_queue,
        longest_ring,
        too_long_ring,
    ]);
    cases
}

/// The number of rings and their lengths are up to who opens nodes and makes
/// links. In C a limit of their memory does not cover them.
fn rings_are_charged(charged: bool) {
    const LENGTH: u32 = 32_000;
    const COUNT: usize = 40;
    const BYTES: u64 = COUNT as u64 * LENGTH as u64 * 8;

    let wire = Wire::with(Macvtap {
        attributes: vec![LinkAttribute::TxQueueLen(LENGTH)],
        ..Macvtap::default()
    });
    let group = MemoryGroup::enter();
    let before = group.charged();
    let taps = open(&wire, COUNT);
    let open = group.charged();
    drop(taps);
    if charged {
        assert!(open - before >= BYTES, "{before} to {open} bytes");
        wait::until("the charge to be taken back", || {
            group.charged() < before + BYTES / 2
        });
    } else {
        assert!(open - before < BYTES / 2, "{before} to {open} bytes");
    }
}

fn of_flow(flow: u16) -> Vec<u8> {
    let packet = Packet {
        source_port: 1000 + flow,
        ..Packet::incoming(Protocol::Udp4, 20)
    };
    packet.build()
}

fn open(wire: &Wire, count: usize) -> Vec<Tap> {
    (0..count).map(|_| Tap::open(&wire.link)).collect()
}

/// Sends a packet of every flow. Returns the queue in which each one arrived.
fn queues_of_flows(wire: &Wire, taps: &[Tap]) -> Vec<usize> {
    for flow in 0..FLOWS {
        wire.peer.send(&of_flow(flow));
    }
    let mut arrived = vec![None; usize::from(FLOWS)];
    for _ in 0..FLOWS {
        let queue = readable(taps);
        let (_, frame) = taps[queue].receive_frame();
        let flow = (0..FLOWS)
            .find(|&flow| of_flow(flow) == frame)
            .expect("a packet that was sent");
        let before = arrived[usize::from(flow)].replace(queue);
        assert_eq!(before, None, "flow {flow} arrived twice");
    }
    taps.iter().for_each(Tap::assert_empty);
    arrived
        .into_iter()
        .map(|queue| queue.expect("a packet of every flow"))
        .collect()
}

/// The first queue that has a frame, as soon as one has.
fn readable(taps: &[Tap]) -> usize {
    let mut found = None;
    wait::until("a frame in one of the queues", || {
        found = taps
            .iter()
            .position(|tap| !wait::events_now(tap, PollFlags::POLLIN).is_empty());
        found.is_some()
    });
    found.expect("a queue")
}

fn assert_all_used(queues: &[usize], count: usize) {
    for queue in 0..count {
        let flows = queues.iter().filter(|&&used| used == queue).count();
        // 64 flows leave none of four queues with so few unless by a chance of
        // one in millions.
        assert!(flows >= 2, "queue {queue} got {flows} of {queues:?}");
    }
}

fn flows_spread_over_the_queues() {
    let wire = Wire::new();
    for count in [2, 3, 4] {
        let taps = open(&wire, count);
        assert_all_used(&queues_of_flows(&wire, &taps), count);
    }
}

fn flows_keep_to_their_queue() {
    let wire = Wire::new();
    let taps = open(&wire, 3);
    let queues = queues_of_flows(&wire, &taps);
    for _ in 0..3 {
        assert_eq!(queues_of_flows(&wire, &taps), queues);
    }
}

fn frames_without_flow_are_not_lost() {
    let wire = Wire::new();
    let taps = open(&wire, 3);
    for length in 60..120 {
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        let tap = &taps[readable(&taps)];
        frame::assert_same(&tap.receive_frame().1, &frame);
        taps.iter().for_each(Tap::assert_empty);
    }
}

fn detached_queue_gets_nothing() {
    let wire = Wire::new();
    let taps = open(&wire, 2);
    for detached in [0, 1] {
        taps[detached]
            .set_queue(libc::IFF_DETACH_QUEUE)
            .expect("detach");
        let queues = queues_of_flows(&wire, &taps);
        assert!(queues.iter().all(|&queue| queue != detached));
        taps[detached]
            .set_queue(libc::IFF_ATTACH_QUEUE)
            .expect("attach");
    }
}

fn attached_queue_gets_its_share_again() {
    let wire = Wire::new();
    let taps = open(&wire, 3);
    for tap in &taps {
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
        tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
        assert_all_used(&queues_of_flows(&wire, &taps), 3);
    }
}

fn detached_queue_leaves_its_frames_to_be_read() {
    let wire = Wire::new();
    let taps = open(&wire, 1);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    taps[0].wait_readable();
    taps[0].set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    frame::assert_same(&taps[0].receive_frame().1, &frame);
    taps[0].assert_empty();
}

fn close_of_a_queue_leaves_the_others() {
    let wire = Wire::new();
    let mut taps = open(&wire, 4);
    for index in [1, 2, 0] {
        taps.remove(index);
        assert_all_used(&queues_of_flows(&wire, &taps), taps.len());
    }
}

fn every_queue_writes() {
    let wire = Wire::new();
    for (length, tap) in (60..).zip(open(&wire, 4)) {
        let frame = frame::outgoing(length);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + length));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

/// Each reader gets its frames in the form that it asked for.
fn flags_are_the_queues_own() {
    let wire = Wire::new();
    let taps = open(&wire, 2);
    taps[0].set_bare();
    taps[1]
        .set_number(libc::TUNSETVNETHDRSZ, 12)
        .expect("a size");
    for flow in 0..FLOWS {
        let frame = of_flow(flow);
        wire.peer.send(&frame);
        let queue = readable(&taps);
        let header = [0, 12][queue];
        frame::assert_same(&taps[queue].receive()[header..], &frame);
    }
}

fn wire_with_ring(length: u32) -> Wire {
    Wire::with(Macvtap {
        attributes: vec![LinkAttribute::TxQueueLen(length)],
        ..Macvtap::default()
    })
}

/// Sends `count` frames. Only the first `fitting` of them can be read, and the
/// others are counted.
fn assert_room(wire: &Wire, tap: &Tap, count: usize, fitting: usize) {
    let before = wire.link.statistics();
    for number in 0..count {
        wire.peer.send(&frame::incoming(60 + number));
    }
    wire.wait_received(before.rx_packets + count as u64);
    for number in 0..fitting {
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(60 + number));
    }
    tap.assert_empty();
    let after = wire.link.statistics();
    let dropped = (count - fitting) as u64;
    assert_eq!(after.rx_dropped - before.rx_dropped, dropped);
    assert_eq!(after.rx_errors - before.rx_errors, dropped);
}

fn ring_as_long_as_the_transmit_queue() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    // TUN_READQ_SIZE.
    assert_room(&wire, &tap, 520, 500);
}

fn ring_of_a_link_that_is_made_short() {
    let wire = wire_with_ring(4);
    let tap = Tap::open(&wire.link);
    assert_room(&wire, &tap, 10, 4);
}

fn ring_of_length_0() {
    let wire = wire_with_ring(0);
    let tap = Tap::open(&wire.link);
    assert_room(&wire, &tap, 10, 0);
}

fn set_ring(wire: &Wire, length: u32) -> nix::Result<()> {
    wire.link.set(LinkAttribute::TxQueueLen(length))
}

fn ring_grows_with_frames_in_it() {
    let wire = wire_with_ring(4);
    let tap = Tap::open(&wire.link);
    for length in 60..64 {
        wire.peer.send(&frame::incoming(length));
    }
    wire.wait_received(4);
    set_ring(&wire, 8).expect("a longer queue");
    for length in 64..70 {
        wire.peer.send(&frame::incoming(length));
    }
    wire.wait_received(10);
    for length in 60..68 {
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(length));
    }
    tap.assert_empty();
    assert_eq!(wire.link.statistics().rx_dropped, 2);
}

fn ring_shrinks_and_keeps_the_oldest() {
    let wire = wire_with_ring(8);
    let tap = Tap::open(&wire.link);
    for length in 60..68 {
        wire.peer.send(&frame::incoming(length));
    }
    wire.wait_received(8);
    set_ring(&wire, 3).expect("a shorter queue");
    for length in 60..63 {
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(length));
    }
    tap.assert_empty();
    assert_room(&wire, &tap, 5, 3);
}

/// Those that are detached, too.
fn resize_reaches_every_queue() {
    let wire = wire_with_ring(2);
    let taps = open(&wire, 3);
    taps[1].set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    set_ring(&wire, 6).expect("a longer queue");
    taps[1].set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
    for tap in &taps {
        for other in &taps {
            let _ = other.set_queue(libc::IFF_DETACH_QUEUE);
        }
        tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
        assert_room(&wire, tap, 8, 6);
    }
}

fn longest_ring() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    set_ring(&wire, 32_767).expect("the longest queue");
    assert_room(&wire, &tap, 700, 700);
}

fn too_long_ring() {
    let wire = wire_with_ring(4);
    let tap = Tap::open(&wire.link);
    for length in [32_768, 100_000, u32::MAX] {
        assert_eq!(set_ring(&wire, length), Err(Errno::ERANGE), "{length}");
    }
    assert_room(&wire, &tap, 6, 4);
}
