// SPDX-License-Identifier: GPL-2.0
//! write() and its relatives: lengths, addresses, splits; and every byte as the
//! peer sees it.

use std::io::IoSlice;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::signal::SaFlags;
use nix::sys::uio::writev;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::groups::lengths;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};
use crate::sys::packet::Departures;
use crate::sys::process::{self, Blocked};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

/// The shortest frame that is one.
const SHORTEST: usize = frame::ETHERNET_HEADER;
const LENGTH: usize = 100;

pub fn cases(driver: Driver) -> Vec<Case> {
    let by_length = driver.has_our_tap();
    let mut cases = lengths::cases(|wire, tap, length| {
        let frame = frame::outgoing(length);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + length));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    });
    cases.push(Case::new("protocol of an 802.3 frame", move || {
        protocol_of_802_3(by_length);
    }));
    cases.extend(cases![
        shorter_than_header_and_ethernet,
        shorter_than_ethernet_without_header,
        shortest,
        shortest_without_header,
        longer_than_any_frame,
        longer_than_memory,
        longer_than_the_mtu,
        bad_address,
        kernel_address_is_not_counted,
        crosses_the_end_of_memory,
        writev_with_bad_second_vector,
        writev_splits,
        writev_of_many_vectors,
        writev_of_nothing,
        one_frame_at_a_time_in_order,
        detached_queue_writes,
        link_is_down,
        full_send_buffer_without_blocking,
        full_send_buffer_blocks_until_relief,
        full_send_buffer_interrupted,
        first_frame_passes_any_send_buffer,
    ]);
    cases
}

fn shorter_than_header_and_ethernet() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in 0..vnet::SIZE + SHORTEST {
        wire.assert_refused(Errno::EINVAL, || tap.write(&vec![0; length]));
    }
}

fn shorter_than_ethernet_without_header() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    for length in 0..SHORTEST {
        wire.assert_refused(Errno::EINVAL, || tap.write(&vec![0; length]));
    }
}

fn shortest() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in SHORTEST..60 {
        let frame = frame::outgoing(length);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + length));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

fn shortest_without_header() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    for length in SHORTEST..60 {
        let frame = frame::outgoing(length);
        assert_eq!(tap.write(&frame), Ok(length));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

/// The driver takes it; the lower device drops what its MTU forbids.
fn longer_than_any_frame() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    tap.set_number(libc::TUNSETSNDBUF, i32::MAX)
        .expect("TUNSETSNDBUF");
    for length in [65_535 + 60, 557_056, 1 << 20] {
        let bytes = vnet::plain(&frame::outgoing(length));
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
        wire.assert_nothing_sent();
    }
}

/// What is no Ethernet type is the frame's length. C takes it for a type.
fn protocol_of_802_3(by_length: bool) {
    const LONGEST: u16 = 1500;
    const FIRST_TYPE: u16 = 0x600;
    const LLC: u16 = libc::ETH_P_802_2 as u16;

    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let departures = Departures::open(&wire.link);
    let mut frame = frame::outgoing(LENGTH);
    for length in [0, 1, 86, LONGEST, FIRST_TYPE - 1, FIRST_TYPE] {
        frame[12..14].copy_from_slice(&length.to_be_bytes());
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + LENGTH));
        let (protocol, _) = departures.next_of_protocol();
        if by_length && length < FIRST_TYPE {
            assert_eq!(protocol, LLC);
        } else {
            assert_eq!(protocol, length);
        }
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

fn longer_than_memory() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(6 << 20));
    wire.assert_refused(Errno::ENOBUFS, || tap.write(&bytes));
}

fn longer_than_the_mtu() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(9000));
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
    wire.assert_nothing_sent();
}

fn bad_address() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for address in [0, UNMAPPED] {
        wire.assert_refused(Errno::EFAULT, || tap.write_at(address, LENGTH));
    }
    tap.set_bare();
    wire.assert_refused(Errno::EFAULT, || tap.write_at(UNMAPPED, LENGTH));
}

/// It is refused before the driver is asked.
fn kernel_address_is_not_counted() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(tap.write_at(KERNEL, LENGTH), Err(Errno::EFAULT));
    assert_eq!(wire.link.statistics().tx_dropped, 0);
}

fn crosses_the_end_of_memory() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(60_000));
    let mut memory = Guarded::new(bytes.len());
    // In the header, in the Ethernet header, in the linear part, in the pages.
    for mapped in [5, 20, 100, 4096, 50_000] {
        let address = memory.put_at_tail(&bytes[..mapped]);
        wire.assert_refused(Errno::EFAULT, || tap.write_at(address, bytes.len()));
    }
    let address = memory.put_at_tail(&bytes);
    assert_eq!(tap.write_at(address, bytes.len()), Ok(bytes.len()));
    frame::assert_same(&wire.peer.receive().frame, &bytes[vnet::SIZE..]);
}

fn writev_with_bad_second_vector() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(LENGTH));
    for good in [vnet::SIZE / 2, vnet::SIZE, 50] {
        wire.assert_refused(Errno::EFAULT, || {
            tap.writev_then_bad(&bytes[..good], LENGTH)
        });
    }
}

fn writev_splits() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(20_000));
    // A piece of each size, and then the rest.
    for sizes in [
        &[3, 7][..],
        &[10],
        &[10, 14],
        &[0, 1, 0, 9, 13, 1],
        &[11, 12, 4096, 8192],
        &[1; 1000],
    ] {
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for &size in sizes {
            let (piece, others) = rest.split_at(size);
            pieces.push(IoSlice::new(piece));
            rest = others;
        }
        pieces.push(IoSlice::new(rest));
        assert_eq!(writev(&tap, &pieces), Ok(bytes.len()));
        frame::assert_same(&wire.peer.receive().frame, &bytes[vnet::SIZE..]);
    }
}

/// The driver is not even asked.
/// As many as there may be, every other of them empty.
fn writev_of_many_vectors() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    for size in [1, 100] {
        let bytes = vnet::plain(&frame::outgoing(512 * size - vnet::SIZE));
        let mut pieces = Vec::new();
        for piece in bytes.chunks(size) {
            pieces.push(IoSlice::new(piece));
            pieces.push(IoSlice::new(&[]));
        }
        assert_eq!(pieces.len(), libc::UIO_MAXIOV as usize);
        assert_eq!(writev(&tap, &pieces), Ok(bytes.len()));
        frame::assert_same(&wire.peer.receive().frame, &bytes[vnet::SIZE..]);
    }
}

fn writev_of_nothing() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(writev(&tap, &[]), Ok(0));
    assert_eq!(writev(&tap, &[IoSlice::new(&[])]), Ok(0));
    assert_eq!(wire.link.statistics().tx_dropped, 0);
    wire.assert_nothing_sent();
}

fn one_frame_at_a_time_in_order() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let lengths = 60..360;
    for length in lengths.clone() {
        let bytes = vnet::plain(&frame::outgoing(length));
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
    }
    for length in lengths {
        frame::assert_same(&wire.peer.receive().frame, &frame::outgoing(length));
    }
    wire.peer.assert_empty();
}

fn detached_queue_writes() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    let frame = frame::outgoing(LENGTH);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + LENGTH));
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

/// To a program it looks as if it was sent, as on a wire that is cut.
fn link_is_down() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let bytes = vnet::plain(&frame::outgoing(LENGTH));
    wire.link.set_up(false).expect("a link that is down");
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
    wire.peer.assert_empty();
    wire.link.set_up(true).expect("a link that is up");
    wire.link.wait_operational();
    wire.assert_nothing_sent();
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
    frame::assert_same(&wire.peer.receive().frame, &bytes[vnet::SIZE..]);
}

fn full_send_buffer_without_blocking() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let frames = pair.fill();
    let bytes = vnet::plain(&Pair::frame());
    assert_eq!(pair.near.write(&bytes), Err(Errno::EAGAIN));
    pair.drain(frames);
    assert_eq!(pair.near.write(&bytes), Ok(bytes.len()));
    pair.drain(1);
    pair.far.assert_empty();
}

fn blocked_writer(pair: &Pair) -> Blocked<nix::Result<usize>> {
    let near = pair.near.duplicate();
    Blocked::start(libc::SYS_write, move || {
        near.write(&vnet::plain(&Pair::frame()))
    })
}

fn full_send_buffer_blocks_until_relief() {
    let pair = Pair::new(0);
    let frames = pair.fill();
    let writer = blocked_writer(&pair);
    // C wakes writers only when somebody asks by poll() when there is room.
    let events = wait::events_now(&pair.near, PollFlags::POLLOUT);
    assert!(events.is_empty(), "{events:?}");
    pair.drain(frames);
    assert_eq!(writer.result(), Ok(vnet::SIZE + Pair::frame().len()));
    pair.drain(1);
    pair.far.assert_empty();
}

fn full_send_buffer_interrupted() {
    process::handle_signals(SaFlags::empty());
    let pair = Pair::new(0);
    let frames = pair.fill();
    let writer = blocked_writer(&pair);
    writer.signal();
    assert_eq!(writer.result(), Err(Errno::EINTR));
    pair.drain(frames);
    pair.far.assert_empty();
}

fn first_frame_passes_any_send_buffer() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    tap.set_number(libc::TUNSETSNDBUF, 1).expect("TUNSETSNDBUF");
    for length in [60, 60_000] {
        let frame = frame::outgoing(length);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(vnet::SIZE + length));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}
