// SPDX-License-Identifier: GPL-2.0
//! Every allocation, and every copy from or to user space, fails once: whatever
//! is asked of the kernel is done or refused, as a whole, and nothing is left
//! of it. Only where the kernel is built for that.

mod links;

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno::{self, EAGAIN, EFAULT, EINVAL, ENOBUFS, ENOMEM};

use super::vhost::{Setup, Way};
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::holdings::Holdings;
use crate::ktap::{self, Case};
use crate::setup::{Pair, Wire};
use crate::sys::fault::Faults;
use crate::sys::link::{Macvtap, LOWER, OTHER_MAC, TAP_MAC};
use crate::sys::netlink::{Refusal, Request};
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::tun::Tun;
use crate::sys::{ethtool, module, process};
use crate::vnet::{self, VnetHeader};

/// A case does everything hundreds of times, in a kernel that is slow.
const LONGER: Duration = Duration::from_secs(540);

/// Free in every network namespace of the test.
const INDEX: u32 = 5101;

/// What is said for want of memory, or of the request itself.
const NO_MEMORY: &[Errno] = &[ENOMEM, ENOBUFS, EFAULT];
/// The network stack does not look whether a new device got its name, and then
/// takes it for one without.
const NEW_LINK: &[Errno] = &[ENOMEM, ENOBUFS, EFAULT, EINVAL];

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, body: Box<dyn Fn()>| {
        cases.push(Case::new(name, body).longer(LONGER));
    };
    add("open", Box::new(open));
    add("close", Box::new(close));
    add("close with frames of another queue", Box::new(close_pair));
    for &ioctl in IOCTLS {
        add(ioctl.name, Box::new(move || refused_or_done(ioctl)));
    }
    for &(name, body) in WRITES {
        add(name, Box::new(body));
    }
    for &(name, body) in READS {
        add(name, Box::new(body));
    }
    for &(name, body) in RECEIVES {
        add(name, Box::new(body));
    }
    for way in Way::ALL {
        add(&format!("vhost: {way:?}"), Box::new(move || vhost(way)));
    }
    add("ring length", Box::new(links::resize));
    add("new link", Box::new(links::new_link));
    add("link deleted", Box::new(links::link_deleted));
    add("index of another link", Box::new(links::taken_index));
    add(
        "moved to another namespace",
        Box::new(move || links::moved(driver != Driver::C && driver != Driver::RustTap)),
    );
    if driver.has_our_macvtap() {
        add(
            "new link with a filter",
            Box::new(links::new_link_with_filter),
        );
        add("receive filter", Box::new(links::receive_filter));
    }
    for before in [true, false] {
        let when = if before { "before" } else { "after" };
        let name = format!("somebody objects, {when} the driver");
        add(&name, Box::new(move || links::objections(before)));
    }
    // None for what is built in.
    if module::references("macvtap").is_some() {
        add("module loaded", Box::new(links::load));
    }
    cases
}

/// How something fares with one fault after the other.
struct Trial {
    faults: Faults,
    nth: u32,
    injected: bool,
    allowed: &'static [Errno],
    failed: BTreeMap<String, u32>,
    survived: u32,
}

impl Trial {
    /// With this round's fault.
    fn run<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        self.faults.arm(self.nth);
        let result = operation();
        self.injected = self.faults.disarm();
        result
    }

    /// An error is one of those that are allowed, and comes from a fault.
    #[track_caller]
    fn judge<T, E: Into<Errno>>(&mut self, result: Result<T, E>) -> nix::Result<T> {
        let result = result.map_err(Into::into);
        // The last one tells where a case went wrong.
        println!("fault {}: {:?}", self.nth, result.as_ref().err());
        match result {
            Ok(done) => {
                self.survived += u32::from(self.injected);
                Ok(done)
            }
            Err(error) => {
                assert!(self.injected, "fault {}: none, but {error}", self.nth);
                let allowed = self.allowed.contains(&error);
                assert!(allowed, "fault {}: {error}", self.nth);
                *self.failed.entry(format!("{error:?}")).or_default() += 1;
                Err(error)
            }
        }
    }

    #[track_caller]
    fn result_of<T>(&mut self, operation: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
        let result = self.run(operation);
        self.judge(result)
    }

    /// What is asked of rtnetlink. The answer may be that there was no memory for
    /// an answer.
    #[track_caller]
    fn ask(&mut self, request: Request) -> nix::Result<()> {
        let sent = self.run(|| request.send());
        let answer = sent.map_err(Refusal::from).and_then(|()| request.answer());
        self.judge(answer.map(drop))
    }
}

/// Runs `round` with the first fault, the second, and so on, until it comes to
/// its end without one. There must be so many.
fn each_fault(
    faults: Faults,
    allowed: &'static [Errno],
    at_least: u32,
    mut round: impl FnMut(&mut Trial),
) {
    let mut trial = Trial {
        faults,
        nth: 0,
        injected: true,
        allowed,
        failed: BTreeMap::new(),
        survived: 0,
    };
    while trial.injected {
        trial.nth += 1;
        trial.injected = false;
        round(&mut trial);
    }
    let count = trial.nth - 1;
    let mut summary = format!("{count} faults, {} unnoticed", trial.survived);
    for (error, times) in &trial.failed {
        summary += &format!(", {times} {error}");
    }
    ktap::figures(summary);
    assert!(count >= at_least, "only {count} faults");
    if at_least == 0 {
        assert_eq!(count, 0, "something can fail by now");
    }
}

fn open() {
    const LIMIT: usize = 256;
    let wire = Wire::new();
    let path = wire.link.node();
    let before = Holdings::settled();
    each_fault(Faults::here(), &[ENOMEM, EFAULT], 5, |trial| {
        let opened = trial.result_of(|| Tap::open_path(&path, libc::O_NONBLOCK));
        if let Ok(tap) = opened {
            wire.assert_both_ways(&tap);
        }
        before.assert_back();
        // As the only queue, or the frame would not be sure to come here.
        wire.assert_both_ways(&Tap::open(&wire.link));
        before.assert_back();
    });
    // None of those that failed counts.
    let _taps: Vec<_> = (0..LIMIT).map(|_| Tap::open(&wire.link)).collect();
    assert_eq!(Tap::open_path(&path, 0).err(), Some(Errno::EBUSY));
}

/// There is nobody whom an error of close() would tell something.
fn close() {
    let wire = Wire::new();
    let before = Holdings::settled();
    each_fault(Faults::here(), &[], 1, |trial| {
        let tap = Tap::open(&wire.link);
        wire.assert_both_ways(&tap);
        wire.peer.send(&frame::incoming(100));
        tap.wait_readable();
        assert_eq!(trial.result_of(|| tap.close()), Ok(()));
        before.assert_back();
    });
    wire.assert_both_ways(&Tap::open(&wire.link));
}

/// What was not read is given back to its sender.
fn close_pair() {
    let pair = Pair::new(libc::O_NONBLOCK);
    drop(pair.far);
    let before = Holdings::settled();
    each_fault(Faults::here(), &[], 1, |trial| {
        let far = Tap::open(&pair.far_link);
        let frame = vnet::plain(&Pair::frame());
        assert_eq!(pair.near.write(&frame), Ok(frame.len()));
        far.wait_readable();
        assert_eq!(trial.result_of(|| far.close()), Ok(()));
        before.assert_back();
    });
}

#[derive(Clone, Copy)]
struct Ioctl {
    name: &'static str,
    call: fn(&Tap) -> nix::Result<()>,
    /// How many faults there are at least, in C, too; if none, nothing is asked for that
    /// could fail.
    faults: u32,
}

const BARE: i32 = libc::IFF_TAP | libc::IFF_NO_PI;
const SEGMENTS: u32 = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;

#[rustfmt::skip]
const IOCTLS: &[Ioctl] = &[
    Ioctl { name: "TUNSETIFF", call: |tap| tap.set_flags(BARE), faults: 0 },
    Ioctl { name: "TUNGETIFF", call: |tap| tap.name_and_flags().map(drop), faults: 1 },
    Ioctl { name: "TUNSETQUEUE: detach", call: |tap| tap.set_queue(libc::IFF_DETACH_QUEUE), faults: 0 },
    Ioctl { name: "TUNGETFEATURES", call: |tap| tap.number(libc::TUNGETFEATURES as _).map(drop), faults: 0 },
    Ioctl { name: "TUNSETSNDBUF", call: |tap| tap.set_number(libc::TUNSETSNDBUF as _, 300_000), faults: 0 },
    Ioctl { name: "TUNSETOFFLOAD", call: |tap| tap.set_offload(0), faults: 0 },
    Ioctl { name: "SIOCGIFHWADDR", call: |tap| hardware_address(tap).map(drop), faults: 1 },
    Ioctl { name: "SIOCSIFHWADDR", call: |tap| set_hardware_address(tap, OTHER_MAC), faults: 2 },
    Ioctl { name: "TUNGETVNETHDRSZ", call: |tap| tap.number(libc::TUNGETVNETHDRSZ as _).map(drop), faults: 0 },
    Ioctl { name: "TUNSETVNETHDRSZ", call: |tap| tap.set_number(libc::TUNSETVNETHDRSZ as _, 12), faults: 0 },
    Ioctl { name: "TUNGETVNETLE", call: |tap| tap.number(libc::TUNGETVNETLE as _).map(drop), faults: 0 },
    Ioctl { name: "TUNSETVNETLE", call: |tap| tap.set_number(libc::TUNSETVNETLE as _, 1), faults: 0 },
    Ioctl { name: "TUNGETVNETBE", call: |tap| tap.number(libc::TUNGETVNETBE as _).map(drop), faults: 0 },
    Ioctl { name: "TUNSETVNETBE", call: |tap| tap.set_number(libc::TUNSETVNETBE as _, 1), faults: 0 },
];

fn hardware_address(tap: &Tap) -> nix::Result<Vec<u8>> {
    let mut request = IfReq::new(0);
    tap.ioctl(libc::SIOCGIFHWADDR as _, request.address())?;
    Ok(request.bytes())
}

fn set_hardware_address(tap: &Tap, address: [u8; 6]) -> nix::Result<()> {
    let mut request = IfReq::with_address(libc::ARPHRD_ETHER, address);
    tap.ioctl(libc::SIOCSIFHWADDR as _, request.address())
}

/// What a program can learn about a queue and its link.
fn state(wire: &Wire, tap: &Tap) -> String {
    let settings = [
        libc::TUNGETVNETHDRSZ as _,
        libc::TUNGETVNETLE as _,
        libc::TUNGETVNETBE as _,
    ]
    .map(|request| tap.number(request));
    let features = ethtool::features(&wire.link);
    let (flags, address) = (tap.name_and_flags(), hardware_address(tap));
    format!("{settings:?} {features:?} {flags:?} {address:?}")
}

/// As a queue is when it was opened.
fn reset(tap: &Tap) {
    let done = [
        tap.set_flags(BARE | libc::IFF_VNET_HDR),
        tap.set_number(libc::TUNSETVNETLE as _, 0),
        tap.set_number(libc::TUNSETVNETBE as _, 0),
        tap.set_number(libc::TUNSETVNETHDRSZ as _, vnet::SIZE as i32),
        tap.set_offload(SEGMENTS),
        set_hardware_address(tap, TAP_MAC),
    ];
    assert_eq!(done, [Ok(()); 6]);
    // If it was detached.
    let _ = tap.set_queue(libc::IFF_ATTACH_QUEUE);
}

fn refused_or_done(ioctl: Ioctl) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    reset(&tap);
    let before = state(&wire, &tap);
    let holdings = Holdings::settled();
    each_fault(Faults::here(), &[ENOMEM, EFAULT], ioctl.faults, |trial| {
        if trial.result_of(|| (ioctl.call)(&tap)).is_err() {
            assert_eq!(state(&wire, &tap), before);
            wire.assert_both_ways(&tap);
        }
        reset(&tap);
        assert_eq!(state(&wire, &tap), before);
        wire.assert_both_ways(&tap);
        holdings.assert_back();
    });
}

type Bodies = &'static [(&'static str, fn())];

const WRITES: Bodies = &[
    ("write", || write(vnet::plain(&frame::outgoing(100)))),
    ("write of a long frame", || {
        write(vnet::plain(&frame::outgoing(60_000)));
    }),
    ("write to be segmented by the peer", || {
        write(to_be_segmented(60_000));
    }),
    ("write to be segmented below", || {
        let wire = Wire::jumbo();
        ethtool::disable_transmit_offloads(&wire.lower);
        write_on(&wire, to_be_segmented(20_000));
    }),
    ("write with a checksum to be computed below", || {
        let wire = Wire::jumbo();
        ethtool::disable_transmit_offloads(&wire.lower);
        let (header, frame) = Packet::outgoing(Protocol::Udp4, 1000).build_partial();
        write_on(&wire, header.with(&frame));
    }),
    ("write to a queueing discipline", || {
        let wire = Wire::jumbo();
        wire.link.delay(1);
        write_on(&wire, vnet::plain(&frame::outgoing(1000)));
    }),
];

fn to_be_segmented(payload: usize) -> Vec<u8> {
    let (header, frame) = Packet::outgoing(Protocol::Tcp4, payload).build_gso(1000);
    header.with(&frame)
}

fn write(bytes: Vec<u8>) {
    write_on(&Wire::jumbo(), bytes);
}

/// A frame that is refused is counted, and nothing of it leaves. Below the
/// driver, frames may be lost.
fn write_on(wire: &Wire, bytes: Vec<u8>) {
    let without = Holdings::settled();
    let tap = Tap::open(&wire.link);
    let holdings = Holdings::settled();
    each_fault(Faults::here(), &[ENOBUFS, ENOMEM, EFAULT], 4, |trial| {
        let before = wire.link.statistics();
        let written = trial.result_of(|| tap.write(&bytes));
        let sent = sent_so_far(wire);
        let after = wire.link.statistics();
        match written {
            Ok(length) => {
                assert_eq!(length, bytes.len());
                assert!(trial.injected || !sent.is_empty(), "not sent");
            }
            Err(_) => {
                assert!(sent.is_empty(), "sent all the same");
                // What tells that all was sent is one, too.
                assert_eq!(after.tx_packets - before.tx_packets, 1);
                assert_eq!(after.tx_dropped - before.tx_dropped, 1);
            }
        }
        wire.assert_both_ways(&tap);
        holdings.assert_back();
    });
    drop(tap);
    // A packet keeps the socket that it was sent through.
    without.assert_back();
}

/// What arrives at the peer of all that was sent until now.
fn sent_so_far(wire: &Wire) -> Vec<Vec<u8>> {
    let marker = frame::outgoing(77);
    PacketSocket::open(&wire.link, 0).send(&marker);
    let mut frames = Vec::new();
    loop {
        let frame = wire.peer.receive().frame;
        if frame == marker {
            return frames;
        }
        frames.push(frame);
    }
}

const READS: Bodies = &[
    ("read", || {
        read(&[EFAULT], |wire, _| {
            wire.peer.send(&frame::incoming(1000));
        })
    }),
    ("read of a long packet", || {
        read(&[EFAULT], |wire, _| {
            let (header, frame) = Packet::incoming(Protocol::Tcp4, 60_000).build_gso(1000);
            wire.peer.send_with(header, &frame);
        });
    }),
    ("read of a tagged frame", || {
        read(&[EFAULT], |wire, _| {
            let frame = frame::tagged(&frame::incoming(1000), 0x8100, 0x123);
            wire.peer.send(&frame);
        });
    }),
    ("read of a packet without checksum", || {
        // It may be dropped, and then there is none.
        read(&[EFAULT, EAGAIN], |wire, tap| {
            tap.set_offload(SEGMENTS).expect("TUNSETOFFLOAD");
            let (header, frame) = Packet::incoming(Protocol::Udp4, 1000).build_partial();
            wire.peer.send_with(header, &frame);
            tap.wait_readable();
            tap.set_offload(0).expect("TUNSETOFFLOAD");
        });
    }),
];

/// A frame that cannot be delivered is lost, and no other.
fn read(allowed: &'static [Errno], send: fn(&Wire, &Tap)) {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    let holdings = Holdings::settled();
    let mut buffer = vec![0xa5; 70_000];
    let mut lengths = Vec::new();
    each_fault(Faults::here(), allowed, 2, |trial| {
        send(&wire, &tap);
        tap.wait_readable();
        if let Ok(length) = trial.result_of(|| tap.read(&mut buffer)) {
            lengths.push(length);
        }
        tap.assert_empty();
        wire.assert_both_ways(&tap);
        assert_eq!(wire.peer.outstanding(), 0);
        holdings.assert_back();
    });
    lengths.dedup();
    assert_eq!(lengths.len(), 1, "lengths {lengths:?}");
}

const RECEIVES: Bodies = &[
    ("receive", || {
        receive(
            SEGMENTS,
            false,
            1,
            VnetHeader::default(),
            frame::incoming(1000),
        );
    }),
    ("receive to be segmented", || {
        let (header, frame) = Packet::incoming(Protocol::Tcp4, 20_000).build_gso(1000);
        receive(0, false, 20, header, frame);
    }),
    ("receive to be segmented, without checksums", || {
        let (header, frame) = Packet::incoming(Protocol::Tcp6, 20_000).build_gso(1000);
        receive(libc::TUN_F_CSUM, false, 20, header, frame);
    }),
    ("receive without checksum", || {
        let (header, frame) = Packet::incoming(Protocol::Udp4, 1000).build_partial();
        receive(0, false, 1, header, frame);
    }),
    ("receive what somebody else receives", || {
        let (header, frame) = Packet::incoming(Protocol::Udp4, 1000).build_partial();
        receive(0, true, 1, header, frame);
    }),
];

/// A packet comes in as a whole, or is dropped and counted.
fn receive(offload: u32, watched: bool, pieces: usize, header: VnetHeader, frame: Vec<u8>) {
    let (tun, lower) = Tun::new(LOWER);
    lower.set_up(true).expect("a link that is up");
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    link.set_up(true).expect("a link that is up");
    link.wait_operational();
    let tap = Tap::open(&link);
    tap.set_offload(offload).expect("TUNSETOFFLOAD");
    let _watcher = watched.then(|| PacketSocket::open(&lower, ALL));
    let holdings = Holdings::settled();
    let bytes = header.with(&frame);
    let plain = frame::incoming(200);
    let mut lost = 0;
    each_fault(Faults::here(), &[ENOMEM, ENOBUFS, EFAULT], 3, |trial| {
        let before = link.statistics();
        let sent = trial.result_of(|| tun.send(&bytes));
        let mut arrived = 0;
        while tap.read(&mut [0; 70_000]).is_ok() {
            arrived += 1;
        }
        let dropped = link.statistics().rx_dropped - before.rx_dropped;
        match sent {
            Ok(_) if trial.injected && arrived == 0 => {
                assert_eq!(dropped, 1);
                lost += 1;
            }
            Ok(_) => assert_eq!((arrived, dropped), (pieces, 0)),
            // It did not get here.
            Err(_) => assert_eq!((arrived, dropped), (0, 0)),
        }
        tun.send(&vnet::plain(&plain))
            .expect("a frame that is sent");
        frame::assert_same(&tap.receive_frame().1, &plain);
        holdings.assert_back();
    });
    ktap::figures(format!("{lost} times, it was dropped"));
    // Each piece takes memory of its own.
    assert!(pieces == 1 || lost > pieces);
}

/// Buffers come back used, whatever becomes of what is in them.
fn vhost(way: Way) {
    let mut setup = Setup::new(way);
    let count = if way == Way::Batch { 3 } else { 1 };
    let frames: Vec<_> = (0..count)
        .map(|more| frame::outgoing(3000 + more))
        .collect();
    let packets: Vec<_> = frames.iter().map(|frame| with_header(frame)).collect();
    let mut lost = 0;
    each_fault(
        Faults::of_thread(process::vhost_worker()),
        &[],
        4,
        |trial| {
            let returned = trial.run(|| {
                setup.vhost.post(&packets);
                let returned = wait_returned(&mut setup, count);
                process::wait_thread_asleep(process::vhost_worker());
                returned
            });
            let _ = trial.judge(Ok::<_, Errno>(()));
            let sent = sent_so_far(&setup.wire);
            assert!(sent.iter().all(|frame| frames.contains(frame)));
            assert!(trial.injected || sent.len() == count);
            if returned < count {
                // vhost could not write to the ring what it had done.
                assert!(trial.injected, "{returned} of {count} buffers came back");
                lost += 1;
                // Waits for buffers that the driver has.
                setup.vhost.detach();
                setup.vhost = crate::sys::vhost::Vhost::new(0);
                setup.vhost.attach(&setup.tap);
                trial.faults = Faults::of_thread(process::vhost_worker());
            }
            setup.vhost.send(&packets);
            assert_eq!(sent_so_far(&setup.wire), frames);
        },
    );
    ktap::figures(format!(
        "{lost} times, vhost could not say what it had done"
    ));
}

fn with_header(frame: &[u8]) -> Vec<u8> {
    [VnetHeader::default().with(&[0, 0]), frame.to_vec()].concat()
}

/// Buffers that come back. vhost stops at an error until it is kicked again.
fn wait_returned(setup: &mut Setup, count: usize) -> usize {
    const TRIES: usize = 200;
    let mut returned = 0;
    for _ in 0..TRIES {
        while setup.vhost.transmit.used().is_some() {
            returned += 1;
        }
        if returned == count {
            break;
        }
        sleep(Duration::from_millis(5));
        setup.vhost.transmit.publish();
    }
    returned
}
