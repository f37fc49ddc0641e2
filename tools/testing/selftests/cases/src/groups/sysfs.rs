// SPDX-License-Identifier: GPL-2.0
//! What sysfs says of a link and its node, compared between the drivers file by
//! file.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno::{self, EACCES, EINVAL, EOPNOTSUPP, ERANGE};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::show;
use crate::sys::link::Link;
use crate::sys::tap::Tap;
use crate::sys::uevent::Uevents;

/// What is written to a file of the link, and what becomes of it.
#[rustfmt::skip]
const WRITES: &[(&str, &str, nix::Result<&str>)] = &[
    ("tx_queue_len", "7", Ok("7")),
    ("tx_queue_len", "0", Ok("0")),
    ("tx_queue_len", "32767", Ok("32767")),
    ("tx_queue_len", "32768", Err(ERANGE)),
    ("tx_queue_len", "-1", Err(EINVAL)),
    ("tx_queue_len", "long", Err(EINVAL)),
    ("mtu", "68", Ok("68")),
    ("mtu", "67", Err(EINVAL)),
    ("mtu", "1501", Err(EINVAL)),
    ("flags", "0x1102", Ok("0x1102")),
    ("ifalias", "an alias", Ok("an alias")),
    ("netdev_group", "12", Ok("12")),
    ("proto_down", "1", Ok("1")),
    ("carrier", "0", Err(EOPNOTSUPP)),
    ("gro_flush_timeout", "1000", Ok("1000")),
    ("threaded", "1", Err(EOPNOTSUPP)),
    ("address", "02:00:00:00:00:01", Err(EACCES)),
];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = cases![
        of_a_link,
        of_the_class,
        long_queue_by_file_is_a_long_ring,
        event_on_demand,
    ];
    for &(file, text, result) in WRITES {
        let name = format!("{file} {text}: {result:?}");
        cases.push(Case::new(name, move || assert_write(file, text, result)));
    }
    cases
}

fn of(link: &Link) -> PathBuf {
    Path::new("/sys/class/net").join(&link.name)
}

fn of_a_link() {
    let (link, lower) = show::links();
    show::directory("link", &of(&link));
    show::directory("lower", &of(&lower));
}

fn of_the_class() {
    let (_link, _lower) = show::links();
    show::directory("class", Path::new("/sys/class/macvtap"));
}

fn assert_write(file: &str, text: &str, result: nix::Result<&str>) {
    let (link, _lower) = show::links();
    let file = of(&link).join(file);
    let before = fs::read_to_string(&file).ok();
    // Opened and written as echo does.
    let written = OpenOptions::new()
        .write(true)
        .open(&file)
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)));
    assert_eq!(written, result.map(drop));
    let after = fs::read_to_string(&file).ok();
    match result {
        Ok(text) => assert_eq!(after, Some(format!("{text}\n"))),
        Err(_) => assert_eq!(after, before),
    }
}

fn long_queue_by_file_is_a_long_ring() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in [3, 9] {
        fs::write(of(&wire.link).join("tx_queue_len"), length.to_string()).expect("a length");
        let before = wire.link.statistics().rx_packets;
        for _ in 0..20 {
            wire.peer.send(&frame::incoming(60));
        }
        wire.wait_received(before + 20);
        for _ in 0..length {
            tap.receive();
        }
        tap.assert_empty();
    }
}

/// As `udevadm trigger` asks for it.
fn event_on_demand() {
    let (link, _lower) = show::links();
    let events = Uevents::open();
    let device = format!("/sys/class/macvtap/tap{}", link.index);
    fs::write(Path::new(&device).join("uevent"), "change").expect("a request");
    show::event(&events.next_of("macvtap"));
}
