// SPDX-License-Identifier: GPL-2.0
//! What users of an open file are told when its link is deleted. In C, nobody is
//! told anything.

use std::slice;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::select::{select, FdSet};
use nix::sys::signal::SaFlags;
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::changes::gone_with_its_namespace;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Pair, Wire};
use crate::sys::io_uring::{Ring, AT_ONCE, BY_THREAD};
use crate::sys::module::Module;
use crate::sys::process::{self, Blocked};
use crate::sys::tap::Tap;
use crate::sys::vhost::{Vhost, HEADER_SIZE, OWN_HEADER};
use crate::sys::wait;
use crate::vnet;

/// Of a frame of 100 bytes with its header.
const LENGTH: usize = 110;

pub fn cases(driver: Driver) -> Vec<Case> {
    let told = driver.has_our_tap();
    let case = |name: &str, body: fn(bool)| Case::new(name, move || body(told));
    vec![
        case("blocked reader", blocked_reader),
        case("two blocked readers", two_blocked_readers),
        case(
            "blocked reader of a detached queue",
            blocked_reader_detached,
        ),
        case("blocked reader, lower device deleted", blocked_reader_lower),
        case(
            "blocked reader, network namespace gone",
            blocked_reader_netns,
        ),
        case("reader that comes later", reader_that_comes_later),
        case("reader without waiting", reader_without_waiting),
        case("reader with frames left", reader_with_frames_left),
        case("blocked writer", blocked_writer),
        case("two blocked writers", two_blocked_writers),
        case("writer that comes later", writer_that_comes_later),
        case(
            "writer with a full send buffer",
            writer_with_full_send_buffer,
        ),
        case("blocked poller", blocked_poller),
        case("poller that comes later", poller_that_comes_later),
        case(
            "poller with a full send buffer",
            poller_with_full_send_buffer,
        ),
        case("every poller", every_poller),
        case("poller with frames left", poller_with_frames_left),
        case("until a reader has looked", until_a_reader_has_looked),
        case(
            "a read before it was seen changes nothing",
            read_before_it_was_seen,
        ),
        case(
            "a reader that is told takes nothing away",
            reader_that_is_told,
        ),
        case("event loop goes on", event_loop_goes_on),
        case("edge-triggered event loop", edge_triggered),
        case("selected", selected),
        case("requests of io_uring", requests_of_io_uring),
        case("requests of io_uring that come later", later_requests),
        case("vhost-net takes the file", vhost_takes_the_file),
        case(
            "vhost-net with a full send buffer",
            vhost_with_full_send_buffer,
        ),
    ]
}

fn everything() -> PollFlags {
    PollFlags::POLLIN | PollFlags::POLLOUT | PollFlags::POLLPRI
}

/// What poll() reports of a file without frames until that was taken note of.
fn news(told: bool) -> PollFlags {
    if told {
        PollFlags::POLLOUT | PollFlags::POLLERR
    } else {
        PollFlags::POLLOUT
    }
}

fn delete(wire: &Wire) {
    wire.link.delete().expect("the link to be deleted");
}

/// The call returns `ENETDOWN`. In C it sleeps on, until a signal ends it.
fn assert_woken(told: bool, call: Blocked<nix::Result<usize>>) {
    if told {
        assert_eq!(call.result(), Err(Errno::ENETDOWN));
    } else {
        call.wait_asleep();
        call.signal();
        assert_eq!(call.result(), Err(Errno::EINTR));
    }
}

fn start_reader(tap: &Tap) -> Blocked<nix::Result<usize>> {
    process::handle_signals(SaFlags::empty());
    let tap = tap.duplicate();
    Blocked::start(libc::SYS_read, move || tap.read(&mut [0; 200]))
}

fn assert_reader_woken(told: bool, end: impl FnOnce(&Wire)) {
    let wire = Wire::new();
    let reader = start_reader(&Tap::open_blocking(&wire.link));
    end(&wire);
    assert_woken(told, reader);
}

fn blocked_reader(told: bool) {
    assert_reader_woken(told, delete);
}

fn two_blocked_readers(told: bool) {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let readers = [start_reader(&tap), start_reader(&tap)];
    delete(&wire);
    for reader in readers {
        assert_woken(told, reader);
    }
}

fn blocked_reader_detached(told: bool) {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    let reader = start_reader(&tap);
    delete(&wire);
    assert_woken(told, reader);
}

fn blocked_reader_lower(told: bool) {
    assert_reader_woken(told, |wire| {
        wire.lower.delete().expect("the lower device to be deleted");
    });
}

fn blocked_reader_netns(told: bool) {
    assert_reader_woken(told, gone_with_its_namespace);
}

fn reader_that_comes_later(told: bool) {
    let orphan = Lone::orphan();
    orphan.tap.set_nonblocking(false);
    if told {
        for _ in 0..3 {
            assert_eq!(orphan.tap.read(&mut [0; 200]), Err(Errno::ENETDOWN));
        }
        let now = orphan.tap.read_nowait(&mut [0; 200]);
        assert_eq!(now, Err(Errno::ENETDOWN));
    } else {
        assert_woken(told, start_reader(&orphan.tap));
        let now = orphan.tap.read_nowait(&mut [0; 200]);
        assert_eq!(now, Err(Errno::EAGAIN));
    }
}

/// Monitors end a guest if they read anything else.
fn reader_without_waiting(_: bool) {
    let orphan = Lone::orphan();
    for _ in 0..3 {
        orphan.tap.assert_empty();
        wait::events_now(&orphan.tap, everything());
    }
}

fn reader_with_frames_left(told: bool) {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    wire.peer.send(&frame::incoming(100));
    wire.peer.send(&frame::incoming(100));
    wire.wait_received(2);
    delete(&wire);
    assert_eq!(tap.read(&mut [0; 200]), Ok(LENGTH));
    assert_eq!(tap.read_nowait(&mut [0; 200]), Ok(LENGTH));
    if told {
        assert_eq!(tap.read(&mut [0; 200]), Err(Errno::ENETDOWN));
    } else {
        assert_woken(told, start_reader(&tap));
    }
}

fn start_writer(tap: &Tap) -> Blocked<nix::Result<usize>> {
    process::handle_signals(SaFlags::empty());
    let tap = tap.duplicate();
    Blocked::start(libc::SYS_write, move || {
        tap.write(&vnet::plain(&Pair::frame()))
    })
}

/// The frames lie in the other queue's ring.
fn blocked_writer(told: bool) {
    let pair = Pair::new(0);
    pair.fill();
    let writer = start_writer(&pair.near);
    delete(&pair.wire);
    assert_woken(told, writer);
}

fn two_blocked_writers(told: bool) {
    let pair = Pair::new(0);
    pair.fill();
    let writers = [start_writer(&pair.near), start_writer(&pair.near)];
    delete(&pair.wire);
    for writer in writers {
        assert_woken(told, writer);
    }
}

fn writer_that_comes_later(told: bool) {
    let orphan = Lone::orphan();
    let frame = vnet::plain(&frame::outgoing(100));
    for _ in 0..3 {
        orphan.tap.set_nonblocking(true);
        assert_eq!(orphan.tap.write(&frame), Ok(LENGTH));
        orphan.tap.set_nonblocking(false);
        assert_eq!(orphan.tap.write_nowait(&frame), Ok(LENGTH));
        let wanted = if told {
            Err(Errno::ENETDOWN)
        } else {
            Ok(LENGTH)
        };
        assert_eq!(orphan.tap.write(&frame), wanted);
        // What is malformed is not looked at later than that.
        assert_eq!(orphan.tap.write(&frame[..20]), Err(Errno::EINVAL));
    }
}

/// What nobody will send needs no room. In C there is none until the frames were
/// read that lie in the other queue's ring.
fn writer_with_full_send_buffer(told: bool) {
    let pair = Pair::new(0);
    let frames = pair.fill();
    delete(&pair.wire);
    let bytes = vnet::plain(&Pair::frame());
    let wanted = if told {
        Ok(bytes.len())
    } else {
        Err(Errno::EAGAIN)
    };
    assert_eq!(pair.near.write_nowait(&bytes), wanted);
    pair.drain(frames);
    pair.far.assert_empty();
}

fn blocked_poller(told: bool) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    process::handle_signals(SaFlags::empty());
    let duplicate = tap.duplicate();
    // Whoever polls sees an error, whether asked for or not.
    let poller = Blocked::start(libc::SYS_poll, move || {
        wait::events(&duplicate, PollFlags::POLLIN)
    });
    delete(&wire);
    if told {
        assert_eq!(poller.result(), PollFlags::POLLERR);
    } else {
        poller.wait_asleep();
        assert_eq!(wait::events_now(&tap, everything()), PollFlags::POLLOUT);
    }
}

fn poller_that_comes_later(told: bool) {
    let orphan = Lone::orphan();
    assert_eq!(wait::events_now(&orphan.tap, everything()), news(told));
}

/// A write would not wait any more. In C it does until the frames were read that
/// lie in the other queue's ring.
fn poller_with_full_send_buffer(told: bool) {
    let pair = Pair::new(libc::O_NONBLOCK);
    let frames = pair.fill();
    let near = pair.near.duplicate();
    let poller = Blocked::start(libc::SYS_poll, move || {
        wait::events(&near, PollFlags::POLLOUT)
    });
    delete(&pair.wire);
    if told {
        assert_eq!(poller.result(), news(true));
        pair.near.assert_empty();
        let events = wait::events_now(&pair.near, everything());
        assert_eq!(events, PollFlags::POLLOUT);
        pair.drain(frames);
    } else {
        poller.wait_asleep();
        pair.drain(frames);
        assert_eq!(poller.result(), PollFlags::POLLOUT);
    }
}

/// Of other queues, and of detached ones.
fn every_poller(told: bool) {
    let wire = Wire::new();
    let taps: Vec<_> = (0..5).map(|_| Tap::open(&wire.link)).collect();
    for tap in &taps[..2] {
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }
    delete(&wire);
    for tap in &taps {
        assert_eq!(wait::events_now(tap, everything()), news(told));
    }
}

fn poller_with_frames_left(told: bool) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::incoming(100));
    tap.wait_readable();
    delete(&wire);
    let readable = news(told) | PollFlags::POLLIN;
    assert_eq!(wait::events_now(&tap, everything()), readable);
    assert_eq!(tap.read(&mut [0; 200]), Ok(LENGTH));
    assert_eq!(wait::events_now(&tap, everything()), news(told));
    tap.assert_empty();
    assert_eq!(wait::events_now(&tap, everything()), PollFlags::POLLOUT);
}

fn until_a_reader_has_looked(told: bool) {
    let orphan = Lone::orphan();
    for _ in 0..3 {
        assert_eq!(wait::events_now(&orphan.tap, everything()), news(told));
    }
    // A write is no sign that anybody has taken note.
    let frame = vnet::plain(&frame::outgoing(100));
    assert_eq!(orphan.tap.write(&frame), Ok(LENGTH));
    assert_eq!(wait::events_now(&orphan.tap, everything()), news(told));
    for _ in 0..3 {
        orphan.tap.assert_empty();
        let events = wait::events_now(&orphan.tap, everything());
        assert_eq!(events, PollFlags::POLLOUT);
    }
}

/// It may have begun before the link was deleted.
fn read_before_it_was_seen(told: bool) {
    let orphan = Lone::orphan();
    orphan.tap.assert_empty();
    assert_eq!(wait::events_now(&orphan.tap, everything()), news(told));
}

/// Others may poll the same file.
fn reader_that_is_told(told: bool) {
    let orphan = Lone::orphan();
    let answer = if told { Errno::ENETDOWN } else { Errno::EAGAIN };
    for _ in 0..3 {
        assert_eq!(wait::events_now(&orphan.tap, everything()), news(told));
        assert_eq!(orphan.tap.read_nowait(&mut [0; 100]), Err(answer));
    }
}

/// What epoll reports now of one file.
fn events_of(epoll: &Epoll) -> Option<EpollFlags> {
    let mut events = [EpollEvent::empty(); 4];
    let count = epoll
        .wait(&mut events, EpollTimeout::ZERO)
        .expect("epoll_wait");
    assert!(count <= 1, "{count} events");
    (count > 0).then(|| events[0].events())
}

fn watch(tap: &Tap, events: EpollFlags) -> Epoll {
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("epoll");
    epoll
        .add(tap, EpollEvent::new(events, 0))
        .expect("epoll_ctl");
    epoll
}

/// A monitor reads whatever the event, gets nothing, and sees no other one.
fn event_loop_goes_on(told: bool) {
    let lone = Lone::new();
    let epoll = watch(&lone.tap, EpollFlags::EPOLLIN);
    assert_eq!(events_of(&epoll), None);
    lone.link.delete().expect("the link to be deleted");
    let event = told.then_some(EpollFlags::EPOLLERR);
    assert_eq!(events_of(&epoll), event);
    assert_eq!(events_of(&epoll), event);
    lone.tap.assert_empty();
    for _ in 0..10 {
        assert_eq!(events_of(&epoll), None);
    }
}

fn edge_triggered(told: bool) {
    let lone = Lone::new();
    let epoll = watch(&lone.tap, EpollFlags::EPOLLIN | EpollFlags::EPOLLET);
    assert_eq!(events_of(&epoll), None);
    lone.link.delete().expect("the link to be deleted");
    assert_eq!(events_of(&epoll), told.then_some(EpollFlags::EPOLLERR));
    assert_eq!(events_of(&epoll), None);
}

fn selected(told: bool) {
    use std::os::fd::AsFd as _;

    let orphan = Lone::orphan();
    let mut files = FdSet::new();
    files.insert(orphan.tap.as_fd());
    let now = &mut TimeVal::zero();
    let count = select(None, &mut files, None, None, now).expect("select");
    assert_eq!(count, i32::from(told));
}

fn requests_of_io_uring(told: bool) {
    for nonblocking in [false, true] {
        let wire = Wire::new();
        let tap = Tap::open(&wire.link);
        tap.set_nonblocking(nonblocking);
        let mut ring = Ring::new();
        for how in [AT_ONCE, BY_THREAD] {
            ring.read(&tap, 200, how);
        }
        let poll = ring.poll(&tap, PollFlags::POLLIN, false);
        // The thread's read, too: if it polls for the first time when the link is gone, it is
        // told at once, and reads once more like anybody else.
        wait::until("all to wait", || ring.waiting() == 3);
        assert_eq!(ring.completed(), None);
        delete(&wire);
        if !told {
            assert_eq!(ring.completed(), None);
            continue;
        }
        for _ in 0..3 {
            let completion = ring.next();
            let wanted = if completion.id == poll {
                Ok(PollFlags::POLLERR.bits() as u32)
            } else {
                Err(Errno::ENETDOWN)
            };
            assert_eq!(completion.result, wanted);
        }
    }
}

fn later_requests(told: bool) {
    for nonblocking in [false, true] {
        let orphan = Lone::orphan();
        orphan.tap.set_nonblocking(nonblocking);
        let mut ring = Ring::new();
        for how in [AT_ONCE, BY_THREAD] {
            ring.read(&orphan.tap, 200, how);
            if told {
                assert_eq!(ring.next().result, Err(Errno::ENETDOWN));
            } else {
                assert_eq!(ring.completed(), None);
            }
        }
    }
}

/// It takes no file with an error, but looks at the ring anyway.
fn vhost_takes_the_file(_: bool) {
    let _vhost_net = Module::load("vhost_net", &[]);
    for seen in [false, true] {
        let orphan = Lone::orphan();
        orphan.tap.set_bare();
        if seen {
            wait::events_now(&orphan.tap, everything());
        }
        let vhost = Vhost::new(OWN_HEADER);
        vhost.attach(&orphan.tap);
        vhost.detach();
    }
}

/// It waits for room, and polls no more when it is told of an error. What it has
/// must go all the same. In C it waits until the frames were read that lie in the
/// other queue's ring.
fn vhost_with_full_send_buffer(told: bool) {
    let _vhost_net = Module::load("vhost_net", &[]);
    let packet = [&[0; HEADER_SIZE][..], &Pair::frame()].concat();
    // The link goes before it waits, while it is about to, and after that.
    for round in 0..40 {
        let pair = Pair::new(libc::O_NONBLOCK);
        let frames = pair.fill();
        pair.near.set_bare();
        let mut vhost = Vhost::new(OWN_HEADER);
        vhost.attach(&pair.near);
        vhost.post(slice::from_ref(&packet));
        thread::sleep(Duration::from_micros(250) * round);
        delete(&pair.wire);
        if !told {
            pair.drain(frames);
        }
        vhost.wait_sent(1);
        if told {
            pair.drain(frames);
        }
        pair.far.assert_empty();
        vhost.detach();
    }
}
