// SPDX-License-Identifier: GPL-2.0
//! poll() and epoll: what they report, and that they wake up.

use std::os::fd::AsFd as _;

use nix::poll::{PollFlags, PollTimeout};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::select::{select, FdSet};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::process::Blocked;
use crate::sys::tap::Tap;
use crate::sys::wait::{self, DEADLINE};
use crate::vnet;

pub fn cases(driver: Driver) -> Vec<Case> {
    let told = driver.has_our_tap();
    let mut cases = cases![
        empty_queue_is_writable_only,
        frame_makes_it_readable,
        normal_events_go_along,
        blocked_poll_is_woken_by_a_frame,
        full_send_buffer_is_not_writable,
        blocked_poll_is_woken_by_relief,
        smallest_send_buffer_is_never_writable,
        detached_queue,
        edge_for_every_frame,
        edge_when_there_is_room_again,
        level_until_it_is_read,
        one_frame_wakes_pollers_of_one_queue_only,
        frames_that_come_together_are_one_edge,
        once_until_it_is_armed_again,
        removed_watch,
        watch_of_a_duplicate_outlives_the_descriptor,
        selected,
    ];
    cases.extend([
        Case::new("edge_without_asking_again", move || {
            edge_without_asking_again(told);
        }),
        Case::new("blocked_poll_is_woken_by_a_longer_buffer", move || {
            blocked_poll_is_woken_by_a_longer_buffer(told);
        }),
    ]);
    cases
}

fn everything() -> PollFlags {
    PollFlags::POLLIN
        | PollFlags::POLLPRI
        | PollFlags::POLLOUT
        | PollFlags::POLLRDBAND
        | PollFlags::POLLWRBAND
}

fn empty_queue_is_writable_only() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(wait::events_now(&tap, everything()), PollFlags::POLLOUT);
    let none = wait::events_now(&tap, PollFlags::POLLIN);
    assert!(none.is_empty(), "{none:?}");
}

fn frame_makes_it_readable() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::incoming(60));
    wire.peer.send(&frame::incoming(61));
    wire.wait_received(2);
    let both = PollFlags::POLLIN | PollFlags::POLLOUT;
    assert_eq!(wait::events_now(&tap, everything()), both);
    tap.receive();
    assert_eq!(wait::events_now(&tap, everything()), both, "one is left");
    tap.receive();
    assert_eq!(wait::events_now(&tap, everything()), PollFlags::POLLOUT);
}

fn normal_events_go_along() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let normal = PollFlags::POLLRDNORM | PollFlags::POLLWRNORM;
    assert_eq!(wait::events_now(&tap, normal), PollFlags::POLLWRNORM);
    wire.peer.send(&frame::incoming(60));
    tap.wait_readable();
    assert_eq!(wait::events_now(&tap, normal), normal);
}

fn blocked_poll(tap: &Tap, wanted: PollFlags) -> Blocked<PollFlags> {
    let tap = tap.duplicate();
    Blocked::start(libc::SYS_poll, move || wait::events(&tap, wanted))
}

fn blocked_poll_is_woken_by_a_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let poller = blocked_poll(&tap, PollFlags::POLLIN);
    wire.peer.send(&frame::incoming(60));
    assert_eq!(poller.result(), PollFlags::POLLIN);
}

fn full_send_buffer_is_not_writable() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let frames = pair.fill();
    let none = wait::events_now(&pair.near, everything());
    assert!(none.is_empty(), "{none:?}");
    pair.drain(frames);
    let events = wait::events_now(&pair.near, everything());
    assert_eq!(events, PollFlags::POLLOUT);
}

fn blocked_poll_is_woken_by_relief() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let frames = pair.fill();
    let poller = blocked_poll(&pair.near, PollFlags::POLLOUT);
    pair.drain(frames);
    assert_eq!(poller.result(), PollFlags::POLLOUT);
}

/// In C it sleeps on, until something else wakes it.
fn blocked_poll_is_woken_by_a_longer_buffer(told: bool) {
    let pair = Pair::new(libc::O_NONBLOCK);
    let frames = pair.fill();
    let poller = blocked_poll(&pair.near, PollFlags::POLLOUT);
    pair.near
        .set_number(libc::TUNSETSNDBUF, 1_000_000)
        .expect("TUNSETSNDBUF");
    if !told {
        poller.wait_asleep();
        pair.drain(frames);
    }
    assert_eq!(poller.result(), PollFlags::POLLOUT);
}

fn smallest_send_buffer_is_never_writable() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_number(libc::TUNSETSNDBUF, 1).expect("TUNSETSNDBUF");
    let none = wait::events_now(&tap, everything());
    assert!(none.is_empty(), "{none:?}");
    // Nothing is under way, so that a write passes nevertheless.
    let frame = frame::outgoing(60);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(70));
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

fn detached_queue() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::incoming(60));
    tap.wait_readable();
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    tap.receive();
    assert_eq!(wait::events_now(&tap, everything()), PollFlags::POLLOUT);
}

struct Watch(Epoll);

impl Watch {
    fn new(tap: &Tap, flags: EpollFlags) -> Watch {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        epoll.add(tap, EpollEvent::new(flags, 0)).expect("a watch");
        Watch(epoll)
    }

    fn events(&self, timeout: PollTimeout) -> EpollFlags {
        let mut events = [EpollEvent::empty()];
        match self.0.wait(&mut events, timeout).expect("epoll_wait") {
            0 => EpollFlags::empty(),
            _ => events[0].events(),
        }
    }

    fn next(&self) -> EpollFlags {
        self.events(PollTimeout::try_from(DEADLINE).expect("a short time"))
    }

    fn rearm(&self, tap: &Tap, flags: EpollFlags) {
        let mut event = EpollEvent::new(flags, 0);
        self.0.modify(tap, &mut event).expect("a watch");
    }

    #[track_caller]
    fn assert_quiet(&self) {
        let events = self.events(PollTimeout::ZERO);
        assert!(events.is_empty(), "{events:?}");
    }
}

const IN: EpollFlags = EpollFlags::EPOLLIN;
const OUT: EpollFlags = EpollFlags::EPOLLOUT;
const EDGE: EpollFlags = EpollFlags::EPOLLET;

fn edge_for_every_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let watch = Watch::new(&tap, IN | OUT | EDGE);
    assert_eq!(watch.next(), OUT);
    watch.assert_quiet();
    // The second comes while the first has not been read.
    for _ in 0..2 {
        wire.peer.send(&frame::incoming(60));
        assert_eq!(watch.next(), IN | OUT);
        watch.assert_quiet();
    }
    tap.receive();
    watch.assert_quiet();
    tap.receive();
    watch.assert_quiet();
    wire.peer.send(&frame::incoming(60));
    assert_eq!(watch.next(), IN | OUT);
}

/// As event loops do it: they write until it would block, and then wait.
fn edge_when_there_is_room_again() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let watch = Watch::new(&pair.near, OUT | EDGE);
    assert_eq!(watch.next(), OUT);
    for _ in 0..3 {
        let frames = pair.fill();
        // The wait asks for room, finds none and leaves word.
        watch.rearm(&pair.near, OUT | EDGE);
        watch.assert_quiet();
        pair.drain(frames);
        assert_eq!(watch.next(), OUT);
        watch.assert_quiet();
    }
}

/// A write that says `EAGAIN` leaves word, too. In C it does not.
fn edge_without_asking_again(told: bool) {
    let pair = Pair::new(libc::O_NONBLOCK);
    let watch = Watch::new(&pair.near, OUT | EDGE);
    assert_eq!(watch.next(), OUT);
    for _ in 0..3 {
        let frames = pair.fill();
        watch.assert_quiet();
        pair.drain(frames);
        if told {
            assert_eq!(watch.next(), OUT);
        }
        watch.assert_quiet();
    }
}

fn level_until_it_is_read() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let watch = Watch::new(&tap, IN);
    watch.assert_quiet();
    wire.peer.send(&frame::incoming(60));
    for _ in 0..3 {
        assert_eq!(watch.next(), IN);
    }
    tap.receive();
    watch.assert_quiet();
}

fn one_frame_wakes_pollers_of_one_queue_only() {
    let wire = Wire::new();
    let taps = [Tap::open(&wire.link), Tap::open(&wire.link)];
    let watches = taps.each_ref().map(|tap| Watch::new(tap, IN | EDGE));
    wire.peer.send(&frame::incoming(60));
    wait::until("an event", || {
        taps.iter()
            .any(|tap| !wait::events_now(tap, PollFlags::POLLIN).is_empty())
    });
    let events = watches.map(|watch| watch.events(PollTimeout::ZERO));
    assert_eq!(events.iter().filter(|&&events| events == IN).count(), 1);
    assert_eq!(events.iter().filter(|events| events.is_empty()).count(), 1);
}

/// Whoever waits for an edge has to read until there is nothing left.
fn frames_that_come_together_are_one_edge() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let watch = Watch::new(&tap, IN | EDGE);
    for length in 60..65 {
        wire.peer.send(&frame::incoming(length));
    }
    wire.wait_received(5);
    assert_eq!(watch.next(), IN);
    watch.assert_quiet();
    for _ in 0..5 {
        tap.receive();
        watch.assert_quiet();
    }
}

fn once_until_it_is_armed_again() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let once = IN | EpollFlags::EPOLLONESHOT;
    let watch = Watch::new(&tap, once);
    for _ in 0..2 {
        wire.peer.send(&frame::incoming(60));
        wire.peer.send(&frame::incoming(60));
        assert_eq!(watch.next(), IN);
        watch.assert_quiet();
        tap.receive();
        watch.assert_quiet();
        // One is left.
        watch.rearm(&tap, once);
        assert_eq!(watch.next(), IN);
        tap.receive();
        watch.rearm(&tap, once);
        watch.assert_quiet();
    }
}

fn removed_watch() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let watch = Watch::new(&tap, IN);
    watch.0.delete(&tap).expect("the watch to be removed");
    wire.peer.send(&frame::incoming(60));
    tap.wait_readable();
    watch.assert_quiet();
}

fn watch_of_a_duplicate_outlives_the_descriptor() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let watch = Watch::new(&tap, IN);
    let duplicate = tap.duplicate();
    drop(tap);
    wire.peer.send(&frame::incoming(60));
    assert_eq!(watch.next(), IN);
    duplicate.receive();
    watch.assert_quiet();
    drop(duplicate);
    watch.assert_quiet();
}

fn selected() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let selected = || {
        let mut sets = [FdSet::new(), FdSet::new(), FdSet::new()];
        sets.iter_mut().for_each(|set| set.insert(tap.as_fd()));
        let [read, write, except] = &mut sets;
        select(None, read, write, except, &mut TimeVal::zero()).expect("select");
        sets.map(|set| set.contains(tap.as_fd()))
    };
    assert_eq!(selected(), [false, true, false]);
    wire.peer.send(&frame::incoming(60));
    tap.wait_readable();
    assert_eq!(selected(), [true, true, false]);
    tap.receive();
    assert_eq!(selected(), [false, true, false]);
}
