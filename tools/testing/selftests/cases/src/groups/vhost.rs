// SPDX-License-Identifier: GPL-2.0
//! vhost-net on top of a queue, as a guest's fast path, without a guest.

use std::mem;

use nix::errno::Errno;

use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::Link;
use crate::sys::module::Module;
use crate::sys::tap::Tap;
use crate::sys::vhost::{Vhost, HEADER_SIZE, OWN_HEADER, RING_SIZE};
use crate::sys::wait;
use crate::vnet::{self, VnetHeader};

const LENGTHS: [usize; 12] = [
    14, 15, 60, 61, 128, 1000, 1514, 3700, 4096, 9014, 30_000, 65_535,
];

/// How vhost hands frames over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each by itself.
    Single,
    /// Up to 64 at once, if the send buffer has no limit. As QEMU has it.
    Batch,
    /// Each by itself, with pages of this program.
    ZeroCopy,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Single, Way::Batch, Way::ZeroCopy];

    /// vhost-net, so that it may.
    pub fn load_module(self) -> Module {
        let zero_copy = u8::from(matches!(self, Way::ZeroCopy));
        let parameter = format!("experimental_zcopytx={zero_copy}");
        Module::load("vhost_net", &[&parameter])
    }

    /// A queue, and vhost on it.
    pub fn attach(self, link: &Link) -> (Vhost, Tap) {
        let tap = Tap::open(link);
        self.set_up(&tap);
        let vhost = Vhost::new(0);
        vhost.attach(&tap);
        (vhost, tap)
    }

    /// Makes a queue one that vhost can be put on.
    pub fn set_up(self, tap: &Tap) {
        tap.set_number(libc::TUNSETVNETHDRSZ, HEADER_SIZE as i32)
            .expect("TUNSETVNETHDRSZ");
        let send_buffer = match self {
            Way::Single | Way::ZeroCopy => 10_000_000,
            Way::Batch => i32::MAX,
        };
        tap.set_number(libc::TUNSETSNDBUF, send_buffer)
            .expect("TUNSETSNDBUF");
    }
}

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for way in Way::ALL {
        for (name, body) in TRANSMIT {
            // In C, vhost then waits for ever for its pages.
            if !driver.has_our_tap() && matches!((*name, way), (DELETED, Way::ZeroCopy)) {
                continue;
            }
            let body = *body;
            let name = format!("{name}: {way:?}");
            cases.push(Case::new(name, move || body(&mut Setup::new(way))));
        }
        let name = format!("what is written before it leaves: {way:?}");
        cases.push(Case::new(name, move || written_meanwhile(way)));
    }
    if driver.has_our_tap() {
        let body = || longer_headers(&mut Setup::new(Way::ZeroCopy));
        cases.push(Case::new("headers longer than the frame: ZeroCopy", body));
    }
    cases.push(Case::new("checksum behind the end", || {
        checksum_behind_the_end(&mut Setup::new(Way::Single));
    }));
    for (name, body) in RECEIVE {
        let body = *body;
        let name = (*name).to_owned();
        cases.push(Case::new(name, move || body(&mut Setup::new(Way::Batch))));
    }
    let dropped = driver.has_our_tap();
    cases.push(Case::new("header and offloads turned off", move || {
        turned_off(&mut Setup::new(Way::Batch), dropped);
    }));
    cases
}

type Body = fn(&mut Setup);

const DELETED: &str = "deleted link";

const TRANSMIT: &[(&str, Body)] = &[
    ("frames of all lengths leave", leave),
    ("many frames leave in order", many_leave),
    ("too short for a frame", too_short),
    ("malformed header", malformed_header),
    ("partial checksums leave", partial_checksums_leave),
    ("long packets leave", long_packets_leave),
    ("without header", without_header),
    (DELETED, deleted_link),
    (
        "detached and attached with frames under way",
        attached_again,
    ),
    ("closed with frames under way", closed),
];

const RECEIVE: &[(&str, Body)] = &[
    ("frames of all lengths arrive", arrive),
    ("many frames arrive in order", many_arrive),
    ("tagged frames arrive", tagged_arrive),
    ("partial checksums arrive", partial_checksums_arrive),
    ("long packets arrive", long_packets_arrive),
    ("buffer too short for a frame", buffer_too_short),
    ("frames wait for a buffer", frames_wait),
];

/// In the order in which they must go: vhost uses the queue, and the module the
/// queue's.
pub struct Setup {
    pub vhost: Vhost,
    pub tap: Tap,
    pub wire: Wire,
    _module: Module,
}

impl Setup {
    pub fn new(way: Way) -> Setup {
        let module = way.load_module();
        let wire = Wire::jumbo();
        let (vhost, tap) = way.attach(&wire.link);
        Setup {
            vhost,
            tap,
            wire,
            _module: module,
        }
    }

    fn send(&mut self, header: VnetHeader, frame: &[u8]) {
        self.vhost.send(&[packet(header, frame)]);
    }

    #[track_caller]
    fn assert_arrives(&mut self, header: VnetHeader, frame: &[u8]) {
        let (seen, received) = self.receive();
        assert_eq!(seen, header);
        frame::assert_same(&received, frame);
    }

    fn receive(&mut self) -> (VnetHeader, Vec<u8>) {
        let mut packet = self.vhost.receive();
        let frame = packet.split_off(HEADER_SIZE);
        // Without mergeable buffers, what counts them is not used.
        (VnetHeader::from_bytes(&packet), frame)
    }
}

fn packet(header: VnetHeader, frame: &[u8]) -> Vec<u8> {
    let mut packet = header.with(&[0, 0]);
    packet.extend_from_slice(frame);
    packet
}

fn plain(frame: &[u8]) -> Vec<u8> {
    packet(VnetHeader::default(), frame)
}

fn leave(setup: &mut Setup) {
    for length in LENGTHS {
        let frame = frame::outgoing(length);
        setup.send(VnetHeader::default(), &frame);
        frame::assert_same(&setup.wire.peer.receive().frame, &frame);
    }
    let statistics = setup.wire.link.statistics();
    assert_eq!(statistics.tx_packets, LENGTHS.len() as u64);
    assert_eq!(statistics.tx_dropped, 0);
}

/// A frame that tells its number.
fn numbered(frame: Vec<u8>, number: u32) -> Vec<u8> {
    let mut frame = frame;
    frame[frame::ETHERNET_HEADER..][..4].copy_from_slice(&number.to_be_bytes());
    frame
}

const ROUNDS: u32 = 20;

fn many_leave(setup: &mut Setup) {
    let per_round = u32::from(RING_SIZE);
    for round in 0..ROUNDS {
        let numbers = round * per_round..(round + 1) * per_round;
        let frames: Vec<_> = numbers
            .map(|number| numbered(frame::outgoing(60), number))
            .collect();
        let packets: Vec<_> = frames.iter().map(|frame| plain(frame)).collect();
        setup.vhost.send(&packets);
        for frame in &frames {
            frame::assert_same(&setup.wire.peer.receive().frame, frame);
        }
    }
}

/// Whatever a guest hands over comes back used, and does not keep others.
fn too_short(setup: &mut Setup) {
    let shortest = frame::ETHERNET_HEADER;
    for length in 1..shortest {
        setup.send(VnetHeader::default(), &frame::outgoing(60)[..length]);
    }
    setup.wire.assert_nothing_sent();
    assert_eq!(setup.wire.link.statistics().tx_dropped, shortest as u64 - 1);
    leave_one(setup);
}

#[track_caller]
fn leave_one(setup: &mut Setup) {
    let frame = frame::outgoing(61);
    setup.send(VnetHeader::default(), &frame);
    frame::assert_same(&setup.wire.peer.receive().frame, &frame);
}

fn malformed_header(setup: &mut Setup) {
    let good = VnetHeader::default();
    let bad = [
        VnetHeader {
            gso_type: 0x7f,
            ..good
        },
        VnetHeader {
            gso_type: vnet::GSO_TCPV4,
            ..good
        },
    ];
    for header in bad {
        setup.send(header, &frame::outgoing(100));
    }
    setup.wire.assert_nothing_sent();
    let dropped = setup.wire.link.statistics().tx_dropped;
    assert_eq!(dropped, bad.len() as u64);
    leave_one(setup);
}

/// In a batch, vhost finds out by itself, and goes no further.
fn checksum_behind_the_end(setup: &mut Setup) {
    for (csum_start, csum_offset) in [(2000, 0), (14, 60_000)] {
        let header = VnetHeader {
            flags: vnet::F_NEEDS_CSUM,
            csum_start,
            csum_offset,
            ..VnetHeader::default()
        };
        setup.send(header, &frame::outgoing(100));
    }
    setup.wire.assert_nothing_sent();
    assert_eq!(setup.wire.link.statistics().tx_dropped, 2);
    leave_one(setup);
}

/// What was not written is not sent.
fn longer_headers(setup: &mut Setup) {
    for length in [256, 300, 1000, 1500] {
        let frame = frame::outgoing(length);
        for more in 0..=2 {
            let header = VnetHeader {
                hdr_len: length as u16 + more,
                ..VnetHeader::default()
            };
            setup.send(header, &frame);
            frame::assert_same(&setup.wire.peer.receive().frame, &frame);
        }
    }
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol::Tcp4,
    Protocol::Tcp6,
    Protocol::Udp4,
    Protocol::Udp6,
];

fn partial_checksums_leave(setup: &mut Setup) {
    for protocol in PROTOCOLS {
        let (header, frame) = Packet::outgoing(protocol, 333).build_partial();
        setup.send(header, &frame);
        let received = setup.wire.peer.receive();
        assert_eq!(received.header, header);
        frame::assert_same(&received.frame, &frame);
    }
}

fn long_packets_leave(setup: &mut Setup) {
    for protocol in [Protocol::Tcp4, Protocol::Tcp6] {
        for payload in [2000, 20_000, 64_000] {
            let (header, frame) = Packet::outgoing(protocol, payload).build_gso(1000);
            setup.send(header, &frame);
            let received = setup.wire.peer.receive();
            assert_eq!(received.header.gso_type, header.gso_type);
            assert_eq!(received.header.gso_size, header.gso_size);
            frame::assert_same(&received.frame, &frame);
        }
    }
}

/// The guest has a header, but the queue none: vhost keeps it.
fn without_header(setup: &mut Setup) {
    setup.vhost.detach();
    setup.tap.set_bare();
    setup.vhost = Vhost::new(OWN_HEADER);
    setup.vhost.attach(&setup.tap);

    leave_one(setup);
    setup.vhost.offer(1, 4096);
    let frame = frame::incoming(100);
    setup.wire.peer.send(&frame);
    setup.assert_arrives(VnetHeader::default(), &frame);
}

/// Frames come back used all the same, and vhost lets go of the queue.
fn deleted_link(setup: &mut Setup) {
    setup.vhost.offer(RING_SIZE, 4096);
    leave_one(setup);
    setup.wire.link.delete().expect("the link to be deleted");
    for length in LENGTHS {
        setup.send(VnetHeader::default(), &frame::outgoing(length));
    }
    setup.wire.peer.assert_empty();
    assert_eq!(setup.tap.name_and_flags(), Err(Errno::ENOLINK));
    setup.vhost.detach();
}

/// The pages themselves are sent, and come back when the frame has left, if they
/// are not copied.
fn written_meanwhile(way: Way) {
    let setup = &mut Setup::new(way);
    setup.wire.link.delay(1000);
    let before = frame::outgoing(3000);
    let mut after = before.clone();
    // Headers are copied in any way.
    after[1000..].fill(0x55);
    let packet = plain(&before);
    let transmit = &mut setup.vhost.transmit;
    let descriptor = transmit.put(&packet, &[packet.len()]);
    transmit.publish();
    wait::until("a packet in the queueing discipline", || {
        setup.wire.link.delays()
    });
    setup.vhost.transmit.overwrite(descriptor, &plain(&after));
    let sent = if way == Way::ZeroCopy { after } else { before };
    frame::assert_same(&setup.wire.peer.receive().frame, &sent);
    setup.vhost.wait_sent(1);
}

fn attached_again(setup: &mut Setup) {
    let frames: Vec<_> = (0..u32::from(RING_SIZE))
        .map(|number| numbered(frame::outgoing(1000), number))
        .collect();
    let packets: Vec<_> = frames.iter().map(|frame| plain(frame)).collect();
    for _ in 0..5 {
        setup.vhost.post(&packets);
        setup.vhost.detach();
        setup.vhost.attach(&setup.tap);
        setup.vhost.wait_sent(packets.len());
        for frame in &frames {
            frame::assert_same(&setup.wire.peer.receive().frame, frame);
        }
    }
}

/// As when a machine monitor dies.
fn closed(setup: &mut Setup) {
    for _ in 0..3 {
        setup.vhost.offer(RING_SIZE, 4096);
        let packets = vec![plain(&frame::outgoing(1000)); usize::from(RING_SIZE)];
        setup.vhost.post(&packets);
        for _ in 0..10 {
            setup.wire.peer.send(&frame::incoming(1000));
        }
        mem::replace(&mut setup.vhost, Vhost::new(0)).close();
        setup.vhost.attach(&setup.tap);
    }
    while setup.wire.peer.receive_now().is_some() {}
    leave_one(setup);
}

fn arrive(setup: &mut Setup) {
    setup.vhost.offer(RING_SIZE, 4096 * 17);
    for length in LENGTHS {
        let frame = frame::incoming(length);
        setup.wire.peer.send(&frame);
        setup.assert_arrives(VnetHeader::default(), &frame);
    }
    let statistics = setup.wire.link.statistics();
    assert_eq!(statistics.rx_packets, LENGTHS.len() as u64);
    assert_eq!(statistics.rx_dropped, 0);
}

fn many_arrive(setup: &mut Setup) {
    for round in 0..ROUNDS {
        setup.vhost.offer(RING_SIZE, 4096);
        let start = round * u32::from(RING_SIZE);
        for number in 0..u32::from(RING_SIZE) {
            let frame = numbered(frame::incoming(60), start + number);
            setup.wire.peer.send(&frame);
        }
        for number in 0..u32::from(RING_SIZE) {
            let frame = numbered(frame::incoming(60), start + number);
            setup.assert_arrives(VnetHeader::default(), &frame);
        }
    }
}

fn tagged_arrive(setup: &mut Setup) {
    setup.vhost.offer(RING_SIZE, 4096);
    for length in [60, 61, 1000, 1514] {
        let frame = frame::tagged(&frame::incoming(length), 0x8100, 0x2345);
        setup.wire.peer.send(&frame);
        setup.assert_arrives(VnetHeader::default(), &frame);
    }
}

fn partial_checksums_arrive(setup: &mut Setup) {
    setup.vhost.offer(RING_SIZE, 4096);
    for protocol in PROTOCOLS {
        let (header, frame) = Packet::incoming(protocol, 333).build_partial();
        setup.wire.peer.send_with(header, &frame);
        setup.assert_arrives(header, &frame);
    }
}

fn long_packets_arrive(setup: &mut Setup) {
    setup.vhost.offer(RING_SIZE, 4096 * 17);
    for protocol in [Protocol::Tcp4, Protocol::Tcp6] {
        for payload in [2000, 20_000, 64_000] {
            let (header, frame) = Packet::incoming(protocol, payload).build_gso(1000);
            setup.wire.peer.send_with(header, &frame);
            let (seen, received) = setup.receive();
            assert_eq!(seen.gso_type, header.gso_type);
            assert_eq!(seen.gso_size, header.gso_size);
            frame::assert_same(&received, &frame);
        }
    }
}

/// What lies in the ring when a guest's driver starts anew. In C, the long packet is
/// handed out all the same.
fn turned_off(setup: &mut Setup, dropped: bool) {
    let (header, frame) = Packet::incoming(Protocol::Tcp4, 10_000).build_gso(1000);
    setup.wire.peer.send_with(header, &frame);
    setup.wire.wait_received(1);
    setup.tap.set_offload(0).expect("TUNSETOFFLOAD");
    setup.vhost.offer(RING_SIZE, 4096 * 17);
    if !dropped {
        frame::assert_same(&setup.receive().1, &frame);
    }
    let last = frame::incoming(100);
    setup.wire.peer.send(&last);
    setup.assert_arrives(VnetHeader::default(), &last);
    let count = setup.wire.link.statistics().rx_dropped;
    assert_eq!(count, u64::from(dropped));
}

fn buffer_too_short(setup: &mut Setup) {
    setup.vhost.offer(1, 100);
    setup.vhost.offer(1, 4096);
    setup.wire.peer.send(&frame::incoming(1000));
    let frame = frame::incoming(60);
    setup.wire.peer.send(&frame);
    setup.assert_arrives(VnetHeader::default(), &frame);
}

fn frames_wait(setup: &mut Setup) {
    let frames: Vec<_> = (0..10)
        .map(|number| numbered(frame::incoming(60), number))
        .collect();
    for frame in &frames {
        setup.wire.peer.send(frame);
    }
    setup.wire.wait_received(10);
    assert_eq!(setup.vhost.receive_now(), None);
    setup.vhost.offer(RING_SIZE, 4096);
    for frame in &frames {
        setup.assert_arrives(VnetHeader::default(), frame);
    }
    let last = frame::incoming(61);
    setup.wire.peer.send(&last);
    setup.assert_arrives(VnetHeader::default(), &last);
}
