// SPDX-License-Identifier: GPL-2.0
//! vhost-net under load: frames of all lengths, in up to four parts, in both
//! directions at once, while it is taken away and given back, or killed.
//!
//! Every frame tells its number, and its length and contents follow from that.
//! None may be lost unless the link has counted it, or come twice.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::errno::Errno;

use super::vhost::{Setup, Way};
use crate::driver::Driver;
use crate::frame;
use crate::ktap::{self, Case};
use crate::setup::Wire;
use crate::sys::leaks;
use crate::sys::link::{Link, Mac, PEER_MAC, TAP_MAC};
use crate::sys::module;
use crate::sys::packet::PacketSocket;
use crate::sys::process::{self, Worker};
use crate::sys::tap::Tap;
use crate::sys::vhost::{Ring, Vhost, HEADER_SIZE, RING_SIZE};
use crate::sys::wait::{self, DEADLINE};
use crate::vnet::{self, VnetHeader};

/// Of all cases together, unless the environment's PACKETS says otherwise.
const PACKETS: u32 = 100_000;
/// Of each case: what overflows a ring in any case.
const LEAST: u32 = 2000;
/// Even an emulated machine does more in a second.
const PACKETS_PER_SECOND: u32 = 500;

const LONGEST: usize = 65_536;
const MOST_PARTS: usize = 4;
/// Not more are under way in one direction, where none may be lost: what is
/// between here and there has room for them.
const WINDOW: u32 = 200;
/// After as many packets, a backend is taken away or a process is killed.
const DISTURBED_AFTER: u32 = 500;

type Body = fn(Way, u32);

/// Those that send only, or both.
const OUTGOING: &[(&str, Body)] = &[
    ("frames leave", leave),
    ("frames leave and arrive", leave_and_arrive),
    ("detached and attached", reattached),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let packets = env::var("PACKETS").map_or(PACKETS, |packets| packets.parse().expect("a number"));
    let share = packets / ((OUTGOING.len() + 1) * Way::ALL.len() + 1) as u32;
    let share = share.max(LEAST);
    let case = |name: String, way, body: Body| {
        let longer = Duration::from_secs(u64::from(share / PACKETS_PER_SECOND));
        Case::new(name, move || {
            // What vhost does, it does on the processor on which it was opened.
            process::pin_to_cpu(1);
            body(way, share);
        })
        .longer(longer)
    };
    let mut cases = vec![case("frames arrive".into(), Way::Single, arrive)];
    for way in Way::ALL {
        // Who is killed cannot give its queue back first.
        let loses = way == Way::ZeroCopy && leaks::are_looked_for();
        for (name, body) in OUTGOING {
            cases.push(case(format!("{name}: {way:?}"), way, *body));
        }
        if !loses {
            cases.push(case(format!("killed: {way:?}"), way, killed));
        }
        // In C, vhost may then wait for ever for its pages.
        if !loses && (driver.has_our_tap() || way != Way::ZeroCopy) {
            let name = format!("killed, its link deleted: {way:?}");
            cases.push(case(name, way, killed_without_link));
        }
    }
    cases
}

/// The frames of one direction.
struct Stream {
    destination: Mac,
    noise: Vec<u8>,
}

impl Stream {
    fn to(destination: Mac) -> Stream {
        let noise = frame::noise(LONGEST * 2, u32::from(destination[5]));
        Stream { destination, noise }
    }

    /// The source address has the number: the shortest have nothing else.
    fn frame(&self, number: u32) -> Vec<u8> {
        let [a, b, c, d] = number.to_be_bytes();
        let mut rng = Rng::with_seed(u64::from(number));
        let length = some_length(&mut rng);
        let mut frame = frame::raw(
            self.destination,
            [2, 0xff, a, b, c, d],
            frame::ETHERNET_HEADER,
        );
        let start = rng.usize(..LONGEST);
        frame.extend_from_slice(&self.noise[start..][..length - frame::ETHERNET_HEADER]);
        frame
    }

    /// The number of a frame that is as it was sent.
    #[track_caller]
    fn check(&self, frame: &[u8]) -> u32 {
        let number: [u8; 4] = frame[8..12].try_into().expect("an address");
        let number = u32::from_be_bytes(number);
        frame::assert_same(frame, &self.frame(number));
        number
    }
}

/// Where something begins or ends, or any other, rather short than long.
fn some_length(rng: &mut Rng) -> usize {
    const EDGES: [usize; 14] = [
        14, 15, 59, 60, 61, 255, 256, 257, 1514, 4083, 4084, 4085, 65_535, 65_536,
    ];
    match rng.usize(..32) {
        edge if edge < EDGES.len() => EDGES[edge],
        other => rng.usize(14..=14 << (other % 12)),
    }
}

/// Cuts `length` bytes into parts of any lengths.
fn parts(length: usize, rng: &mut Rng) -> Vec<usize> {
    let count = rng.usize(1..=MOST_PARTS);
    let mut parts = Vec::with_capacity(count);
    let mut rest = length;
    for others in (1..count).rev() {
        let most = if rng.bool() { rest } else { rest.min(100) };
        let part = rng.usize(1..=(most - others).max(1));
        parts.push(part);
        rest -= part;
    }
    parts.push(rest);
    parts
}

/// Numbers that have to go up.
#[derive(Default)]
struct Arrived {
    next: u32,
    count: u32,
}

impl Arrived {
    #[track_caller]
    fn add(&mut self, number: u32) {
        assert!(number >= self.next, "{number} came after {}", self.next - 1);
        self.next = number + 1;
        self.count += 1;
    }
}

/// A guest: what it sends, and what it gets.
struct Guest<'a> {
    vhost: &'a mut Vhost,
    outgoing: Stream,
    incoming: Stream,
    rng: Rng,
    sent: u32,
    arrived: Arrived,
}

impl Guest<'_> {
    fn new(vhost: &mut Vhost) -> Guest<'_> {
        Guest {
            vhost,
            outgoing: Stream::to(PEER_MAC),
            incoming: Stream::to(TAP_MAC),
            rng: Rng::with_seed(1),
            sent: 0,
            arrived: Arrived::default(),
        }
    }

    /// Sends until this many were sent, or there is no room. Returns whether
    /// something was done.
    fn send(&mut self, until: u32) -> bool {
        let before = self.sent;
        let ring = &mut self.vhost.transmit;
        while ring.used().is_some() {}
        while self.sent < until && ring.room() >= MOST_PARTS {
            let header = VnetHeader::default().with(&[0; HEADER_SIZE - vnet::SIZE]);
            let packet = [header, self.outgoing.frame(self.sent)].concat();
            ring.put(&packet, &parts(packet.len(), &mut self.rng));
            self.sent += 1;
        }
        let done = self.sent != before;
        if done {
            ring.publish();
        }
        done
    }

    /// All descriptors came back.
    fn has_sent(&mut self, count: u32) -> bool {
        self.sent == count && is_idle(&self.vhost.transmit)
    }

    fn receive(&mut self) -> bool {
        let ring = &mut self.vhost.receive;
        let before = self.arrived.count;
        while let Some(used) = ring.used() {
            let packet = ring.get(&used);
            self.arrived
                .add(self.incoming.check(&packet[HEADER_SIZE..]));
        }
        let short = ring.room() >= MOST_PARTS;
        while ring.room() >= MOST_PARTS {
            ring.offer(&parts(LONGEST + HEADER_SIZE, &mut self.rng));
        }
        if short {
            ring.publish();
        }
        self.arrived.count != before
    }
}

fn is_idle(ring: &Ring) -> bool {
    ring.room() == usize::from(RING_SIZE)
}

/// The far end of the wire.
struct Host<'a> {
    peer: &'a mut PacketSocket,
    outgoing: Stream,
    incoming: Stream,
    sent: u32,
    arrived: Arrived,
}

impl Host<'_> {
    fn new(peer: &mut PacketSocket) -> Host<'_> {
        Host {
            peer,
            outgoing: Stream::to(PEER_MAC),
            incoming: Stream::to(TAP_MAC),
            sent: 0,
            arrived: Arrived::default(),
        }
    }

    /// Sends some, until this many were sent. Returns whether something was done.
    fn send(&mut self, until: u32) -> bool {
        let before = self.sent;
        while self.sent < until && self.sent < before + WINDOW {
            let frame = self.incoming.frame(self.sent);
            match self.peer.try_send(VnetHeader::default(), &frame) {
                Ok(_) => self.sent += 1,
                // They wait in the queue, and are charged to the socket.
                Err(Errno::EAGAIN) => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.sent != before
    }

    fn receive(&mut self) -> bool {
        let before = self.arrived.count;
        while let Some(received) = self.peer.receive_now() {
            self.arrived.add(self.outgoing.check(&received.frame));
        }
        self.arrived.count != before
    }
}

/// Fails if nothing goes on any more.
struct Patience(Instant);

impl Patience {
    fn new() -> Patience {
        Patience(Instant::now())
    }

    fn go_on(&mut self, done: bool, what: &str) {
        if done {
            self.0 = Instant::now();
        } else {
            assert!(self.0.elapsed() < DEADLINE, "{what}: nothing goes on");
            thread::sleep(Duration::from_micros(50));
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Load {
    outgoing: u32,
    incoming: u32,
    /// The host does not care whether there is room.
    flood: bool,
    reattach: bool,
}

/// How far both ends are.
#[derive(Default)]
struct Progress {
    guest_got: AtomicU32,
    host_got: AtomicU32,
    host_sent: AtomicU32,
}

fn exchange(way: Way, load: Load) {
    let setup = &mut Setup::new(way);
    process::pin_to_cpu(0);
    let Setup {
        vhost, tap, wire, ..
    } = setup;
    let Wire { peer, link, .. } = wire;
    let progress = Progress::default();
    thread::scope(|scope| {
        scope.spawn(|| host(Host::new(peer), load, &progress));
        guest(Guest::new(vhost), tap, link, load, &progress);
    });
    let statistics = link.statistics();
    assert_eq!(statistics.tx_packets, u64::from(load.outgoing));
    assert_eq!(statistics.tx_dropped, 0);
    assert_eq!(statistics.rx_packets, u64::from(load.incoming));
}

fn host(mut host: Host, load: Load, progress: &Progress) {
    let mut patience = Patience::new();
    while host.sent < load.incoming || host.arrived.count < load.outgoing {
        let room = progress.guest_got.load(Ordering::Relaxed) + WINDOW;
        let until = if load.flood { u32::MAX } else { room };
        let done = host.send(load.incoming.min(until)) | host.receive();
        progress.host_sent.store(host.sent, Ordering::Relaxed);
        progress
            .host_got
            .store(host.arrived.count, Ordering::Relaxed);
        patience.go_on(done, "host");
    }
}

fn guest(mut guest: Guest, tap: &Tap, link: &Link, load: Load, progress: &Progress) {
    let mut patience = Patience::new();
    let mut attachments = 1;
    if load.flood {
        wait::until("a full ring", || link.statistics().rx_dropped > 0);
    }
    loop {
        let until = progress.host_got.load(Ordering::Relaxed) + WINDOW;
        let done = guest.send(load.outgoing.min(until)) | guest.receive();
        progress
            .guest_got
            .store(guest.arrived.count, Ordering::Relaxed);
        if load.reattach && guest.sent + guest.arrived.count >= attachments * DISTURBED_AFTER {
            guest.vhost.detach();
            guest.vhost.attach(tap);
            attachments += 1;
        }
        let all_sent = progress.host_sent.load(Ordering::Relaxed) == load.incoming;
        if !done && all_sent && guest.has_sent(load.outgoing) {
            let dropped = link.statistics().rx_dropped;
            if u64::from(guest.arrived.count) + dropped == u64::from(load.incoming) {
                assert_eq!(dropped > 0, load.flood, "{dropped} dropped");
                ktap::figures(format_args!(
                    "{} sent; of {} {} arrived and {dropped} were dropped; attached {attachments} times",
                    load.outgoing, load.incoming, guest.arrived.count,
                ));
                return;
            }
        }
        patience.go_on(done, "guest");
    }
}

fn leave(way: Way, packets: u32) {
    let load = Load {
        outgoing: packets,
        ..Load::default()
    };
    exchange(way, load);
}

fn arrive(way: Way, packets: u32) {
    let load = Load {
        incoming: packets,
        flood: true,
        ..Load::default()
    };
    exchange(way, load);
}

fn leave_and_arrive(way: Way, packets: u32) {
    let load = Load {
        outgoing: packets / 2,
        incoming: packets / 2,
        flood: true,
        reattach: false,
    };
    exchange(way, load);
}

fn reattached(way: Way, packets: u32) {
    let load = Load {
        outgoing: packets / 2,
        incoming: packets / 2,
        flood: false,
        reattach: true,
    };
    exchange(way, load);
}

/// Has a queue and vhost, as a virtual machine monitor. It sends as much as it
/// gets.
fn start_monitor(way: Way, link: &Link) -> Worker {
    Worker::start(|| {
        process::pin_to_cpu(1);
        let (mut vhost, _tap) = way.attach(link);
        let mut guest = Guest::new(&mut vhost);
        let mut patience = Patience::new();
        loop {
            let until = guest.arrived.count + WINDOW;
            let done = guest.send(until) | guest.receive();
            patience.go_on(done, "monitor");
        }
    })
}

/// Talks to the monitor for a while.
fn talk(host: &mut Host) {
    let mut patience = Patience::new();
    while host.arrived.count < DISTURBED_AFTER {
        let done = host.send(host.arrived.count + WINDOW) | host.receive();
        patience.go_on(done, "host");
    }
}

/// Runs `body` with vhost-net loaded, and unloads all modules then: neither a
/// packet nor a queue is left.
fn leaving_nothing(way: Way, body: impl FnOnce()) {
    process::pin_to_cpu(0);
    module::load("macvtap", &[]);
    let before = module::references("tap");
    let vhost_net = way.load_module();
    body();
    drop(vhost_net);
    wait::until("the queues to be freed", || {
        module::references("tap") == before
    });
    if before.is_some() {
        module::unload("macvtap");
        module::unload("tap");
    }
}

fn wait_freed(peer: &PacketSocket) {
    wait::until("packets to be freed", || peer.outstanding() == 0);
}

fn killed(way: Way, packets: u32) {
    leaving_nothing(way, || {
        let mut wire = Wire::jumbo();
        if way == Way::ZeroCopy {
            // Pages of the killed process are still under way.
            wire.link.delay(10);
        }
        let Wire { peer, link, .. } = &mut wire;
        let (mut sent, mut arrived, mut rounds) = (0, 0, 0);
        while sent + arrived < packets {
            let monitor = start_monitor(way, link);
            let mut host = Host::new(peer);
            talk(&mut host);
            monitor.kill();
            // Whatever it sent arrives.
            wait::until("frames to leave", || !link.delays());
            wait::until("frames to arrive", || {
                host.receive();
                u64::from(arrived + host.arrived.count) == link.statistics().tx_packets
            });
            sent += host.sent;
            arrived += host.arrived.count;
            rounds += 1;
        }
        wait_freed(peer);
        let statistics = link.statistics();
        assert_eq!(statistics.rx_packets, u64::from(sent));
        assert_eq!(statistics.tx_dropped, 0);
        ktap::figures(format_args!(
            "killed {rounds} times; {arrived} sent and {sent} to it"
        ));
    });
}

fn killed_without_link(way: Way, packets: u32) {
    leaving_nothing(way, || {
        for _ in 0..(packets / DISTURBED_AFTER / 2).max(1) {
            let mut wire = Wire::jumbo();
            let Wire { peer, link, .. } = &mut wire;
            let monitor = start_monitor(way, link);
            talk(&mut Host::new(peer));
            link.delete().expect("the link to be deleted");
            monitor.kill();
            wait_freed(peer);
        }
    });
}
