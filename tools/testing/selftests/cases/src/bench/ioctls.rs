// SPDX-License-Identifier: GPL-2.0
//! Each ioctl. Those that set something set it to what it is.

use super::meter::Meter;
use crate::setup::Lone;
use crate::sys::link::TAP_MAC;
use crate::sys::process;
use crate::sys::tap::IfReq;
use crate::vnet;

const BURST: usize = 32;

/// What comes with a request.
enum Argument {
    Interface(IfReq),
    Number(i32),
    /// Itself.
    Value(usize),
}

use Argument::{Interface, Number, Value};

/// Whether the kernel knows header of the other byte order is a matter of its
/// configuration: then the answer is an error, on both sides.
fn requests() -> Vec<(&'static str, u64, Argument)> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let address = IfReq::with_address(libc::ARPHRD_ETHER, TAP_MAC);
    vec![
        ("TUNSETIFF", libc::TUNSETIFF, Interface(IfReq::new(flags))),
        ("TUNGETIFF", libc::TUNGETIFF, Interface(IfReq::new(0))),
        ("TUNGETFEATURES", libc::TUNGETFEATURES, Number(0)),
        ("TUNSETSNDBUF", libc::TUNSETSNDBUF, Number(i32::MAX)),
        ("TUNSETOFFLOAD", libc::TUNSETOFFLOAD, Value(0)),
        (
            "SIOCGIFHWADDR",
            libc::SIOCGIFHWADDR,
            Interface(IfReq::new(0)),
        ),
        ("SIOCSIFHWADDR", libc::SIOCSIFHWADDR, Interface(address)),
        ("TUNGETVNETHDRSZ", libc::TUNGETVNETHDRSZ, Number(0)),
        (
            "TUNSETVNETHDRSZ",
            libc::TUNSETVNETHDRSZ,
            Number(vnet::SIZE as i32),
        ),
        ("TUNGETVNETLE", libc::TUNGETVNETLE, Number(0)),
        ("TUNSETVNETLE", libc::TUNSETVNETLE, Number(0)),
        ("TUNGETVNETBE", libc::TUNGETVNETBE, Number(0)),
        ("TUNSETVNETBE", libc::TUNSETVNETBE, Number(0)),
    ]
}

pub fn measure(meter: &mut Meter) {
    let lone = Lone::new();
    process::wait_idle();
    for (name, request, mut argument) in requests() {
        let name = format!("ioctl {name}");
        if !meter.wants(&name, true) {
            continue;
        }
        let argument = match &mut argument {
            Interface(request) => request.address(),
            Number(number) => &raw mut *number as usize,
            Value(value) => *value,
        };
        let first = lone.tap.ioctl(request, argument);
        for _ in 0..meter.rounds() {
            meter.repeat(&name, BURST, || {
                assert_eq!(lone.tap.ioctl(request, argument), first);
            });
        }
    }
}
