// SPDX-License-Identifier: GPL-2.0
//! What somebody without privileges can do, and cannot: with a file that he was
//! given, and in namespaces of his own.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::path::Path;

use netlink_packet_route::link::{LinkAttribute, LinkMessage, MacVtapMode};
use nix::errno::Errno::{EACCES, ENOLINK, EPERM};
use nix::sched::{unshare, CloneFlags};
use nix::sys::stat::{mknod, Mode, SFlag};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Wire};
use crate::sys::link::{Link, Macvtap, LOWER, OTHER_MAC, TAP, TAP2, TAP_MAC};
use crate::sys::module::Module;
use crate::sys::netlink::{self, Refusal};
use crate::sys::netns::Netns;
use crate::sys::process::{self, USER};
use crate::sys::tap::{IfReq, Tap};
use crate::sys::userns;
use crate::sys::vhost::{Vhost, HEADER_SIZE};
use crate::sys::wait;

const TAP_NO_PI: i32 = libc::IFF_TAP | libc::IFF_NO_PI;
const VHOST_NODE: &str = "/dev/vhost-net";

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        node_is_roots,
        node_of_a_user_is_enough,
        file_serves_every_request,
        file_carries_frames,
        file_serves_after_its_link_is_gone,
        file_is_enough_for_vhost,
        file_is_enough_in_a_user_namespace,
        links_need_capability,
        links_in_namespaces_of_ones_own,
        node_of_ones_own_link_is_roots,
        no_node_can_be_made,
        lower_device_must_be_in_ones_own_namespace,
        link_moved_in_is_ones_own,
        link_cannot_be_moved_out,
        links_end_with_their_namespace,
    ]
}

fn refused<T>() -> Result<T, Refusal> {
    Err(EPERM.into())
}

fn node_is_roots() {
    let lone = Lone::new();
    let node = fs::metadata(lone.link.node()).expect("the node");
    assert_eq!((node.uid(), node.gid(), node.mode() & 0o777), (0, 0, 0o600));
    process::unprivileged(|| {
        for flags in [0, libc::O_NONBLOCK] {
            assert_eq!(Tap::open_path(lone.link.node(), flags).err(), Some(EACCES));
        }
    });
}

/// Nothing but the node's permissions counts. libvirt gives nodes to QEMU's user.
fn node_of_a_user_is_enough() {
    let wire = Wire::new();
    chown(wire.link.node(), Some(USER), None).expect("another owner");
    process::unprivileged(|| {
        let tap = Tap::open(&wire.link);
        wire.assert_both_ways(&tap);
    });
    chown(wire.link.node(), Some(0), None).expect("another owner");
    fs::set_permissions(wire.link.node(), Permissions::from_mode(0o644)).expect("another mode");
    process::unprivileged(|| {
        let tap = Tap::open_reader(&wire.link);
        let frame = frame::incoming(100);
        wire.peer.send(&frame);
        frame::assert_same(&tap.receive_frame().1, &frame);
        assert_eq!(Tap::open_path(wire.link.node(), 0).err(), Some(EACCES));
    });
}

/// Also the one that changes the link's address. It changes it for everyone, so
/// that one might expect it to be privileged, as it is on a socket.
fn file_serves_every_request() {
    let lone = Lone::new();
    process::unprivileged(|| assert_serves_every_request(&lone.tap));
    assert_eq!(lone.link.address(), OTHER_MAC);
}

fn assert_serves_every_request(tap: &Tap) {
    let mut address = IfReq::with_address(libc::ARPHRD_ETHER, OTHER_MAC);
    assert_eq!(tap.ioctl(libc::SIOCSIFHWADDR, address.address()), Ok(()));
    let mut address = IfReq::new(0);
    assert_eq!(tap.ioctl(libc::SIOCGIFHWADDR, address.address()), Ok(()));
    assert_eq!(address.data[2..8], OTHER_MAC);

    assert_eq!(tap.set_flags(TAP_NO_PI), Ok(()));
    assert_eq!(tap.name_and_flags(), Ok((TAP.into(), TAP_NO_PI)));
    let all = TAP_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
    assert_eq!(tap.number(libc::TUNGETFEATURES), Ok(all));
    assert_eq!(tap.set_queue(libc::IFF_DETACH_QUEUE), Ok(()));
    assert_eq!(tap.set_queue(libc::IFF_ATTACH_QUEUE), Ok(()));
    assert_eq!(tap.set_offload(0x0f), Ok(()));
    // More than the socket layer gives to users.
    assert_eq!(tap.set_number(libc::TUNSETSNDBUF, i32::MAX), Ok(()));
    assert_eq!(tap.set_number(libc::TUNSETVNETHDRSZ, 12), Ok(()));
    assert_eq!(tap.number(libc::TUNGETVNETHDRSZ), Ok(12));
    assert_eq!(tap.set_number(libc::TUNSETVNETLE, 1), Ok(()));
    assert_eq!(tap.number(libc::TUNGETVNETLE), Ok(1));
}

fn file_carries_frames() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    process::unprivileged(|| wire.assert_both_ways(&tap));
}

fn file_serves_after_its_link_is_gone() {
    let Lone { tap, .. } = &Lone::orphan();
    process::unprivileged(|| {
        assert_eq!(tap.set_flags(TAP_NO_PI), Ok(()));
        assert_eq!(tap.set_number(libc::TUNSETVNETHDRSZ, 12), Ok(()));
    });
}

/// vhost-net has permissions of its own, and asks for none of those here.
fn file_is_enough_for_vhost() {
    let _vhost = Module::load("vhost_net", &[]);
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    process::unprivileged(|| assert!(fs::File::open(VHOST_NODE).is_err()));
    fs::set_permissions(VHOST_NODE, Permissions::from_mode(0o666)).expect("another mode");
    process::unprivileged(|| {
        tap.set_number(libc::TUNSETVNETHDRSZ, HEADER_SIZE as i32)
            .expect("TUNSETVNETHDRSZ");
        let mut vhost = Vhost::new(0);
        vhost.attach(&tap);
        let frame = frame::outgoing(100);
        vhost.send(&[[&[0; HEADER_SIZE][..], &frame].concat()]);
        frame::assert_same(&wire.peer.receive().frame, &frame);
        vhost.detach();
    });
}

/// Whether the link's namespace is one's own does not matter to who has a file.
fn file_is_enough_in_a_user_namespace() {
    let lone = Lone::new();
    userns::run_unprivileged(|_| (), || assert_serves_every_request(&lone.tap));
    assert_eq!(lone.link.address(), OTHER_MAC);
}

fn links_need_capability() {
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    let _open = Tap::open(&link);
    let another = || Macvtap {
        name: TAP2,
        ..Macvtap::default()
    };
    process::unprivileged(|| {
        assert_eq!(netlink::create(another().message(&lower)), refused());
        let mut change = link.message();
        change.attributes = vec![LinkAttribute::TxQueueLen(7)];
        assert_eq!(netlink::change(change), refused());
        let mode = Macvtap {
            mode: MacVtapMode::Vepa,
            ..Macvtap::default()
        };
        assert_eq!(netlink::change(mode.message(&lower)), refused());
        assert_eq!(netlink::delete(link.message()), refused());
        // Whoever likes may look.
        assert_eq!(link.address(), TAP_MAC);
        // In the namespace that the links are in, capabilities in another one
        // count for nothing.
        process::in_child(
            || {
                unshare(CloneFlags::CLONE_NEWUSER).expect("a user namespace");
                assert_eq!(netlink::create(another().message(&lower)), refused());
                assert_eq!(netlink::delete(link.message()), refused());
            },
            |_| (),
        );
    });
    assert!(link.get().is_ok());
}

fn links_in_namespaces_of_ones_own() {
    let home = Link::dummy(LOWER);
    userns::run_unprivileged(
        |_| (),
        || {
            let lower = Link::dummy(LOWER);
            let link = Macvtap::default().create(&lower).expect("a macvtap link");
            link.set(LinkAttribute::TxQueueLen(7)).expect("a change");
            link.set_up(true).expect("a link that is up");
            assert_eq!(link.address(), TAP_MAC);
            assert_eq!(link.delete(), Ok(()));
            assert!(!Path::new(&link.node()).exists());
        },
    );
    assert!(home.get().is_ok());
}

/// There is one /dev for all namespaces, and its nodes are root's.
fn node_of_ones_own_link_is_roots() {
    userns::run_unprivileged(
        |_| (),
        || {
            let lower = Link::dummy(LOWER);
            let link = Macvtap::default().create(&lower).expect("a macvtap link");
            assert!(Path::new(&link.node()).exists());
            assert_eq!(Tap::open_path(link.node(), 0).err(), Some(EACCES));
            assert!(chown(link.node(), Some(USER), None).is_err());
        },
    );
}

fn no_node_can_be_made() {
    let lone = Lone::new();
    let number = fs::metadata(lone.link.node()).expect("the node").rdev();
    userns::run_unprivileged(
        |_| (),
        || {
            let made = mknod("/tmp/mt-node", SFlag::S_IFCHR, Mode::S_IRWXU, number);
            assert_eq!(made, Err(EPERM));
        },
    );
}

/// One of another namespace can only be named by what that one is called here.
fn lower_device_must_be_in_ones_own_namespace() {
    const HOME: i32 = 7;
    let lower = Link::dummy(LOWER);
    let home = Netns::current();
    userns::run_unprivileged(
        |netns| {
            netns.enter();
            netlink::number_netns(&home, HOME);
            home.enter();
        },
        || {
            let message = Macvtap::default().message(&lower);
            assert!(netlink::create(message.clone()).is_err());
            let mut message = message;
            message.attributes.push(LinkAttribute::LinkNetNsId(HOME));
            assert_eq!(netlink::create(message), refused());
            assert!(Link::of_name(TAP).is_err());
        },
    );
    assert!(lower.get().is_ok());
}

/// As a runtime of containers does it. The lower device stays where it was.
fn link_moved_in_is_ones_own() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    userns::run_unprivileged(
        |netns| move_link(&wire.link, netns),
        || {
            let link = Link::of_name(TAP).expect("the link");
            link.set(LinkAttribute::Address(OTHER_MAC.to_vec()))
                .expect("another address");
            assert_serves_every_request(&tap);
            let name = LinkAttribute::IfName("mt-mine".into());
            link.set(name).expect("another name");
            assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, "mt-mine");
            assert_eq!(netlink::delete(link.message()), Ok(()));
            assert_eq!(tap.name_and_flags(), Err(ENOLINK));
        },
    );
    assert!(wire.lower.get().is_ok());
}

fn link_cannot_be_moved_out() {
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    let home = Netns::current();
    userns::run_unprivileged(
        |netns| move_link(&link, netns),
        || {
            let link = Link::of_name(TAP).expect("the link");
            let out = LinkAttribute::NetNsFd(home.as_raw_fd());
            let mut message: LinkMessage = link.message();
            message.attributes = vec![out];
            assert_eq!(netlink::change(message), refused());
            assert!(link.get().is_ok());
        },
    );
    assert!(lower.get().is_ok());
}

fn move_link(link: &Link, netns: &Netns) {
    let there = LinkAttribute::NetNsFd(netns.as_raw_fd());
    link.set(there).expect("the link to be moved");
}

/// The files of them stay open, and serve nobody any more.
fn links_end_with_their_namespace() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    userns::run_unprivileged(|netns| move_link(&wire.link, netns), || ());
    wait::until("the namespace to go", || {
        tap.name_and_flags() == Err(ENOLINK)
    });
    process::unprivileged(|| {
        assert_eq!(tap.set_number(libc::TUNSETVNETHDRSZ, 12), Ok(()));
    });
}
