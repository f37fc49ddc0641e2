// SPDX-License-Identifier: GPL-2.0
//! Frames with space before them, as network cards deliver them: what a reader gets before
//! the frame may be put together there.

use std::process;

use nix::errno::Errno;

use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::sys::link::{Link, Macvtap, LOWER};
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::sys::trace::{self, Trace};
use crate::sys::tun::Tun;
use crate::vnet;

/// None, and some of which only two are usual.
const HEADER_SIZES: [usize; 6] = [0, 10, 11, 12, 13, 64];
const ADDRESSES: usize = 12;
const TAG: usize = 4;

pub fn cases(driver: Driver) -> Vec<Case> {
    let at_once = driver.has_our_tap();
    let mut cases = vec![Case::new("told of copies", move || told(at_once))];
    for size in HEADER_SIZES {
        for tagged in [false, true] {
            let what = if tagged { ", tagged" } else { "" };
            let name = format!("header of {size} B{what}");
            cases.push(Case::new(name, move || read(size, tagged)));
            let name = format!("header of {size} B{what}, watched");
            cases.push(Case::new(name, move || read_watched(size, tagged)));
        }
    }
    cases
}

/// tun leaves space before what is written to it.
struct Setup {
    tun: Tun,
    lower: Link,
    _link: Link,
    tap: Tap,
}

impl Setup {
    fn new(header_size: usize) -> Setup {
        let (tun, lower) = Tun::new(LOWER);
        lower.silence();
        let link = Macvtap::default().create(&lower).expect("a macvtap link");
        for link in [&lower, &link] {
            link.set_up(true).expect("a link that is up");
        }
        let tap = Tap::open(&link);
        match header_size {
            0 => tap.set_bare(),
            size => tap
                .set_number(libc::TUNSETVNETHDRSZ, size as i32)
                .expect("TUNSETVNETHDRSZ"),
        }
        Setup {
            tun,
            lower,
            _link: link,
            tap,
        }
    }

    fn send(&self, frame: &[u8]) {
        let bytes = vnet::plain(frame);
        assert_eq!(self.tun.send(&bytes), Ok(bytes.len()));
    }
}

fn some_frame(length: usize, tagged: bool) -> Vec<u8> {
    let frame = frame::incoming(length);
    if tagged {
        frame::tagged(&frame, 0x8100, 0xb123)
    } else {
        frame
    }
}

/// Into buffers of all lengths.
fn read(header_size: usize, tagged: bool) {
    let setup = Setup::new(header_size);
    for length in [16, 60, 200] {
        let frame = some_frame(length, tagged);
        let whole = [&vec![0; header_size][..], &frame].concat();
        for room in 1..whole.len() + 3 {
            let in_tag = header_size + ADDRESSES..=header_size + ADDRESSES + TAG;
            if tagged && in_tag.contains(&room) {
                // Group vlan has what differs.
                continue;
            }
            setup.send(&frame);
            let mut buffer = vec![0x55; room];
            let read = setup.tap.read(&mut buffer);
            if room < header_size {
                assert_eq!(read, Err(Errno::EINVAL));
                continue;
            }
            let copied = room.min(whole.len());
            assert_eq!(read, Ok(copied));
            frame::assert_same(&buffer[..copied], &whole[..copied]);
            assert!(buffer[copied..].iter().all(|&byte| byte == 0x55));
        }
    }
}

/// What tracing tells of the copies of a frame, and of one with a tag.
fn told(at_once: bool) {
    let setup = Setup::new(vnet::SIZE);
    let trace = Trace::of(
        "skb/skb_copy_datagram_iovec",
        &format!("common_pid == {}", process::id()),
    );
    let plain = if at_once {
        vec![vnet::SIZE + 60]
    } else {
        vec![60]
    };
    let tagged = if at_once {
        vec![60 + TAG]
    } else {
        vec![ADDRESSES, 60 - ADDRESSES]
    };
    for (is_tagged, lengths) in [(false, plain), (true, tagged)] {
        setup.send(&some_frame(60, is_tagged));
        assert!(setup.tap.read(&mut [0; 100]).is_ok());
        let lines = trace.lines();
        let copied: Vec<_> = lines
            .iter()
            .map(|line| trace::number(line, "len"))
            .collect();
        assert_eq!(copied, lengths);
    }
}

/// Somebody else has the same frame, and finds it as it was.
fn read_watched(header_size: usize, tagged: bool) {
    let setup = Setup::new(header_size);
    let watchers = [(); 2].map(|()| PacketSocket::open(&setup.lower, ALL));
    for length in [60, 200] {
        let frame = some_frame(length, tagged);
        let whole = [&vec![0; header_size][..], &frame].concat();
        setup.send(&frame);
        frame::assert_same(&watchers[0].receive().frame, &frame);
        let mut buffer = vec![0x55; whole.len()];
        assert_eq!(setup.tap.read(&mut buffer), Ok(whole.len()));
        frame::assert_same(&buffer, &whole);
        frame::assert_same(&watchers[1].receive().frame, &frame);
    }
}
