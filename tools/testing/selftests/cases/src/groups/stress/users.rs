// SPDX-License-Identifier: GPL-2.0
//! Those who read and write: many at once, interrupted, stopped, killed, and with memory
//! that changes.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::SaFlags;
use nix::unistd::{gettid, Pid};

use super::race::{at_once, times, Once, Race, SEED};
use super::traffic::{self, assert_usable, Frames, BUFFER};
use crate::frame::{self, Packet, Protocol};
use crate::ktap;
use crate::setup::Wire;
use crate::sys::cgroup::Freezer;
use crate::sys::io_uring::{Ring, AT_ONCE, BY_THREAD};
use crate::sys::link::{Macvtap, LOWER, PEER_MAC, TAP2, TAP2_MAC, TAP_MAC};
use crate::sys::memory::Shared;
use crate::sys::packet::PacketSocket;
use crate::sys::process::{self, Blocked, Worker};
use crate::sys::tap::Tap;
use crate::sys::tun::Tun;
use crate::sys::userfault::Absent;
use crate::sys::{pass, wait};
use crate::vnet;

/// Where a UDP datagram over IPv4 has its source port, and what it carries.
const PORT: usize = 34;
const NUMBER: usize = 42;

/// Tells a reader that there is no more.
const LAST: u32 = u32::MAX;

/// So many at most are under way: the ring has room for them.
const WINDOW: u64 = 200;

const READERS: usize = 4;

fn numbered(number: u32) -> Vec<u8> {
    let mut frame = Packet::incoming(Protocol::Udp4, 20).build();
    frame[PORT..][..2].copy_from_slice(&(number as u16).to_be_bytes());
    frame[NUMBER..][..4].copy_from_slice(&number.to_be_bytes());
    frame
}

/// How often each frame came.
struct Delivery {
    times: Vec<AtomicU32>,
    total: AtomicU64,
    threads: [AtomicI32; READERS],
}

impl Delivery {
    fn of(frames: u64) -> Delivery {
        Delivery {
            times: (0..frames).map(|_| AtomicU32::new(0)).collect(),
            total: AtomicU64::new(0),
            threads: Default::default(),
        }
    }

    /// Reads until there is no more, in one way or another.
    fn read(&self, reader: usize, tap: &Tap, blocking: bool) {
        process::pin_to_cpu(reader % 2);
        self.threads[reader].store(gettid().as_raw(), Ordering::Relaxed);
        let mut buffer = [0; BUFFER];
        loop {
            let result = if blocking {
                tap.read(&mut buffer)
            } else {
                tap.read_nowait(&mut buffer)
            };
            let length = match result {
                Ok(length) => length,
                Err(Errno::EAGAIN) if !blocking => {
                    thread::yield_now();
                    continue;
                }
                Err(Errno::EINTR) if blocking => continue,
                Err(error) => panic!("reading: {error}"),
            };
            let frame = &buffer[vnet::SIZE..length];
            let number = frame[NUMBER..][..4].try_into().expect("a number");
            let number = u32::from_be_bytes(number);
            frame::assert_same(frame, &numbered(number));
            if number == LAST {
                return;
            }
            self.times[number as usize].fetch_add(1, Ordering::Relaxed);
            self.total.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends each frame, and calls `last` for those that end the readers.
    fn send(&self, wire: &Wire, last: impl FnOnce()) {
        self.send_every(&wire.peer, 0, 1);
        self.wait();
        last();
    }

    /// Sends the frame `first`, and those that follow it by so many.
    fn send_every(&self, peer: &PacketSocket, first: usize, step: usize) {
        for number in (first..self.times.len()).step_by(step) {
            wait::until("readers to read", || {
                (number as u64) < self.total.load(Ordering::Relaxed) + WINDOW
            });
            peer.send(&numbered(number as u32));
        }
    }

    fn wait(&self) {
        wait::until("all frames to be read", || {
            self.total.load(Ordering::Relaxed) >= self.times.len() as u64
        });
    }

    #[track_caller]
    fn assert_each_once(&self) {
        for (number, times) in self.times.iter().enumerate() {
            assert_eq!(times.load(Ordering::Relaxed), 1, "times of frame {number}");
        }
    }
}

/// Several readers of one file, two of which wait and are interrupted, while others open and
/// close descriptors of it.
pub fn readers_of_one_file() {
    process::handle_signals(SaFlags::empty());
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let delivery = Delivery::of(times(4000));
    let (delivery, shared) = (&delivery, &tap);
    thread::scope(|scope| {
        for reader in 0..READERS {
            scope.spawn(move || delivery.read(reader, shared, reader < 2));
        }
        scope.spawn(|| {
            process::pin_to_cpu(1);
            while delivery.total.load(Ordering::Relaxed) < delivery.times.len() as u64 {
                for thread in &delivery.threads[..2] {
                    match thread.load(Ordering::Relaxed) {
                        0 => (),
                        thread => process::signal_thread(Pid::from_raw(thread)),
                    }
                }
                drop(pass::over_a_socket(shared.duplicate()));
                thread::yield_now();
            }
        });
        delivery.send(&wire, || {
            (0..READERS).for_each(|_| wire.peer.send(&numbered(LAST)));
        });
    });
    delivery.assert_each_once();
    ktap::operations(delivery.times.len() as u64, "(frames read)");
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// Two processors put frames into one ring. There is room for all that are under way.
pub fn received_by_two_processors() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let delivery = &Delivery::of(times(8000));
    let peers = [(); 2].map(|()| PacketSocket::open(&wire.peer_link, 0));
    thread::scope(|scope| {
        scope.spawn(|| delivery.read(0, &tap, false));
        for (cpu, peer) in peers.into_iter().enumerate() {
            scope.spawn(move || {
                process::pin_to_cpu(cpu);
                delivery.send_every(&peer, cpu, 2);
            });
        }
        delivery.wait();
        wire.peer.send(&numbered(LAST));
    });
    delivery.assert_each_once();
    assert_eq!(wire.link.statistics().rx_dropped, 0);
    ktap::operations(delivery.times.len() as u64, "(frames read)");
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// Two links get the same frames, and put them together in the same memory, or must not.
pub fn readers_of_the_same_frames() {
    let (tun, lower) = Tun::new(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    let other = Macvtap {
        name: TAP2,
        address: TAP2_MAC,
        ..Macvtap::default()
    };
    let other = other.create(&lower).expect("a second macvtap link");
    for link in [&lower, &link, &other] {
        link.silence();
        link.set_up(true).expect("a link that is up");
    }
    let taps = [&link, &other].map(Tap::open);
    let frame = frame::tagged(&frame::raw([0xff; 6], PEER_MAC, 1500), 0x8100, 5);
    let bytes = vnet::plain(&frame);
    let mut rng = Rng::with_seed(SEED);
    let rounds = times(400);
    for _ in 0..rounds {
        assert_eq!(tun.send(&bytes), Ok(bytes.len()));
        for tap in &taps {
            wait::events(tap, PollFlags::POLLIN);
        }
        let read = |tap: &Tap| {
            let mut buffer = [0; BUFFER];
            let length = tap.read(&mut buffer).expect("a frame");
            frame::assert_same(&buffer[..length], &bytes);
        };
        let readers = taps
            .iter()
            .map(|tap| Box::new(move || read(tap)) as Once<'_>);
        at_once(&mut rng, readers.collect());
    }
    ktap::operations(2 * rounds, "(frames read)");
}

/// A reader for each queue.
pub fn readers_of_many_queues() {
    let wire = Wire::new();
    let taps: Vec<_> = (0..READERS)
        .map(|_| Tap::open_blocking(&wire.link))
        .collect();
    let delivery = Delivery::of(times(4000));
    thread::scope(|scope| {
        for (reader, tap) in taps.iter().enumerate() {
            let delivery = &delivery;
            scope.spawn(move || delivery.read(reader, tap, reader < 2));
        }
        delivery.send(&wire, || {
            // To each of them: one after the other is alone.
            for (alone, tap) in taps.iter().enumerate() {
                for other in &taps[alone + 1..] {
                    other.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
                }
                wire.peer.send(&numbered(LAST));
                wire.wait_received((delivery.times.len() + alone + 1) as u64);
                for other in &taps[alone + 1..] {
                    other.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
                }
                tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
            }
        });
    });
    delivery.assert_each_once();
    assert_eq!(wire.link.statistics().rx_dropped, 0);
    ktap::operations(delivery.times.len() as u64, "(frames read)");
    drop(taps);
    assert_usable(&wire, &wire.link);
}

/// Descriptors come and go by ways that programs hand them on, while others use the file.
pub fn descriptors() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frames = Frames::incoming();
    let pass = |rng: &mut Rng| {
        let copy = tap.duplicate();
        let copy = if rng.bool() {
            copy
        } else {
            Tap::from(pass::over_a_socket(copy))
        };
        traffic::read_one(&copy, &frames);
        true
    };
    Race::default()
        .with("descriptors passed on", times(1000), pass)
        .with("descriptors passed on", times(1000), pass)
        .with("frames read", times(400), traffic::read(&tap))
        .with("frames sent", times(4000), traffic::send(&wire.peer_link))
        .with_frames_out(&tap, &mut wire.peer)
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// Sends back what it reads, in calls that wait.
fn echo(tap: &Tap) -> Worker {
    Worker::start(|| {
        process::pin_to_cpu(1);
        let mut buffer = [0; BUFFER];
        loop {
            let length = tap.read(&mut buffer).expect("a frame");
            let (to, from) = (vnet::SIZE, vnet::SIZE + 6);
            buffer[to..][..6].copy_from_slice(&PEER_MAC);
            buffer[from..][..6].copy_from_slice(&TAP_MAC);
            assert_eq!(tap.write(&buffer[..length]), Ok(length));
        }
    })
}

/// A process that is stopped, frozen or traced while it waits goes on where it was, and no
/// frame is lost or comes twice.
pub fn stopped() {
    let mut rng = Rng::with_seed(SEED);
    let wire = Wire::new();
    // The link passes on what comes before there is a queue.
    let tap = Tap::open_blocking(&wire.link);
    let worker = echo(&tap);
    let freezer = Freezer::of(worker.process());
    let rounds = times(200);
    for number in 0..rounds as u32 {
        wire.peer.send(&numbered(number));
        match rng.u8(..3) {
            0 => worker.pause(),
            1 => worker.trace(),
            _ => freezer.pause(),
        }
        let echo = wire.peer.receive().frame;
        frame::assert_same(&echo[NUMBER..][..4], &number.to_be_bytes());
        wire.peer.assert_empty();
    }
    worker.kill();
    drop((freezer, tap));
    ktap::operations(rounds, "(times stopped)");
    assert_usable(&wire, &wire.link);
}

type Call = (&'static str, fn(&Wire));

fn poll_forever(tap: &Tap, mut wait: impl FnMut()) {
    loop {
        wait();
        let _ = tap.read_nowait(&mut [0; BUFFER]);
    }
}

/// Each waits for something, and again, with a file of its own.
const CALLS: &[Call] = &[
    ("read", |wire| {
        let tap = Tap::open_blocking(&wire.link);
        loop {
            tap.read(&mut [0; BUFFER]).expect("a frame");
        }
    }),
    ("write", |wire| {
        let tap = Tap::open_blocking(&wire.link);
        tap.set_number(libc::TUNSETSNDBUF, 10_000)
            .expect("TUNSETSNDBUF");
        let bytes = vnet::plain(&frame::outgoing(1000));
        loop {
            tap.write(&bytes).expect("room");
        }
    }),
    ("poll", |wire| {
        let tap = Tap::open_blocking(&wire.link);
        poll_forever(&tap, || {
            wait::events(&tap, PollFlags::POLLIN);
        });
    }),
    ("epoll", |wire| {
        let tap = Tap::open_blocking(&wire.link);
        let epoll = Epoll::new(EpollCreateFlags::empty()).expect("epoll");
        let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        epoll.add(&tap, event).expect("epoll_ctl");
        poll_forever(&tap, || {
            let events = &mut [EpollEvent::empty()];
            epoll.wait(events, EpollTimeout::NONE).expect("epoll_wait");
        });
    }),
    ("io_uring", |wire| {
        let tap = Tap::open_blocking(&wire.link);
        let mut ring = Ring::new();
        loop {
            for how in [AT_ONCE, BY_THREAD] {
                ring.read(&tap, BUFFER, how);
            }
            ring.poll(&tap, PollFlags::POLLIN, false);
            (0..3).for_each(|_| drop(ring.next()));
        }
    }),
    ("open, ioctl and close", |wire| loop {
        let tap = Tap::open_blocking(&wire.link);
        tap.name_and_flags().expect("TUNGETIFF");
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }),
];

/// A process that is killed has nothing left, wherever it was.
pub fn killed() {
    let mut rng = Rng::with_seed(SEED);
    let wire = Wire::new();
    // What is written waits there, and the writers for it.
    wire.link.delay(1);
    let flood = Worker::start(|| {
        process::pin_to_cpu(0);
        let mut send = traffic::send(&wire.peer_link);
        let mut rng = Rng::with_seed(SEED);
        loop {
            send(&mut rng);
            thread::sleep(Duration::from_micros(rng.u64(..1000)));
        }
    });
    let rounds = times(6);
    for round in 0..rounds {
        for (name, call) in CALLS {
            println!("{name}, round {round}");
            let worker = Worker::start(|| {
                process::pin_to_cpu(1);
                call(&wire);
            });
            wait::until("a queue", || worker.has_open(&wire.link.node()));
            thread::sleep(Duration::from_micros(rng.u64(..5000)));
            worker.kill();
            while wire.peer.receive_now().is_some() {}
        }
    }
    flood.kill();
    wait::until("frames to leave", || !wire.link.delays());
    ktap::operations(rounds * CALLS.len() as u64, "(processes killed)");
    assert_usable(&wire, &wire.link);
}

/// Requests that wait while the link goes, and their ring with them, or a little later. In C
/// those that wait go on to do so until the ring goes.
pub fn io_uring(told: bool) {
    let mut rng = Rng::with_seed(SEED);
    let wire = &Wire::new();
    wire.link.delete().expect("a link to delete");
    let rounds = times(10);
    for round in 0..rounds {
        println!("round {round}");
        let link = &Macvtap::default().create(&wire.lower).expect("a link");
        link.set_up(true).expect("a link that is up");
        let tap = &Tap::open(link);
        tap.set_nonblocking(rng.bool());
        let (cancels, waits) = (rng.bool(), told && rng.bool());
        let request: Once<'_> = Box::new(move || {
            let mut ring = Ring::new();
            let mut last = 0;
            for how in [AT_ONCE, BY_THREAD, AT_ONCE, BY_THREAD] {
                last = ring.read(tap, BUFFER, how);
            }
            ring.poll(tap, PollFlags::POLLIN, false);
            ring.write(tap, &vnet::plain(&frame::outgoing(100)), BY_THREAD);
            let mut requests = 6;
            if cancels {
                ring.cancel(last);
                requests += 1;
            }
            if waits {
                (0..requests).for_each(|_| drop(ring.next()));
            }
        });
        let delete: Once<'_> = Box::new(|| link.delete().expect("a link to delete"));
        let mut send = traffic::send(&wire.peer_link);
        let flood: Once<'_> = Box::new(move || {
            let mut rng = Rng::with_seed(round);
            (0..20).for_each(|_| {
                send(&mut rng);
            });
        });
        at_once(&mut rng, vec![request, delete, flood]);
        while wire.peer.receive_now().is_some() {}
    }
    ktap::operations(rounds * 3, "(links deleted, rings closed, floods)");
    let link = Macvtap::default().create(&wire.lower).expect("a link");
    link.set_up(true).expect("a link that is up");
    assert_usable(wire, &link);
}

/// Whoever waits is told that the link is gone, whether it fell asleep before or not.
pub fn told() {
    process::handle_signals(SaFlags::empty());
    let mut rng = Rng::with_seed(SEED);
    let wire = Wire::new();
    wire.link.delete().expect("a link to delete");
    let rounds = times(16);
    for round in 0..rounds {
        println!("round {round}");
        let link = Macvtap::default().create(&wire.lower).expect("a link");
        let tap = Tap::open_blocking(&link);
        let read = |cpu| {
            let tap = tap.duplicate();
            Blocked::start_any(libc::SYS_read, move || {
                process::pin_to_cpu(cpu);
                loop {
                    if let Err(error) = tap.read(&mut [0; BUFFER]) {
                        return error;
                    }
                }
            })
        };
        let poll = |cpu| {
            let tap = tap.duplicate();
            Blocked::start_any(libc::SYS_poll, move || {
                process::pin_to_cpu(cpu);
                wait::events(&tap, PollFlags::POLLPRI)
            })
        };
        let (readers, pollers) = ([read(0), read(1)], [poll(0), poll(1)]);
        let epoll = Epoll::new(EpollCreateFlags::empty()).expect("epoll");
        epoll
            .add(&tap, EpollEvent::new(EpollFlags::EPOLLET, 0))
            .expect("epoll_ctl");
        thread::sleep(Duration::from_micros(rng.u64(..1000)));
        link.delete().expect("a link to delete");
        for reader in readers {
            assert_eq!(reader.result(), Errno::ENETDOWN);
        }
        for poller in pollers {
            assert_eq!(poller.result(), PollFlags::POLLERR);
        }
        let events = &mut [EpollEvent::empty()];
        let deadline = EpollTimeout::from(10_000u16);
        assert_eq!(epoll.wait(events, deadline), Ok(1));
    }
    ktap::operations(rounds * 5, "(waiters told)");
}

const MEMORY: usize = 4096;

/// What is written is looked at once, whatever becomes of it meanwhile.
pub fn changing_memory() {
    let mut wire = Wire::new();
    let tap = Tap::open(&wire.link);
    // One for each way: in C, what a link sends to itself stays.
    let [memory, other] = [Shared::new(MEMORY), Shared::new(MEMORY)];
    let packets: Vec<_> = [Protocol::Tcp4, Protocol::Udp6, Protocol::Tcp6]
        .map(|protocol| Packet::outgoing(protocol, 1400).build_gso(500))
        .map(|(header, frame)| header.with(&frame))
        .into();
    let write = |rng: &mut Rng| {
        let packet = &packets[rng.usize(..packets.len())];
        memory.store(0, packet);
        match tap.write_at(memory.address(), packet.len()) {
            Ok(length) => assert_eq!(length, packet.len()),
            Err(error) => {
                let allowed = [
                    Errno::EINVAL,
                    Errno::EAGAIN,
                    Errno::ENOBUFS,
                    Errno::EMSGSIZE,
                ];
                assert!(allowed.contains(&error), "{error}");
            }
        }
        true
    };
    // All of the header, and the headers behind it.
    let change = |rng: &mut Rng| {
        let at = rng.usize(..vnet::SIZE + 60);
        memory.store(
            at,
            &[rng
                .choice([0, 1, 4, 5, 6, 8, 0x11, 0x81, 0xff])
                .expect("a byte")],
        );
        true
    };
    Race::default()
        .with("frames written", times(2000), write)
        .with("bytes changed", times(20_000), change)
        .with("frames sent", times(1000), traffic::send(&wire.peer_link))
        .with("pages given back", times(200), |_| {
            memory.give_back();
            other.give_back();
            true
        })
        .with("frames read there", times(100), |_| {
            tap.read_at(other.address(), MEMORY).is_ok()
        })
        .with(
            "frames arrived",
            times(200),
            traffic::discard(&mut wire.peer),
        )
        .run();
    drop(tap);
    assert_usable(&wire, &wire.link);
}

/// Who waits for memory in the middle of a read or a write holds nobody up.
pub fn absent_memory() {
    let wire = Wire::new();
    wire.link.delete().expect("a link to delete");
    let rounds = times(4);
    for round in 0..rounds {
        println!("round {round}");
        let link = Macvtap::default().create(&wire.lower).expect("a link");
        link.set_up(true).expect("a link that is up");
        link.wait_operational();
        let tap = Tap::open_blocking(&link);
        let pages = [Absent::new(), Absent::new()];
        wire.peer.send(&frame::incoming(100));
        tap.wait_readable();
        let (reader, writer) = (tap.duplicate(), tap.duplicate());
        let [to, from] = [pages[0].address(), pages[1].address()];
        let reader = Blocked::start_any(libc::SYS_read, move || reader.read_at(to, 200));
        let writer = Blocked::start_any(libc::SYS_write, move || writer.write_at(from, 110));
        pages.iter().for_each(Absent::wait_touched);

        // All that takes a lock.
        let other = Tap::open(&link);
        for flags in [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE] {
            tap.set_queue(flags).expect("TUNSETQUEUE");
        }
        tap.set_offload(0).expect("TUNSETOFFLOAD");
        for length in [10, 500] {
            let length = netlink_packet_route::link::LinkAttribute::TxQueueLen(length);
            link.set(length).expect("a length");
        }
        drop(other);
        wait::events_now(&tap, PollFlags::POLLIN);
        let gone = round % 2 == 0;
        if gone {
            link.delete().expect("a link to delete");
        }
        pages[0].provide(&[]);
        pages[1].provide(&vnet::plain(&frame::outgoing(100)));
        assert_eq!(reader.result(), Ok(110));
        let written = writer.result();
        let ended = gone && written == Err(Errno::ENETDOWN);
        assert!(written == Ok(110) || ended, "{written:?}");
        while wire.peer.receive_now().is_some() {}
    }
    ktap::operations(rounds * 8, "(calls while others wait for memory)");
}
