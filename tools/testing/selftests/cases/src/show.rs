// SPDX-License-Identifier: GPL-2.0
//! What the kernel tells of links, as lines to be compared between drivers.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use crate::ktap;
use crate::sys::link::{Link, Mac, Macvtap, LOWER};
use crate::sys::uevent::Event;

/// What is shown is the same in every run.
const LOWER_INDEX: u32 = 6001;
const INDEX: u32 = 6002;
const LOWER_MAC: Mac = [2, 0, 0, 0, 0, 0x40];

pub fn lower() -> Link {
    Link::dummy_of(LOWER, LOWER_INDEX, LOWER_MAC)
}

pub fn macvtap() -> Macvtap {
    Macvtap {
        index: INDEX,
        ..Macvtap::default()
    }
}

/// A macvtap link and its lower device.
pub fn links() -> (Link, Link) {
    let lower = lower();
    (macvtap().create(&lower).expect("a link"), lower)
}

/// Every attribute, but those that the protocol families add to any link.
pub fn link(title: &str, message: &LinkMessage) {
    ktap::data(format_args!("{title}: {:?}", message.header));
    for attribute in &message.attributes {
        if !matches!(
            attribute,
            LinkAttribute::AfSpecUnspec(_) | LinkAttribute::AfSpecUnknown(_)
        ) {
            ktap::data(format_args!("{title}: {attribute:?}"));
        }
    }
}

/// Numbers of devices are the driver's choice, those of events go on.
pub fn event(event: &Event) {
    for (key, value) in event {
        match key.as_str() {
            "SEQNUM" => (),
            "MAJOR" | "MINOR" => ktap::data(key),
            _ => ktap::data(format_args!("{key}={value}")),
        }
    }
}

/// Every file below a directory: its mode, and what it holds or points to.
pub fn directory(title: &str, path: &Path) {
    let mut entries: Vec<_> = fs::read_dir(path)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let metadata = fs::symlink_metadata(&path).expect("a file");
        let name = path.display();
        let mode = metadata.mode();
        let content = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("a link").display())
        } else if metadata.is_dir() {
            String::new()
        } else {
            match fs::read_to_string(&path) {
                Ok(_) if path.ends_with("dev") => "a device number".into(),
                Ok(content) => {
                    let known = |line: &&str| !line.starts_with("MINOR=");
                    format!("{:?}", content.lines().filter(known).collect::<Vec<_>>())
                }
                Err(error) => error.to_string(),
            }
        };
        ktap::data(format_args!("{title}: {mode:o} {name} {content}"));
        if metadata.is_dir() {
            directory(title, &path);
        }
    }
}
