// SPDX-License-Identifier: GPL-2.0
//! Reading from files.

use nix::errno::Errno;
use nix::poll::PollFlags;

use super::files::{self, File};
use super::random::{digest, pick, weighted};
use super::world::World;
use super::{blocking, differences, frames, pieces};
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};

/// More than the longest frame.
pub const WHOLE: usize = 70_000;

/// About the ends of headers, with and without a virtio-net header.
const SHORT: &[usize] = &[
    0, 1, 9, 10, 11, 12, 13, 14, 16, 17, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 40, 64, 70, 100,
    1000, 1524, 4096,
];

/// What a read leaves alone keeps this.
const UNTOUCHED: u8 = 0xaa;

#[derive(Clone, Copy, Debug)]
enum Way {
    Read,
    Nowait,
    /// The buffer ends where memory does.
    AtTheEnd,
    Unmapped,
    Kernel,
    /// The second half of the buffer lies nowhere.
    HalfBad,
    /// The buffer is in many pieces.
    Pieces,
    /// By io_uring.
    Ring,
}

const WAYS: &[(u32, Way)] = &[
    (12, Way::Read),
    (3, Way::Nowait),
    (3, Way::AtTheEnd),
    (1, Way::Unmapped),
    (1, Way::Kernel),
    (1, Way::HalfBad),
    (3, Way::Pieces),
    (3, Way::Ring),
];

pub fn read(world: &mut World) -> String {
    let Some(at) = files::any(world) else {
        return "read: no file".into();
    };
    let whole = weighted(&mut world.rng, &[(2, true), (1, false)]);
    let size = if whole {
        WHOLE
    } else {
        pick(&mut world.rng, SHORT)
    };
    let way = weighted(&mut world.rng, WAYS);
    let times = weighted(&mut world.rng, &[(4, 1), (1, 8)]);
    let mut what = format!("read f{} {way:?} {size}:", world.files[at].id);
    for _ in 0..times {
        if world.files[at].would_block(PollFlags::POLLIN) {
            return what + &blocking::read_from(world, at);
        }
        let (result, text) = once(world, at, way, size);
        what += &text;
        if matches!(result, Err(Errno::EAGAIN | Errno::ECANCELED)) {
            break;
        }
    }
    what
}

/// Reads all frames of all files.
pub fn drain(world: &mut World) -> String {
    let mut what = "drain".to_owned();
    let mut buffer = vec![UNTOUCHED; WHOLE];
    for at in 0..world.files.len() {
        let (mut count, mut sum) = (0, 0);
        loop {
            let result = world.files[at].tap.read_nowait(&mut buffer);
            match differences::result_read(Errno::EAGAIN, result) {
                Ok(length) => {
                    count += 1;
                    let bytes = frames::comparable(&mut buffer[..length]);
                    sum = digest(bytes).wrapping_add(sum);
                }
                // Its virtio-net header is too long for any buffer.
                Err(Errno::EINVAL) => count += 1,
                Err(error) => {
                    if error != Errno::EAGAIN {
                        what += &format!(" {error:?}");
                    }
                    break;
                }
            }
        }
        world.frames_read += count;
        if count > 0 {
            what += &format!(" f{} {count} {sum:016x}", world.files[at].id);
        }
    }
    what
}

/// The result, and what of it is compared.
fn once(world: &mut World, at: usize, way: Way, size: usize) -> (nix::Result<usize>, String) {
    let file = &world.files[at];
    let mut buffer = vec![UNTOUCHED; size];
    let result = take(world, file, way, &mut buffer)
        .map(|length| differences::length_read(world.driver, file.header(), size, length));
    let sum = digest(touched(frames::comparable(&mut buffer)));
    let text = match result {
        Ok(length) => format!(" {length} {sum:016x}"),
        Err(error) => format!(" {error:?} {sum:016x}"),
    };
    world.frames_read += usize::from(result.is_ok_and(|length| length > 0));
    (result, text)
}

/// Up to the last byte that was written.
fn touched(mut buffer: &[u8]) -> &[u8] {
    const BLOCK: [u8; 256] = [UNTOUCHED; 256];
    while let Some(rest) = buffer.strip_suffix(&BLOCK) {
        buffer = rest;
    }
    let last = buffer.iter().rposition(|&byte| byte != UNTOUCHED);
    &buffer[..last.map_or(0, |last| last + 1)]
}

fn take(world: &World, file: &File, way: Way, buffer: &mut [u8]) -> nix::Result<usize> {
    let size = buffer.len();
    match way {
        Way::Read => file.tap.read(buffer),
        Way::Nowait => differences::result_read(Errno::EAGAIN, file.tap.read_nowait(buffer)),
        Way::AtTheEnd => {
            let mut memory = Guarded::new(size.max(1));
            memory.bytes().fill(UNTOUCHED);
            let result = file.tap.read_at(memory.tail(size), size);
            let bytes = memory.bytes();
            buffer.copy_from_slice(&bytes[bytes.len() - size..]);
            result
        }
        Way::Unmapped => file.tap.read_at(UNMAPPED, size),
        Way::Kernel => file.tap.read_at(KERNEL, size),
        Way::HalfBad => {
            let good = size / 2;
            let result = file.tap.readv_then_bad(&mut buffer[..good], size);
            if result.is_ok() && differences::tag_is_bad(file.header(), good) {
                return Err(Errno::EFAULT);
            }
            result
        }
        Way::Pieces => file.tap.read_pieces(buffer, &pieces::of(size)),
        Way::Ring => differences::result_read(Errno::ECANCELED, world.ring.read(&file.tap, buffer)),
    }
}
