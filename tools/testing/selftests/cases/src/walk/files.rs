// SPDX-License-Identifier: GPL-2.0
//! Opening, duplicating and closing files.

use std::cell::Cell;
use std::rc::Rc;

use nix::fcntl::OFlag;
use nix::poll::PollFlags;

use super::random::{happens, pick, weighted};
use super::world::{World, MACS, SLOTS};
use super::{differences, inject, reads};
use crate::sys::tap::Tap;
use crate::sys::wait;
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
    /// TUNSETVNETLE and TUNSETVNETBE.
    pub little: bool,
    pub big: bool,
    pub nonblocking: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            vnet: true,
            header_size: vnet::SIZE as i32,
            little: false,
            big: false,
            nonblocking: true,
        }
    }
}

impl Settings {
    /// Of the headers' fields; it is the machine's own order for a start.
    pub fn swapped(self) -> bool {
        if cfg!(target_endian = "little") {
            self.big && !self.little
        } else {
            self.little
        }
    }
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

    /// Whether the calls of these events must not be made on this thread.
    pub fn would_block(&self, events: PollFlags) -> bool {
        !self.settings.get().nonblocking && wait::events_now(&self.tap, events).is_empty()
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
            let settings = Rc::new(Cell::new(Settings::default()));
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
    let file = file(world.opened);
    world.wakeups.watch(&file.tap, world.opened);
    world.files.push(file);
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

/// F_SETFL: from now on, whoever reads or writes may have to wait.
pub fn set_status(world: &mut World) -> String {
    let Some(at) = any(world) else {
        return "status: no file".into();
    };
    let flags = weighted(
        &mut world.rng,
        &[
            (4, OFlag::O_NONBLOCK),
            (4, OFlag::empty()),
            (1, OFlag::O_NONBLOCK | OFlag::O_APPEND | OFlag::O_ASYNC),
            (1, OFlag::O_NONBLOCK | OFlag::O_DIRECT),
        ],
    );
    let file = &world.files[at];
    let result = file.tap.set_status(flags);
    if result.is_ok() {
        file.settings.set(Settings {
            nonblocking: flags.contains(OFlag::O_NONBLOCK),
            ..file.settings.get()
        });
    }
    let result = result.map(differences::status_seen);
    format!("status f{} {flags:?}: {result:x?}", file.id)
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

/// One of the open files, mostly one whose link is still there. If it is not, nobody
/// waits on this one any more.
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
    let file = &world.files[at];
    if !is_attached(world, file) {
        file.tap.set_status(OFlag::O_NONBLOCK).expect("F_SETFL");
        file.settings.set(Settings {
            nonblocking: true,
            ..file.settings.get()
        });
    }
    Some(at)
}

/// Whether the link that a file was opened on is still there.
pub fn is_attached(world: &World, file: &File) -> bool {
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
