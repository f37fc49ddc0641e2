// SPDX-License-Identifier: GPL-2.0
//! Reading from files.

use nix::errno::Errno;

use super::differences;
use super::files::{self, File};
use super::random::{digest, pick, weighted};
use super::world::World;
use crate::sys::memory::{Guarded, KERNEL, UNMAPPED};

/// More than the longest frame.
const WHOLE: usize = 70_000;

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
}

const WAYS: &[(u32, Way)] = &[
    (12, Way::Read),
    (3, Way::Nowait),
    (3, Way::AtTheEnd),
    (1, Way::Unmapped),
    (1, Way::Kernel),
    (1, Way::HalfBad),
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
        let (result, text) = once(world, at, way, size);
        what += &text;
        if result == Err(Errno::EAGAIN) {
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
        let (mut frames, mut sum) = (0, 0);
        loop {
            match world.files[at].tap.read(&mut buffer) {
                Ok(length) => {
                    frames += 1;
                    sum = digest(&buffer[..length]).wrapping_add(sum);
                }
                // Its virtio-net header is too long for any buffer.
                Err(Errno::EINVAL) => frames += 1,
                Err(error) => {
                    if error != Errno::EAGAIN {
                        what += &format!(" {error:?}");
                    }
                    break;
                }
            }
        }
        world.frames_read += frames;
        if frames > 0 {
            what += &format!(" f{} {frames} {sum:08x}", world.files[at].id);
        }
    }
    what
}

/// The result, and what of it is compared.
fn once(world: &mut World, at: usize, way: Way, size: usize) -> (nix::Result<usize>, String) {
    let file = &world.files[at];
    let mut buffer = vec![UNTOUCHED; size];
    let result = take(file, way, &mut buffer)
        .map(|length| differences::length_read(world.driver, file.header(), size, length));
    let sum = digest(touched(&buffer));
    let text = match result {
        Ok(length) => format!(" {length} {sum:08x}"),
        Err(error) => format!(" {error:?} {sum:08x}"),
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

fn take(file: &File, way: Way, buffer: &mut [u8]) -> nix::Result<usize> {
    let size = buffer.len();
    match way {
        Way::Read => file.tap.read(buffer),
        Way::Nowait => file.tap.read_nowait(buffer),
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
        Way::HalfBad => file.tap.readv_then_bad(&mut buffer[..size / 2], size),
    }
}
