// SPDX-License-Identifier: GPL-2.0
//! Links and nodes in containers, by a runtime, and as the macvtap plug-in for Kubernetes has
//! them (macvtap-cni, for virtual machines by KubeVirt).

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_route::link::{LinkAttribute, MacVtapMode};
use nix::errno::Errno;
use nix::sys::stat::{major, minor};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::container::{Container, Device, Running};
use crate::sys::link::{Link, Mac, Macvtap, LOWER, OTHER_MAC, PEER_MAC, TAP_MAC};
use crate::sys::netns::Netns;
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::sys::wait::{self, DEADLINE};

/// That of QEMU in KubeVirt.
const QEMU_USER: u32 = 107;

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = cases![
        node_made_by_the_runtime,
        node_made_inside,
        other_nodes_are_refused,
    ];
    cases.push(Case::new("pod_of_kubernetes", move || {
        pod_of_kubernetes(driver)
    }));
    cases
}

fn device(link: &Link) -> Device {
    let node = fs::metadata(link.node()).expect("the node");
    Device {
        major: major(node.rdev()),
        minor: minor(node.rdev()),
    }
}

/// Frames of many lengths reach the program there, and come back from its address.
fn assert_reflects(peer: &PacketSocket, address: Mac, container: &mut Running) {
    let exchange = |length, patience| {
        let mut frame = frame::raw(address, PEER_MAC, length);
        peer.send(&frame);
        frame[..6].copy_from_slice(&PEER_MAC);
        frame[6..12].copy_from_slice(&address);
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Some(received) = peer.receive_now() {
                if received.frame[6..12] == address {
                    frame::assert_same(&received.frame, &frame);
                    return true;
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    };
    // It takes a while to start.
    wait::until("a frame to come back", || {
        assert!(!container.has_ended(), "{:?}", container.end());
        exchange(60, Duration::from_millis(200))
    });
    for length in [14, 100, 1514] {
        assert!(exchange(length, DEADLINE), "{length} bytes");
    }
}

fn node_made_by_the_runtime() {
    let wire = Wire::new();
    let device = device(&wire.link);
    let mut container = Container {
        user: QEMU_USER,
        program: "exec reflect /dev/tap".into(),
        nodes: vec![("/dev/tap".into(), device)],
        allowed: vec![device],
        netns: None,
    }
    .run();
    assert_reflects(&wire.peer, TAP_MAC, &mut container);
    container.kill();
    wire.assert_both_ways(&Tap::open(&wire.link));
}

fn node_made_inside() {
    let wire = Wire::new();
    let device = device(&wire.link);
    let Device { major, minor } = device;
    let mut container = Container {
        user: 0,
        program: format!("mknod -m 600 /dev/mine c {major} {minor}; exec reflect /dev/mine"),
        nodes: vec![],
        allowed: vec![device],
        netns: None,
    }
    .run();
    assert_reflects(&wire.peer, TAP_MAC, &mut container);
}

/// By the control group, whoever made them. Runtimes let containers make any.
fn other_nodes_are_refused() {
    let wire = Wire::new();
    let other = wire.second(MacVtapMode::Bridge);
    let (device, other) = (device(&wire.link), device(&other));
    let Device { major, minor } = other;
    let mut container = Container {
        user: 0,
        program: format!(
            "mknod /dev/made c {major} {minor}
            reflect /dev/made || reflect /dev/other || exec reflect /dev/tap"
        ),
        nodes: vec![("/dev/tap".into(), device), ("/dev/other".into(), other)],
        allowed: vec![device],
        netns: None,
    }
    .run();
    assert_reflects(&wire.peer, TAP_MAC, &mut container);
    let said = container.kill();
    for words in ["reflect: /dev/made: ", "reflect: /dev/other: "] {
        let refused = format!("{words}Operation not permitted");
        assert!(said.contains(&refused), "it says {said}");
    }
}

/// What the device plug-in, the network plug-in and the runtime do, one after the other.
fn pod_of_kubernetes(driver: Driver) {
    const NAME: &str = "mt-net1";
    const MTU: u32 = 1400;

    let (lower, peer_link) = Link::veth();
    for link in [&lower, &peer_link] {
        link.set_up(true).expect("a link that is up");
    }
    let peer = PacketSocket::open(&peer_link, ALL);

    // The device plug-in makes the link, with a name of its own.
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    link.set_up(true).expect("a link that is up");
    let (index, device) = (link.index, device(&link));
    let node = link.node();

    // The network plug-in moves it to the pod's namespace, and makes it what the pod asks for.
    let home = Netns::current();
    let pod = Netns::another();
    let there = LinkAttribute::NetNsFd(pod.as_raw_fd());
    link.set(there).expect("the link to be moved");
    pod.enter();
    let moved = Link::of_name(&link.name).expect("the link in the pod");
    for attribute in [
        LinkAttribute::Mtu(MTU),
        LinkAttribute::Address(OTHER_MAC.to_vec()),
        LinkAttribute::IfName(NAME.into()),
    ] {
        moved.set(attribute).expect("a change");
    }
    let moved = Link::of_name(NAME).expect("the link by its new name");
    moved.set_up(true).expect("a link that is up");
    moved.wait_operational();
    assert_eq!(
        moved.index, index,
        "the index, which its node is named after"
    );
    home.enter();
    assert_eq!(link.get(), Err(Errno::ENODEV));

    // The runtime makes the node there, for a user without privileges.
    let mut container = Container {
        user: QEMU_USER,
        program: format!("exec reflect {node}"),
        nodes: vec![(node.clone(), device)],
        allowed: vec![device],
        netns: Some(format!("/proc/{}/fd/{}", process::id(), pod.as_raw_fd())),
    }
    .run();
    assert_reflects(&peer, OTHER_MAC, &mut container);

    // The network plug-in deletes the link while the program runs.
    pod.enter();
    moved.delete().expect("the link to be deleted");
    home.enter();
    if driver.has_our_tap() {
        let (status, said) = container.end();
        assert_eq!(
            (status, said.trim()),
            (Some(1), "reflect: read: Network is down")
        );
    } else {
        // Nobody tells it.
        container.kill();
    }
    assert!(!Path::new(&node).exists());
    let another = Macvtap::default().create(&lower);
    another.expect("another link");
    assert_eq!(
        Link::of_name(LOWER).expect("the lower device").index,
        lower.index
    );
}
