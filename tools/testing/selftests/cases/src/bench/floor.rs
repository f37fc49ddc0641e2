// SPDX-License-Identifier: GPL-2.0
//! What no driver has a part in.

use std::fs::File;
use std::hint::black_box;
use std::os::fd::OwnedFd;

use super::meter::Meter;
use crate::sys::tap::Tap;

const BURST: usize = 64;
/// A short frame with its header.
const LENGTH: usize = 70;

const LOOP: &str = "floor: empty loop";
const WRITE: &str = "floor: write to /dev/null";
const READ: &str = "floor: read from /dev/zero";

pub fn measure(meter: &mut Meter) {
    if !meter.wants_any(&[LOOP, WRITE, READ], true) {
        return;
    }
    let mut buffer = [0; LENGTH];
    let null = Tap::from(OwnedFd::from(
        File::options().write(true).open("/dev/null").expect("null"),
    ));
    let zero = Tap::from(OwnedFd::from(File::open("/dev/zero").expect("zero")));
    for _ in 0..meter.rounds() {
        meter.time(LOOP, BURST, || {
            for pass in 0..BURST {
                black_box(pass);
            }
        });
        meter.repeat(WRITE, BURST, || {
            assert_eq!(null.write(&buffer), Ok(LENGTH));
        });
        meter.repeat(READ, BURST, || {
            assert_eq!(zero.read(&mut buffer), Ok(LENGTH));
        });
    }
}
