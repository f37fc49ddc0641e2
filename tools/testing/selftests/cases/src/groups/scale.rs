// SPDX-License-Identifier: GPL-2.0
//! Many links, many queues, many files, and what they take: figures to compare C
//! and ours by, because times are no results.

use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use nix::sys::resource::{setrlimit, Resource};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::{figures, Case};
use crate::setup::Wire;
use crate::sys::link::{Link, Mac, Macvtap, PEER_MAC};
use crate::sys::tap::Tap;
use crate::sys::{module, wait};
use crate::vnet;

const LINKS: usize = 1000;
/// Of these; the others go with their lower device, as a namespace's do.
const DELETED_ALONE: usize = 200;
/// What a link may have.
const QUEUES: usize = 256;
const FILES: usize = 4000;
const FILES_EACH: usize = 250;

/// What their names begin with.
const NAME: &str = "mt-s";

/// The machine that finds faults takes so much longer.
const LONGER: Duration = Duration::from_secs(540);

pub fn cases(_: Driver) -> Vec<Case> {
    let cases = cases![a_thousand_links, all_queues_of_a_link, four_thousand_files];
    cases.into_iter().map(|case| case.longer(LONGER)).collect()
}

/// Runs `body`; its result, and how long it took.
fn timed<T>(body: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = body();
    (result, start.elapsed())
}

/// In bytes.
fn free_memory() -> usize {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse::<usize>().ok())
        .expect("MemFree")
        * 1024
}

/// Runs `body`, and tells how much memory each of the `count` things takes that it
/// makes.
pub fn weighed<T>(count: usize, body: impl FnOnce() -> T) -> (T, usize) {
    let before = free_memory();
    let result = body();
    (result, before.saturating_sub(free_memory()) / count)
}

pub fn mac(number: usize) -> Mac {
    let [.., high, low] = number.to_be_bytes();
    [0x02, 0, 0, 1, high, low]
}

/// Links on the wire, by their numbers.
pub fn make_links(wire: &Wire, numbers: Range<usize>) -> Vec<Link> {
    let lower = &wire.lower;
    let make = |number| {
        let link = Macvtap {
            name: format!("{NAME}{number}").leak(),
            address: mac(number),
            ..Macvtap::default()
        };
        let link = link.create(lower).expect("a link");
        link.set_up(true).expect("a link that is up");
        link
    };
    numbers.map(make).collect()
}

/// Files are not freed when they are closed, but soon after.
fn assert_all_freed(references: Option<usize>) {
    wait::until("the queues to be freed", || {
        module::references("tap") == references
    });
}

/// A frame to each link, and one from it.
fn assert_all_work(wire: &Wire, links: &[Link]) {
    for (number, link) in links.iter().enumerate() {
        link.wait_operational();
        let tap = Tap::open(link);
        let frame = frame::raw(mac(number), PEER_MAC, 100);
        wire.peer.send(&frame);
        frame::assert_same(&tap.receive_frame().1, &frame);
        let frame = frame::raw(PEER_MAC, mac(number), 100);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

fn a_thousand_links() {
    let references = module::references("tap");
    let wire = Wire::new();
    let ((mut links, bytes), made) = timed(|| weighed(LINKS, || make_links(&wire, 0..LINKS)));
    assert_all_work(&wire, &links);
    let first: Vec<_> = links.drain(..DELETED_ALONE).collect();
    let ((), alone) = timed(|| drop(first));
    let (deleted, together) = timed(|| wire.lower.delete());
    deleted.expect("the lower device to be deleted");
    let left = fs::read_dir("/sys/class/net").expect("the list of links");
    let left = left.filter(|link| {
        let link = link.as_ref().expect("a link").file_name();
        link.to_string_lossy().starts_with(NAME)
    });
    assert_eq!(left.count(), 0, "links are left");
    assert_all_freed(references);
    figures(format_args!(
        "{LINKS} links, {bytes} bytes each: made in {made:.1?}, \
         {DELETED_ALONE} deleted in {alone:.1?}, the others at once in {together:.1?}"
    ));
}

fn all_queues_of_a_link() {
    let references = module::references("tap");
    let wire = Wire::new();
    let ((taps, bytes), opened) = timed(|| {
        weighed(QUEUES, || {
            (0..QUEUES)
                .map(|_| Tap::open(&wire.link))
                .collect::<Vec<_>>()
        })
    });
    // Each of them gets a frame when it is the only one that may.
    for tap in &taps[1..] {
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }
    for pair in taps.windows(2) {
        wire.assert_both_ways(&pair[0]);
        pair[1].set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
        pair[0].set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }
    wire.assert_both_ways(&taps[QUEUES - 1]);
    for tap in &taps[..QUEUES - 1] {
        tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
    }
    let ((), closed) = timed(|| drop(taps));
    assert_all_freed(references);
    figures(format_args!(
        "{QUEUES} queues of a link, {bytes} bytes each: opened in {opened:.1?}, \
         closed in {closed:.1?}"
    ));
}

fn four_thousand_files() {
    let files = (FILES + 100) as u64;
    setrlimit(Resource::RLIMIT_NOFILE, files, files).expect("RLIMIT_NOFILE");
    let references = module::references("tap");
    let wire = Wire::new();
    let links = make_links(&wire, 0..FILES / FILES_EACH);
    let ((taps, bytes), opened) = timed(|| {
        weighed(FILES, || {
            let open = |link: &Link| (0..FILES_EACH).map(|_| Tap::open(link)).collect::<Vec<_>>();
            links.iter().map(open).collect::<Vec<_>>()
        })
    });
    for (number, (link, taps)) in links.iter().zip(&taps).enumerate() {
        link.wait_operational();
        let frame = frame::raw(PEER_MAC, mac(number), 100);
        for tap in taps {
            assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
            frame::assert_same(&wire.peer.receive().frame, &frame);
        }
    }
    let ((), closed) = timed(|| drop(taps));
    assert_all_freed(references);
    figures(format_args!(
        "{FILES} files, {bytes} bytes each: opened in {opened:.1?}, closed in {closed:.1?}"
    ));
}
