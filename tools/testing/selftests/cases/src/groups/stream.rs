// SPDX-License-Identifier: GPL-2.0
//! samples/macvtap-stream: a link's frames over a UNIX stream socket, with their lengths.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_route::link::MacVtapMode;
use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, ETHERNET_HEADER};
use crate::ktap::{self, Case};
use crate::setup::Wire;
use crate::sys::link::{Mac, PEER_MAC, TAP, TAP2_MAC, TAP_MAC};
use crate::sys::sample::Sample;
use crate::sys::tap::Tap;
use crate::sys::wait::{self, DEADLINE};

const PROGRAM: &str = "macvtap-stream";
const SOCKET: &str = "/run/mt-stream";

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = cases![
        to_the_socket_byte_by_byte,
        from_the_socket_in_pieces,
        bursts_both_ways,
        long_frames_in_pieces,
        offloads_are_resolved,
        slow_socket,
        slow_link,
        refused_frame_is_dropped,
        other_end_closes,
        other_end_closes_without_reading,
        other_end_closes_within_a_frame,
        other_end_closes_within_a_length,
        frame_too_long,
        signal,
        signal_while_the_socket_is_slow,
        listens_for_one,
        signal_while_it_listens,
        no_link,
    ];
    let deleted = Case::new("link_is_deleted", move || link_is_deleted(driver));
    cases.push(deleted);
    cases
}

struct Relay {
    wire: Wire,
    program: Sample,
    socket: UnixStream,
}

impl Relay {
    fn new() -> Relay {
        Relay::on(Wire::new())
    }

    fn on(wire: Wire) -> Relay {
        let _ = fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET).expect("a socket");
        let program = Sample::start(PROGRAM, &[TAP, "--connect", SOCKET]);
        let socket = listener.accept().expect("a connection").0;
        socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        Relay {
            wire,
            program,
            socket,
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).expect("a length");
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.socket.read_exact(&mut frame).expect("a frame");
        frame
    }

    fn send(&mut self, frame: &[u8]) {
        self.socket.write_all(&framed(frame)).expect("a frame sent");
    }

    fn assert_both_ways(&mut self) {
        let frame = frame::incoming(100);
        self.wire.peer.send(&frame);
        frame::assert_same(&self.receive(), &frame);
        let frame = frame::outgoing(100);
        self.send(&frame);
        frame::assert_same(&self.wire.peer.receive().frame, &frame);
    }

    /// Nothing follows, not even a part of a frame.
    fn assert_end(&mut self) {
        assert_eq!(self.socket.read(&mut [0; 100]).expect("the end"), 0);
    }

    #[track_caller]
    fn assert_ends(&mut self, code: i32, words: &str) {
        let (status, said) = self.program.end();
        assert_eq!(status.code(), Some(code), "it says {said}");
        assert!(said.contains(words), "it says {said}");
        assert_eq!(said.is_empty(), words.is_empty(), "it says {said}");
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}

/// The frame of that number, of one of many lengths.
fn numbered(destination: Mac, source: Mac, number: usize) -> Vec<u8> {
    let mut frame = frame::raw(destination, source, 60 + number * 37 % 1400);
    frame[ETHERNET_HEADER..][..4].copy_from_slice(&(number as u32).to_be_bytes());
    frame
}

fn outgoing(number: usize) -> Vec<u8> {
    numbered(PEER_MAC, TAP_MAC, number)
}

fn incoming(number: usize) -> Vec<u8> {
    numbered(TAP_MAC, PEER_MAC, number)
}

fn number(frame: &[u8]) -> usize {
    let number = frame[ETHERNET_HEADER..].first_chunk().expect("a number");
    u32::from_be_bytes(*number) as usize
}

fn to_the_socket_byte_by_byte() {
    let mut relay = Relay::new();
    for length in [14, 60, 255, 256, 1514] {
        let frame = frame::incoming(length);
        relay.wire.peer.send(&frame);
        let mut bytes = vec![];
        for _ in 0..4 + length {
            let mut byte = [0];
            relay.socket.read_exact(&mut byte).expect("a byte");
            bytes.extend(byte);
        }
        frame::assert_same(&bytes, &framed(&frame));
    }
}

fn from_the_socket_in_pieces() {
    let mut relay = Relay::new();
    for size in [1, 2, 3, 4, 5, 63, 64, 65, 1000] {
        let frames: Vec<_> = (0..10).map(outgoing).collect();
        let bytes: Vec<_> = frames.iter().flat_map(|frame| framed(frame)).collect();
        for piece in bytes.chunks(size) {
            relay.socket.write_all(piece).expect("bytes sent");
        }
        for frame in frames {
            frame::assert_same(&relay.wire.peer.receive().frame, &frame);
        }
    }
}

/// As much as the ring holds, again and again, while as much goes the other way.
fn bursts_both_ways() {
    const ROUNDS: usize = 3;
    const BURST: usize = 300;

    let mut relay = Relay::new();
    let bytes: Vec<_> = (0..ROUNDS * BURST)
        .flat_map(|number| framed(&outgoing(number)))
        .collect();
    let mut socket = relay.socket.try_clone().expect("the socket");
    let writer = thread::spawn(move || socket.write_all(&bytes).expect("a burst"));
    for round in 0..ROUNDS {
        let numbers = || round * BURST..(round + 1) * BURST;
        for number in numbers() {
            relay.wire.peer.send(&incoming(number));
        }
        for number in numbers() {
            frame::assert_same(&relay.receive(), &incoming(number));
        }
    }
    writer.join().expect("the burst");
    for number in 0..ROUNDS * BURST {
        frame::assert_same(&relay.wire.peer.receive().frame, &outgoing(number));
    }
    relay.wire.peer.assert_empty();
    assert_eq!(relay.wire.link.statistics().rx_dropped, 0);
}

/// The socket takes less than a frame at once.
fn long_frames_in_pieces() {
    let mut relay = Relay::on(Wire::jumbo());
    let socket = relay.program.file("socket:");
    setsockopt(&socket, sockopt::SndBuf, &1).expect("the shortest send buffer");
    for length in [2000, 5000, 20_000, 65_000] {
        let frame = frame::incoming(length);
        relay.wire.peer.send(&frame);
        frame::assert_same(&relay.receive(), &frame);
        let frame = frame::outgoing(length);
        relay.send(&frame);
        frame::assert_same(&relay.wire.peer.receive().frame, &frame);
    }
}

/// There is no header that would tell what is left to do.
fn offloads_are_resolved() {
    let mut relay = Relay::new();
    relay.assert_both_ways();
    let packet = frame::Packet::incoming(frame::Protocol::Tcp4, 4000);
    let (header, frame) = packet.build_gso(1000);
    relay.wire.peer.send_with(header, &frame);
    let segments: Vec<_> = (0..4).map(|_| relay.receive()).collect();
    frame::assert_segments(&segments, &packet.build(), 1000);
}

/// The link is not read, so that frames wait in its ring. What that has no room for is
/// counted.
fn slow_socket() {
    let mut relay = Relay::new();
    relay.assert_both_ways();
    let before = relay.wire.link.statistics().rx_packets;
    const FRAMES: usize = 1000;
    for sent in 0..FRAMES {
        relay.wire.peer.send(&incoming(sent));
        if sent % 10 == 0 {
            relay.wire.wait_received(before + sent as u64 + 1);
        }
    }
    let dropped = relay.wire.link.statistics().rx_dropped as usize;
    ktap::figures(format_args!("{dropped} of {FRAMES} did not fit in"));
    assert!(dropped > 0, "all was read");
    let mut last = None;
    for _ in 0..FRAMES - dropped {
        let frame = relay.receive();
        let number = number(&frame);
        frame::assert_same(&frame, &incoming(number));
        assert!(last < Some(number), "{last:?} before {number}");
        last = Some(number);
    }
    relay.assert_both_ways();
}

/// The socket is not read. What another queue has not read yet counts against the relay's
/// send buffer.
fn slow_link() {
    let mut relay = Relay::new();
    let far_link = relay.wire.second(MacVtapMode::Bridge);
    let far = Tap::open(&far_link);
    let queue = relay.program.queue();
    queue
        .set_number(libc::TUNSETSNDBUF, 30_000)
        .expect("a size");
    relay.socket.set_nonblocking(true).expect("a socket");
    let frame = |number| numbered(TAP2_MAC, TAP_MAC, number);
    let (mut sent, mut left) = (0, vec![]);
    while left.is_empty() {
        left = framed(&frame(sent));
        sent += 1;
        let end = Instant::now() + Duration::from_secs(1);
        while !left.is_empty() && Instant::now() < end {
            match relay.socket.write(&left) {
                Ok(written) => drop(left.drain(..written)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(sent < 10_000, "all was read");
    }
    ktap::figures(format_args!("{sent} frames until it was full"));
    let read = |numbers: Range<usize>| {
        for number in numbers {
            frame::assert_same(&far.receive_frame().1, &frame(number));
        }
    };
    read(0..sent / 2);
    relay.socket.set_nonblocking(false).expect("a socket");
    relay.socket.write_all(&left).expect("the rest");
    read(sent / 2..sent);
    far.assert_empty();
    relay.assert_both_ways();
}

fn refused_frame_is_dropped() {
    let mut relay = Relay::new();
    relay.send(&[0; 13]);
    relay.send(&[]);
    relay.assert_both_ways();
    relay.program.signal(Signal::SIGTERM);
    relay.assert_ends(0, "a frame of 13 bytes: Invalid argument");
}

fn other_end_closes() {
    let mut relay = Relay::new();
    let frame = frame::outgoing(100);
    relay.send(&frame);
    let (gone, _) = UnixStream::pair().expect("sockets");
    relay.socket = gone;
    relay.assert_ends(0, "");
    frame::assert_same(&relay.wire.peer.receive().frame, &frame);
}

fn other_end_closes_without_reading() {
    let mut relay = Relay::new();
    for number in 0..100 {
        relay.wire.peer.send(&incoming(number));
        relay.send(&outgoing(number));
    }
    let (gone, _) = UnixStream::pair().expect("sockets");
    relay.socket = gone;
    relay.assert_ends(0, "");
    for number in 0..100 {
        frame::assert_same(&relay.wire.peer.receive().frame, &outgoing(number));
    }
}

#[track_caller]
fn closes_after(bytes: &[u8]) {
    let mut relay = Relay::new();
    relay.socket.write_all(bytes).expect("bytes sent");
    let (gone, _) = UnixStream::pair().expect("sockets");
    relay.socket = gone;
    relay.assert_ends(1, "unexpected end of file");
    relay.wire.assert_nothing_sent();
}

fn other_end_closes_within_a_frame() {
    closes_after(&framed(&frame::outgoing(100))[..103]);
}

fn other_end_closes_within_a_length() {
    closes_after(&[0, 0, 0]);
}

fn frame_too_long() {
    let mut relay = Relay::new();
    let length = (4096 + 65536 + 1_u32).to_be_bytes();
    relay.socket.write_all(&length).expect("bytes sent");
    relay.assert_ends(1, "a frame of 69633 bytes from the socket");
    relay.assert_end();
}

fn signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut relay = Relay::new();
        relay.assert_both_ways();
        relay.program.signal(signal);
        relay.assert_ends(0, "");
        relay.assert_end();
    }
}

/// The frame that is under way gets there as a whole, and a second signal does not wait for
/// that.
fn signal_while_the_socket_is_slow() {
    for patient in [true, false] {
        let mut relay = Relay::new();
        relay.assert_both_ways();
        let before = relay.wire.link.statistics().rx_packets;
        for number in 0..450 {
            relay.wire.peer.send(&incoming(number));
        }
        relay.wire.wait_received(before + 450);
        let queue = relay.program.queue();
        wait::until("the socket to be full", || {
            let readable = wait::events_now(&queue, PollFlags::POLLIN);
            !readable.is_empty() && is_asleep(&relay.program)
        });
        relay.program.signal(Signal::SIGTERM);
        if !patient {
            wait::until("a second signal to kill", || {
                relay.program.signal(Signal::SIGTERM);
                relay.program.has_ended()
            });
            assert_eq!(relay.program.end().0.code(), None);
            continue;
        }
        let mut bytes = vec![];
        relay.socket.read_to_end(&mut bytes).expect("all");
        relay.assert_ends(0, "");
        let mut rest = &bytes[..];
        let mut frames = 0;
        while let Some((length, more)) = rest.split_first_chunk() {
            let (frame, more) = more.split_at(u32::from_be_bytes(*length) as usize);
            frame::assert_same(frame, &incoming(frames));
            frames += 1;
            rest = more;
        }
        assert!((1..450).contains(&frames), "{frames} frames");
    }
}

fn is_asleep(program: &Sample) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/syscall", program.pid()));
    state.is_ok_and(|state| state.starts_with(&format!("{} ", libc::SYS_poll)))
}

fn listens_for_one() {
    let wire = Wire::new();
    let _ = fs::remove_file(SOCKET);
    let program = Sample::start(PROGRAM, &[&wire.link.node(), "--listen", SOCKET]);
    let mut socket = None;
    wait::until("the program to listen", || {
        socket = UnixStream::connect(SOCKET).ok();
        socket.is_some()
    });
    let socket = socket.expect("a connection");
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    let mut relay = Relay {
        wire,
        program,
        socket,
    };
    relay.assert_both_ways();
    assert!(!Path::new(SOCKET).exists());
}

fn signal_while_it_listens() {
    let wire = Wire::new();
    let _ = fs::remove_file(SOCKET);
    let mut program = Sample::start(PROGRAM, &[TAP, "--listen", SOCKET]);
    wait::until("the program to listen", || Path::new(SOCKET).exists());
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().0.code(), Some(0));
    assert!(!Path::new(SOCKET).exists());
    drop(wire);
}

fn no_link() {
    let (status, said) = Sample::start(PROGRAM, &["mt-none", "--connect", SOCKET]).end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("mt-none: No such file"), "it says {said}");
}

/// C tells nobody.
fn link_is_deleted(driver: Driver) {
    let mut relay = Relay::new();
    relay.assert_both_ways();
    relay.wire.link.delete().expect("the link to be deleted");
    if driver.has_our_tap() {
        relay.assert_ends(1, "Link has been severed");
        relay.assert_end();
    } else {
        relay.send(&frame::outgoing(100));
        drop(relay.socket);
        assert_eq!(relay.program.end().0.code(), Some(0));
    }
}
