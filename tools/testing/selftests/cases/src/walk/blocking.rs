// SPDX-License-Identifier: GPL-2.0
//! Calls that wait, on a thread of their own, until something comes or a signal
//! interrupts them.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::SaFlags;

use super::files::{self, File};
use super::random::{digest, happens, pick};
use super::reads::WHOLE;
use super::world::{World, MACS};
use super::{frames, inject, writes};
use crate::sys::process::{self, Blocked};

/// For the signals of [`end`].
pub fn prepare() {
    process::handle_signals(SaFlags::empty());
}

pub fn read(world: &mut World) -> String {
    match files::any(world) {
        None => "wait to read: no file".into(),
        Some(at) if is_gone(world, at) => "wait to read: no link".into(),
        Some(at) => read_from(world, at),
    }
}

pub fn read_from(world: &mut World, at: usize) -> String {
    let file = &world.files[at];
    let (id, slot) = (file.id, file.slot);
    let tap = file.tap.duplicate();
    let reader = waiting(file, libc::SYS_read, move || {
        let mut buffer = vec![0; WHOLE];
        let result = tap.read(&mut buffer);
        result.map(|length| (length, digest(frames::comparable(&mut buffer[..length]))))
    });
    let mut what = format!("wait to read f{id}:");
    let mut result = reader.result_unless_asleep();
    if result.is_none() && happens(&mut world.rng, 75) {
        // With more, a short ring has room for them or not: that depends on when
        // the reader takes the first.
        what += &inject::plain(world, MACS[slot], 1);
        world.settle();
        result = reader.result_unless_asleep();
    }
    let result = end(reader, result);
    no_more(&world.files[at]);
    world.frames_read += usize::from(result.is_ok());
    format!("{what} {result:x?}")
}

pub fn write(world: &mut World) -> String {
    match files::any(world) {
        None => "wait to write: no file".into(),
        Some(at) if is_gone(world, at) => "wait to write: no link".into(),
        Some(at) => write_to(world, at),
    }
}

fn is_gone(world: &World, at: usize) -> bool {
    !files::is_attached(world, &world.files[at])
}

/// In C, room wakes nobody, so nothing but a signal comes.
pub fn write_to(world: &mut World, at: usize) -> String {
    let (bytes, text) = writes::good(world, at);
    let count = pick(&mut world.rng, &[1, 5, 40]);
    let file = &world.files[at];
    let tap = file.tap.duplicate();
    let writer = waiting(file, libc::SYS_write, move || {
        let results = (0..count).map(|_| tap.write(&bytes));
        let mut failure = None;
        let done = results.take_while(|result| {
            failure = result.err();
            result.is_ok()
        });
        (done.count(), failure)
    });
    let id = file.id;
    let result = writer.result_unless_asleep();
    let (done, failure) = end(writer, result);
    no_more(&world.files[at]);
    world.retried |= failure == Some(Errno::EINTR);
    format!("wait to write f{id} {text}: {done} of {count}, {failure:?}")
}

/// Starts the call on a file that lets it wait.
fn waiting<T: Send + 'static>(
    file: &File,
    system_call: libc::c_long,
    call: impl FnOnce() -> T + Send + 'static,
) -> Blocked<T> {
    file.tap.set_status(OFlag::empty()).expect("F_SETFL");
    Blocked::start_any(system_call, call)
}

/// The result, if need be by a signal.
fn end<T: Send + 'static>(call: Blocked<T>, result: Option<T>) -> T {
    result.unwrap_or_else(|| {
        call.signal();
        call.result()
    })
}

/// Makes the file again what the walk believes it to be.
fn no_more(file: &File) {
    if file.settings.get().nonblocking {
        file.tap.set_status(OFlag::O_NONBLOCK).expect("F_SETFL");
    }
}
