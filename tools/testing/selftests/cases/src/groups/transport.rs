// SPDX-License-Identifier: GPL-2.0
//! Where the kernel takes the transport header of a written frame to be, as the tracepoint
//! of what is sent tells. Devices and programs on the way look there.

use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::sys::bpf;
use crate::sys::link::{Link, Macvtap, LOWER};
use crate::sys::tap::Tap;
use crate::sys::trace::{self, Trace};
use crate::vnet;

const TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;

/// In an IPv4 packet.
const VERSION_AND_LENGTH: usize = 14;
const FRAGMENT: usize = 14 + 6;
const PROTOCOL: usize = 14 + 9;
/// In an IPv6 packet.
const NEXT_HEADER: usize = 14 + 6;

fn packet(protocol: Protocol) -> Vec<u8> {
    Packet::outgoing(protocol, 100).build()
}

/// With some bytes replaced.
fn with(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..][..bytes.len()].copy_from_slice(bytes);
    frame
}

fn cut(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    frame.truncate(length);
    frame
}

type Frame = fn() -> Vec<u8>;

/// Frames, and where the header is.
#[rustfmt::skip]
const FRAMES: &[(&str, Frame, Option<usize>)] = &[
    ("TCPv4", || packet(Protocol::Tcp4), Some(34)),
    ("UDPv4", || packet(Protocol::Udp4), Some(34)),
    ("TCPv6", || packet(Protocol::Tcp6), Some(54)),
    ("UDPv6", || packet(Protocol::Udp6), Some(54)),
    ("ICMP", || with(packet(Protocol::Udp4), PROTOCOL, &[1]), Some(34)),
    ("ICMPv6", || with(packet(Protocol::Udp6), NEXT_HEADER, &[58]), Some(54)),
    ("IGMP", || with(packet(Protocol::Udp4), PROTOCOL, &[2]), Some(34)),
    ("IPv4 options", || with(packet(Protocol::Udp4), VERSION_AND_LENGTH, &[0x48]), Some(46)),
    ("another version of IP", || with(packet(Protocol::Udp4), VERSION_AND_LENGTH, &[0x65]), Some(34)),
    ("an IPv4 header that is too short", || with(packet(Protocol::Udp4), VERSION_AND_LENGTH, &[0x44]), None),
    ("options that are not there", || cut(with(packet(Protocol::Udp4), VERSION_AND_LENGTH, &[0x4f]), 60), Some(60)),
    ("the end behind an IPv4 header", || cut(packet(Protocol::Udp4), 34), Some(34)),
    ("the end in an IPv4 header", || cut(packet(Protocol::Udp4), 33), None),
    ("the end behind an IPv6 header", || cut(packet(Protocol::Udp6), 54), Some(54)),
    ("the end in an IPv6 header", || cut(packet(Protocol::Udp6), 53), None),
    ("the end behind an Ethernet header", || cut(packet(Protocol::Udp4), 14), None),
    ("the first fragment", || with(packet(Protocol::Udp4), FRAGMENT, &[0x20, 0]), Some(34)),
    ("another fragment", || with(packet(Protocol::Udp4), FRAGMENT, &[0, 1]), Some(34)),
    ("not to be fragmented", || with(packet(Protocol::Udp4), FRAGMENT, &[0x40, 0]), Some(34)),
    ("an IPv6 option header", || with(with(packet(Protocol::Udp6), NEXT_HEADER, &[0]), 54, &[17, 0]), Some(62)),
    ("an IPv6 fragment", || with(with(packet(Protocol::Udp6), NEXT_HEADER, &[44]), 54, &[17, 0, 0, 1]), Some(62)),
    ("IPv4 in IPv4", || with(with(packet(Protocol::Udp4), PROTOCOL, &[4]), 34, &[0x45]), Some(54)),
    ("a tag", || frame::tagged(&packet(Protocol::Udp4), TAG, 5), Some(38)),
    ("a tag, IPv6", || frame::tagged(&packet(Protocol::Tcp6), TAG, 5), Some(58)),
    ("a service tag", || frame::tagged(&packet(Protocol::Udp4), SERVICE_TAG, 5), Some(38)),
    ("two tags", || frame::tagged(&frame::tagged(&packet(Protocol::Udp4), TAG, 5), SERVICE_TAG, 6), Some(42)),
    ("the end in a tag", || cut(frame::tagged(&packet(Protocol::Udp4), TAG, 5), 17), None),
    ("something else", || frame::outgoing(100), None),
    ("something else with a tag", || frame::tagged(&frame::outgoing(100), TAG, 5), None),
    ("a long frame", || Packet::outgoing(Protocol::Udp4, 9000).build(), Some(34)),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases: Vec<_> = FRAMES
        .iter()
        .map(|&(name, frame, offset)| Case::new(name, move || found(&frame(), offset)))
        .collect();
    cases.push(Case::new("a program dissects flows", dissected));
    let linear = if driver.has_our_tap() { 128 } else { 14 };
    cases.push(Case::new("linear part of a long frame", move || {
        long(linear)
    }));
    cases
}

struct Setup {
    trace: Trace,
    tap: Tap,
    _link: Link,
    _lower: Link,
}

impl Setup {
    fn new() -> Setup {
        let lower = Link::dummy(LOWER);
        let link = Macvtap::default().create(&lower).expect("a macvtap link");
        for link in [&lower, &link] {
            link.silence();
            link.set_up(true).expect("a link that is up");
        }
        let filter = format!("name == \"{}\"", link.name);
        Setup {
            trace: Trace::of("net/net_dev_start_xmit", &filter),
            tap: Tap::open(&link),
            _link: link,
            _lower: lower,
        }
    }

    /// What is told of a frame, with its virtio-net header.
    fn told(&self, bytes: &[u8]) -> String {
        self.trace.lines();
        assert_eq!(self.tap.write(bytes), Ok(bytes.len()));
        let mut lines = self.trace.lines();
        assert_eq!(lines.len(), 1, "not one packet: {lines:?}");
        lines.remove(0)
    }

    /// Where it is in a frame, with its virtio-net header.
    fn written(&self, bytes: &[u8]) -> Option<usize> {
        let line = self.told(bytes);
        let valid = trace::number(&line, "transport_offset_valid") == 1;
        valid.then(|| trace::number(&line, "transport_offset"))
    }
}

fn found(frame: &[u8], offset: Option<usize>) {
    let setup = Setup::new();
    assert_eq!(setup.written(&vnet::plain(frame)), offset);
    setup.tap.set_bare();
    assert_eq!(setup.written(frame), offset);
}

fn dissected() {
    let setup = Setup::new();
    let bytes = vnet::plain(&packet(Protocol::Udp4));
    let program = bpf::dissect_flows();
    let offset = Some(usize::from(bpf::DISSECTED));
    assert_eq!(setup.written(&bytes), offset);
    drop(program);
    assert_eq!(setup.written(&bytes), Some(34));
}

fn long(linear: usize) {
    let setup = Setup::new();
    setup.tap.set_bare();
    let frame = Packet::outgoing(Protocol::Udp4, 9000).build();
    let line = setup.told(&frame);
    assert_eq!(trace::number(&line, "len"), frame.len());
    assert_eq!(trace::number(&line, "data_len"), frame.len() - linear);
}
