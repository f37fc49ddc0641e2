// SPDX-License-Identifier: GPL-2.0
//! read() and its relatives: what they return, wait for and lose.

use std::io::IoSliceMut;
use std::sync::mpsc;
use std::thread;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;
use nix::sys::uio::readv;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};
use crate::sys::process::{self, Blocked};
use crate::sys::tap::Tap;
use crate::sys::wait::DEADLINE;
use crate::vnet;

/// Length of the frame that the short reads cut.
const LENGTH: usize = 100;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        empty_without_blocking,
        count_0_of_an_empty_queue,
        count_0_keeps_the_frame,
        buffer_shorter_than_the_header_loses_the_frame,
        short_buffer_truncates,
        short_buffer_without_header_truncates,
        long_buffer_is_not_touched_beyond,
        one_frame_at_a_time_in_order,
        bad_address_loses_the_frame,
        kernel_address_keeps_the_frame,
        header_crosses_the_end_of_memory,
        longer_header_crosses_the_end_of_memory,
        frame_crosses_the_end_of_memory,
        readv_splits,
        readv_of_many_vectors,
        readv_of_empty_vectors,
        readv_with_bad_second_vector,
        blocked_reader_is_woken_by_a_frame,
        two_blocked_readers_share_the_frames,
        nonblocking_mode_follows_the_file,
        signal_interrupts,
        signal_restarts,
    ]
}

fn empty_without_blocking() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(tap.read(&mut [0; 2000]), Err(Errno::EAGAIN));
    // As long as there is no frame the buffer does not matter.
    assert_eq!(tap.read(&mut [0; 1]), Err(Errno::EAGAIN));
    assert_eq!(tap.read_at(UNMAPPED, 100), Err(Errno::EAGAIN));
}

fn count_0_of_an_empty_queue() {
    let wire = Wire::new();
    // It would block for ever.
    let tap = Tap::open_blocking(&wire.link);
    assert_eq!(tap.read(&mut []), Ok(0));
}

fn count_0_keeps_the_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::incoming(LENGTH);
    wire.peer.send(&frame);
    tap.wait_readable();
    assert_eq!(tap.read(&mut []), Ok(0));
    frame::assert_same(&tap.receive_frame().1, &frame);
}

/// Sends a frame to be read at once, and one that must be read after it.
fn send_two(wire: &Wire, tap: &Tap) -> [Vec<u8>; 2] {
    let frames = [frame::incoming(LENGTH), frame::incoming(LENGTH + 1)];
    for frame in &frames {
        wire.peer.send(frame);
    }
    tap.wait_readable();
    frames
}

fn buffer_shorter_than_the_header_loses_the_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for size in 1..vnet::SIZE {
        let [_, second] = send_two(&wire, &tap);
        let mut buffer = [0xa5; vnet::SIZE];
        assert_eq!(tap.read(&mut buffer[..size]), Err(Errno::EINVAL), "{size}");
        assert_eq!(buffer, [0xa5; vnet::SIZE]);
        frame::assert_same(&tap.receive_frame().1, &second);
    }
}

fn assert_truncated(wire: &Wire, tap: &Tap, header: usize) {
    for size in header.max(1)..=header + LENGTH {
        let [first, second] = send_two(wire, tap);
        let mut whole = vec![0; header];
        whole.extend(&first);
        let mut buffer = vec![0xa5; size + 8];
        assert_eq!(tap.read(&mut buffer[..size]), Ok(size));
        frame::assert_same(&buffer[..size], &whole[..size]);
        assert_eq!(buffer[size..], [0xa5; 8], "beyond a buffer of {size}");
        frame::assert_same(&tap.receive()[header..], &second);
    }
}

fn short_buffer_truncates() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_truncated(&wire, &tap, vnet::SIZE);
}

fn short_buffer_without_header_truncates() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    assert_truncated(&wire, &tap, 0);
}

fn long_buffer_is_not_touched_beyond() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::incoming(LENGTH);
    wire.peer.send(&frame);
    tap.wait_readable();
    let mut buffer = [0xa5; 1000];
    assert_eq!(tap.read(&mut buffer), Ok(vnet::SIZE + LENGTH));
    frame::assert_same(&buffer[vnet::SIZE..vnet::SIZE + LENGTH], &frame);
    assert!(buffer[vnet::SIZE + LENGTH..]
        .iter()
        .all(|&byte| byte == 0xa5));
}

fn one_frame_at_a_time_in_order() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let lengths = 60..360;
    for length in lengths.clone() {
        wire.peer.send(&frame::incoming(length));
    }
    for length in lengths {
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(length));
    }
    tap.assert_empty();
}

fn bad_address_loses_the_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for address in [0, UNMAPPED] {
        let [_, second] = send_two(&wire, &tap);
        assert_eq!(tap.read_at(address, 2000), Err(Errno::EFAULT));
        frame::assert_same(&tap.receive_frame().1, &second);
    }
}

/// It is refused before the driver is asked.
fn kernel_address_keeps_the_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let [first, second] = send_two(&wire, &tap);
    assert_eq!(tap.read_at(KERNEL, 2000), Err(Errno::EFAULT));
    frame::assert_same(&tap.receive_frame().1, &first);
    frame::assert_same(&tap.receive_frame().1, &second);
}

fn assert_cut_read_loses_the_frame(mapped: usize) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let memory = Guarded::new(mapped);
    let [_, second] = send_two(&wire, &tap);
    assert_eq!(tap.read_at(memory.tail(mapped), 2000), Err(Errno::EFAULT));
    frame::assert_same(&tap.receive_frame().1, &second);
}

fn header_crosses_the_end_of_memory() {
    assert_cut_read_loses_the_frame(vnet::SIZE / 2);
}

/// A longer header is filled up with zeroes.
fn longer_header_crosses_the_end_of_memory() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let memory = Guarded::new(100);
    let [_, second] = send_two(&wire, &tap);
    tap.set_number(libc::TUNSETVNETHDRSZ, 200)
        .expect("a long header");
    assert_eq!(tap.read_at(memory.tail(100), 2000), Err(Errno::EFAULT));
    tap.set_number(libc::TUNSETVNETHDRSZ, vnet::SIZE as i32)
        .expect("a short header");
    frame::assert_same(&tap.receive_frame().1, &second);
}

fn frame_crosses_the_end_of_memory() {
    assert_cut_read_loses_the_frame(vnet::SIZE + LENGTH / 2);
}

fn readv_splits() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for sizes in [
        &[3, 7, 100][..],
        &[10, 14, 86],
        &[1, 0, 8, 2, 99],
        &[110, 50],
    ] {
        let frame = frame::incoming(LENGTH);
        wire.peer.send(&frame);
        tap.wait_readable();
        let mut buffers: Vec<Vec<u8>> = sizes.iter().map(|&size| vec![0; size]).collect();
        let mut vectors: Vec<IoSliceMut> = buffers
            .iter_mut()
            .map(|buffer| IoSliceMut::new(buffer))
            .collect();
        assert_eq!(readv(&tap, &mut vectors), Ok(vnet::SIZE + LENGTH));
        let mut read = buffers.concat();
        read.truncate(vnet::SIZE + LENGTH);
        frame::assert_same(&read, &vnet::plain(&frame));
    }
}

/// As many as there may be, every other of them empty.
fn readv_of_many_vectors() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::incoming(LENGTH);
    wire.peer.send(&frame);
    tap.wait_readable();
    let mut buffer = [0; 512];
    let mut vectors = Vec::new();
    for byte in buffer.chunks_mut(1) {
        vectors.push(IoSliceMut::new(byte));
        vectors.push(IoSliceMut::new(&mut []));
    }
    assert_eq!(vectors.len(), libc::UIO_MAXIOV as usize);
    assert_eq!(readv(&tap, &mut vectors), Ok(vnet::SIZE + LENGTH));
    frame::assert_same(&buffer[..vnet::SIZE + LENGTH], &vnet::plain(&frame));
}

/// As a buffer of no length: nothing is waited for, nothing is lost.
fn readv_of_empty_vectors() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for count in [0, 1, 1024] {
        let mut vectors: Vec<_> = (0..count).map(|_| IoSliceMut::new(&mut [])).collect();
        assert_eq!(readv(&tap, &mut vectors), Ok(0), "{count} vectors");
    }
    let frame = frame::incoming(LENGTH);
    wire.peer.send(&frame);
    tap.wait_readable();
    assert_eq!(readv(&tap, &mut [IoSliceMut::new(&mut [])]), Ok(0));
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn readv_with_bad_second_vector() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let [_, second] = send_two(&wire, &tap);
    let mut start = [0; 50];
    assert_eq!(tap.readv_then_bad(&mut start, 1000), Err(Errno::EFAULT));
    frame::assert_same(&tap.receive_frame().1, &second);
}

fn blocked_reader_is_woken_by_a_frame() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    for length in [60, 1000, 61] {
        let tap = tap.duplicate();
        let reader = Blocked::start(libc::SYS_read, move || {
            let mut buffer = vec![0; 2000];
            let length = tap.read(&mut buffer)?;
            buffer.truncate(length);
            Ok::<_, Errno>(buffer)
        });
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        let read = reader.result().expect("a frame");
        frame::assert_same(&read, &vnet::plain(&frame));
    }
}

fn two_blocked_readers_share_the_frames() {
    const FRAMES: usize = 200;
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let (sender, frames) = mpsc::channel();
    for _ in 0..2 {
        let (tap, sender) = (tap.duplicate(), sender.clone());
        thread::spawn(move || loop {
            let mut buffer = [0; 2000];
            let length = tap.read(&mut buffer).expect("a frame");
            if sender.send(buffer[vnet::SIZE..length].to_vec()).is_err() {
                break;
            }
        });
    }
    let mut wanted: Vec<_> = (0..FRAMES).map(|n| frame::incoming(60 + n)).collect();
    for frame in &wanted {
        wire.peer.send(frame);
    }
    let mut read: Vec<Vec<u8>> = (0..FRAMES)
        .map(|_| frames.recv_timeout(DEADLINE).expect("every frame"))
        .collect();
    read.sort_by_key(Vec::len);
    wanted.sort_by_key(Vec::len);
    assert!(read == wanted, "each frame once");
}

fn nonblocking_mode_follows_the_file() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    tap.set_nonblocking(true);
    assert_eq!(tap.read(&mut [0; 100]), Err(Errno::EAGAIN));
    tap.set_nonblocking(false);
    let duplicate = tap.duplicate();
    let reader = Blocked::start(libc::SYS_read, move || duplicate.read(&mut [0; 100]));
    wire.peer.send(&frame::incoming(60));
    assert_eq!(reader.result(), Ok(70));
}

fn signal_interrupts() {
    process::handle_signals(SaFlags::empty());
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let duplicate = tap.duplicate();
    let reader = Blocked::start(libc::SYS_read, move || duplicate.read(&mut [0; 100]));
    reader.signal();
    assert_eq!(reader.result(), Err(Errno::EINTR));
    // The next read is as good as ever.
    let frame = frame::incoming(60);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn signal_restarts() {
    process::handle_signals(SaFlags::SA_RESTART);
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let reader = Blocked::start(libc::SYS_read, move || tap.read(&mut [0; 100]));
    reader.signal();
    process::wait_for_signal();
    reader.wait_asleep();
    wire.peer.send(&frame::incoming(60));
    assert_eq!(reader.result(), Ok(70));
}
