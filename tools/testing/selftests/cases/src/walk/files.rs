// SPDX-License-Identifier: GPL-2.0
//! Opening, duplicating and closing files.

use std::cell::Cell;
use std::rc::Rc;

use super::random::{happens, pick};
use super::world::{World, MACS, SLOTS};
use super::{inject, reads};
use crate::sys::tap::Tap;
use crate::vnet;

/// More would only make each of them less interesting.
const MOST: usize = 10;

/// To find a file whose link is still there.
const TRIES: usize = 3;

/// What the walk knows of an open file, in order to write frames that are right.
#[derive(Clone, Copy)]
pub struct Settings {
    pub vnet: bool,
    pub header_size: i32,
}

pub struct File {
    /// In the order of their opening: descriptors are reused.
    pub id: usize,
    pub tap: Tap,
    /// Shared by the descriptors of one open file.
    pub settings: Rc<Cell<Settings>>,
    /// The link that it was opened on, and its interface index.
    pub slot: usize,
    pub index: u32,
}

impl File {
    /// How many bytes stand before a frame.
    pub fn header(&self) -> usize {
        let settings = self.settings.get();
        if settings.vnet {
            settings.header_size as usize
        } else {
            0
        }
    }
}

pub fn open(world: &mut World) -> String {
    let slot = world.rng.usize(..SLOTS);
    if world.files.len() >= MOST {
        return close(world);
    }
    let name = format!("open w{slot}");
    let Some(link) = world.slots[slot].as_ref().map(|slot| &slot.link) else {
        return format!("{name}: no link");
    };
    let index = link.index;
    match Tap::open_path(link.node(), libc::O_NONBLOCK) {
        Err(error) => format!("{name}: {error:?}"),
        Ok(tap) => {
            let settings = Settings {
                vnet: true,
                header_size: vnet::SIZE as i32,
            };
            let settings = Rc::new(Cell::new(settings));
            let id = add(world, |id| File {
                id,
                tap,
                settings,
                slot,
                index,
            });
            format!("{name}: f{id}")
        }
    }
}

fn add(world: &mut World, file: impl FnOnce(usize) -> File) -> usize {
    world.opened += 1;
    world.files.push(file(world.opened));
    world.opened
}

pub fn duplicate(world: &mut World) -> String {
    if world.files.is_empty() || world.files.len() >= MOST {
        return "dup: none".into();
    }
    let at = world.rng.usize(..world.files.len());
    let file = &world.files[at];
    let (old, slot, index) = (file.id, file.slot, file.index);
    let (tap, settings) = (file.tap.duplicate(), file.settings.clone());
    let id = add(world, |id| File {
        id,
        tap,
        settings,
        slot,
        index,
    });
    format!("dup f{old}: f{id}")
}

/// In C, a file that still has frames when it is closed, and whose own frames
/// lie in other rings, stays: so all rings are emptied before, and then some
/// frames come in from the peer, which is none of the files.
pub fn close(world: &mut World) -> String {
    if world.files.is_empty() {
        return "close: none".into();
    }
    let at = world.rng.usize(..world.files.len());
    let id = world.files[at].id;
    let drained = reads::drain(world);
    let mut what = format!("close f{id} after {drained}");
    if happens(&mut world.rng, 60) {
        let slot = world.files[at].slot;
        let frames = pick(&mut world.rng, &[1, 2, 7]);
        what += &inject::plain(world, MACS[slot], frames);
        world.settle();
    }
    world.files.remove(at);
    what
}

/// One of the open files, mostly one whose link is still there.
pub fn any(world: &mut World) -> Option<usize> {
    let count = world.files.len();
    if count == 0 {
        return None;
    }
    let mut at = world.rng.usize(..count);
    for _ in 0..TRIES {
        if is_attached(world, &world.files[at]) {
            break;
        }
        at = world.rng.usize(..count);
    }
    Some(at)
}

fn is_attached(world: &World, file: &File) -> bool {
    let slot = world.slots[file.slot].as_ref();
    slot.is_some_and(|slot| slot.link.index == file.index)
}

/// Closes most of the files whose links are gone.
pub fn close_orphans(world: &mut World) {
    reads::drain(world);
    let orphans: Vec<_> = (world.files.iter())
        .filter(|file| !is_attached(world, file))
        .map(|file| file.id)
        .skip(1)
        .collect();
    world.files.retain(|file| !orphans.contains(&file.id));
}
