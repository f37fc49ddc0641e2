// SPDX-License-Identifier: GPL-2.0
//! The link's hardware address through the file.

use netlink_packet_route::link::{LinkAttribute, MacVtapMode};
use nix::errno::Errno;
use nix::unistd::{setresgid, setresuid, Gid, Uid};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Wire};
use crate::sys::link::{Mac, Macvtap, PEER_MAC, TAP2_MAC, TAP_MAC};
use crate::sys::tap::{IfReq, Tap};

const NEW_MAC: Mac = [0x02, 0, 0, 0, 0, 0x77];

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        get_returns_name_and_address,
        get_clears_what_it_does_not_use,
        get_follows_the_link,
        set_changes_the_link,
        set_ignores_the_name,
        set_moves_the_frames,
        set_to_its_own,
        set_to_a_siblings,
        set_in_passthru_mode_reaches_the_lower_device,
        set_needs_no_privilege,
    ]
}

fn get(tap: &Tap) -> IfReq {
    let mut request = IfReq {
        name: [0xa5; 16],
        data: [0xa5; 24],
    };
    tap.ioctl(libc::SIOCGIFHWADDR, request.address())
        .expect("SIOCGIFHWADDR");
    request
}

fn address_of(request: &IfReq) -> &[u8] {
    &request.data[2..8]
}

fn set(tap: &Tap, address: Mac) -> nix::Result<()> {
    let mut request = IfReq::with_address(libc::ARPHRD_ETHER, address);
    tap.ioctl(libc::SIOCSIFHWADDR, request.address())
}

fn get_returns_name_and_address() {
    let lone = Lone::new();
    let answer = get(&lone.tap);
    assert_eq!(answer.name(), lone.link.name);
    assert_eq!(answer.flags(), i32::from(libc::ARPHRD_ETHER));
    assert_eq!(address_of(&answer), TAP_MAC);
}

/// Nothing of the kernel's stack may leak.
fn get_clears_what_it_does_not_use() {
    let answer = get(&Lone::new().tap);
    assert_eq!(answer.data[8..16], [0; 8]);
    assert_eq!(answer.data[16..], [0xa5; 8], "beyond the address");
}

fn get_follows_the_link() {
    let lone = Lone::new();
    let attribute = LinkAttribute::Address(NEW_MAC.to_vec());
    lone.link.set(attribute).expect("a new address");
    assert_eq!(address_of(&get(&lone.tap)), NEW_MAC);
}

fn set_changes_the_link() {
    let lone = Lone::new();
    set(&lone.tap, NEW_MAC).expect("SIOCSIFHWADDR");
    assert_eq!(lone.link.address(), NEW_MAC);
    assert_eq!(address_of(&get(&lone.tap)), NEW_MAC);
}

fn set_ignores_the_name() {
    let lone = Lone::new();
    let mut request = IfReq::with_address(libc::ARPHRD_ETHER, NEW_MAC);
    request.name = [b'x'; 16];
    lone.tap
        .ioctl(libc::SIOCSIFHWADDR, request.address())
        .expect("SIOCSIFHWADDR");
    assert_eq!(lone.link.address(), NEW_MAC);
}

fn set_moves_the_frames() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    set(&tap, NEW_MAC).expect("SIOCSIFHWADDR");
    wire.peer.send(&frame::incoming(60));
    let frame = frame::raw(NEW_MAC, PEER_MAC, 61);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    tap.assert_empty();
}

fn set_to_its_own() {
    let lone = Lone::new();
    assert_eq!(set(&lone.tap, TAP_MAC), Ok(()));
    assert_eq!(lone.link.address(), TAP_MAC);
}

fn set_to_a_siblings() {
    let wire = Wire::new();
    let _sibling = wire.second(MacVtapMode::Bridge);
    let tap = Tap::open(&wire.link);
    assert_eq!(set(&tap, TAP2_MAC), Err(Errno::EADDRINUSE));
    assert_eq!(wire.link.address(), TAP_MAC);
}

fn set_in_passthru_mode_reaches_the_lower_device() {
    let wire = Wire::with(Macvtap {
        mode: MacVtapMode::Passthrough,
        ..Macvtap::default()
    });
    let tap = Tap::open(&wire.link);
    set(&tap, NEW_MAC).expect("SIOCSIFHWADDR");
    assert_eq!(wire.link.address(), NEW_MAC);
    assert_eq!(wire.lower.address(), NEW_MAC);
}

/// Who was given the file may use it: a virtual machine monitor has dropped
/// its privileges by the time that its guest changes the address.
fn set_needs_no_privilege() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (user, group) = (Uid::from_raw(1000), Gid::from_raw(1000));
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(group, group, root.1).expect("setresgid");
    setresuid(user, user, root.0).expect("setresuid");
    let unprivileged = Tap::open_path(wire.link.node(), 0).err();
    let done = set(&tap, NEW_MAC);
    setresuid(root.0, root.0, root.0).expect("setresuid");
    setresgid(root.1, root.1, root.1).expect("setresgid");
    assert_eq!(unprivileged, Some(Errno::EACCES));
    assert_eq!(done, Ok(()));
    assert_eq!(wire.link.address(), NEW_MAC);
}
