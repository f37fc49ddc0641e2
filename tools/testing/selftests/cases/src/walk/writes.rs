// SPDX-License-Identifier: GPL-2.0
//! Writing to files.

use nix::errno::Errno;
use nix::poll::PollFlags;

use super::files::{self, File, Settings};
use super::frames::{self, Frame};
use super::random::{happens, pick, weighted};
use super::world::{World, MACS};
use super::{blocking, differences, pieces};
use crate::sys::link::Mac;
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};

/// How the bytes are handed over.
#[derive(Clone, Copy, Debug)]
enum Way {
    Write,
    Nowait,
    /// The buffer ends where memory does.
    AtTheEnd,
    /// One byte of it lies behind the end.
    BeyondTheEnd,
    Unmapped,
    Kernel,
    /// The second half of it lies nowhere.
    HalfBad,
    /// It is in many pieces.
    Pieces,
    /// By io_uring.
    Ring,
}

const WAYS: &[(u32, Way)] = &[
    (12, Way::Write),
    (3, Way::Nowait),
    (3, Way::AtTheEnd),
    (1, Way::BeyondTheEnd),
    (1, Way::Unmapped),
    (1, Way::Kernel),
    (1, Way::HalfBad),
    (3, Way::Pieces),
    (3, Way::Ring),
];

pub fn write(world: &mut World) -> String {
    let Some(at) = files::any(world) else {
        return "write: no file".into();
    };
    if world.files[at].would_block(PollFlags::POLLOUT) {
        return blocking::write_to(world, at);
    }
    let (mut sent, destination) = outgoing(world, at);
    if happens(&mut world.rng, 30) {
        frames::spoil(&mut world.rng, &mut sent);
    }
    world.segmented |= sent.segmented;
    let mut bytes = with_header(world.files[at].settings.get(), &sent);
    if happens(&mut world.rng, 5) {
        bytes.truncate(pick(&mut world.rng, &[0, 1, 9, 10, 11, 12, 23, 24, 25]));
    }
    let way = weighted(&mut world.rng, WAYS);
    let count = weighted(&mut world.rng, &[(8, 1), (1, 3), (1, 20)]);
    let file = &world.files[at];
    let mut results = vec![];
    for _ in 0..count {
        if file.would_block(PollFlags::POLLOUT) {
            break;
        }
        let result = hand_over(world, file, way, &bytes);
        let gone = !files::is_attached(world, file);
        results.push(differences::result_written(gone, bytes.len(), result));
    }
    results.dedup();
    world.retried |= results.contains(&Err(Errno::EAGAIN));
    let file = &world.files[at];
    format!(
        "write f{} {way:?} {count} * {} {:?} to {:02x}, {} bytes: {results:?}",
        file.id,
        sent.kind,
        sent.header,
        destination[5],
        bytes.len(),
    )
}

/// A frame that is right, as the file takes it, and what to call it.
pub fn good(world: &mut World, at: usize) -> (Vec<u8>, String) {
    let (sent, destination) = outgoing(world, at);
    world.segmented |= sent.segmented;
    let bytes = with_header(world.files[at].settings.get(), &sent);
    let text = format!("{} to {:02x}", sent.kind, destination[5]);
    (bytes, text)
}

fn outgoing(world: &mut World, at: usize) -> (Frame, Mac) {
    let source = MACS[world.files[at].slot];
    let destination = frames::destination(&mut world.rng);
    let sent = frames::good(&mut world.rng, source, destination);
    (sent, destination)
}

fn with_header(settings: Settings, frame: &Frame) -> Vec<u8> {
    if !settings.vnet {
        return frame.bytes.clone();
    }
    let header = if settings.swapped() {
        frame.header.swapped()
    } else {
        frame.header
    };
    let mut bytes = header.to_bytes().to_vec();
    // Nobody has that much; such a write is too short.
    bytes.resize((settings.header_size as usize).min(4000), 0);
    bytes.extend(&frame.bytes);
    bytes
}

fn hand_over(world: &World, file: &File, way: Way, bytes: &[u8]) -> nix::Result<usize> {
    let length = bytes.len();
    match way {
        Way::Write => file.tap.write(bytes),
        Way::Nowait => file.tap.write_nowait(bytes),
        Way::AtTheEnd => {
            let mut memory = Guarded::new(length.max(1));
            let address = memory.put_at_tail(bytes);
            file.tap.write_at(address, length)
        }
        Way::BeyondTheEnd => {
            let mut memory = Guarded::new(length.max(1));
            let address = memory.put_at_tail(bytes);
            file.tap.write_at(address, length + 1)
        }
        Way::Unmapped => file.tap.write_at(UNMAPPED, length),
        Way::Kernel => file.tap.write_at(KERNEL, length),
        Way::HalfBad => {
            let half = length / 2;
            file.tap.writev_then_bad(&bytes[..half], length - half)
        }
        Way::Pieces => file.tap.write_pieces(bytes, &pieces::of(length)),
        Way::Ring => world.ring.write(&file.tap, bytes),
    }
}
