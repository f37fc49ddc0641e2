// SPDX-License-Identifier: GPL-2.0
//! The cases, by what they look at.

use crate::driver::Driver;
use crate::ktap::Case;

mod aio;
mod attributes;
mod calls;
mod changes;
mod checksum;
mod containers;
mod drops;
mod dump;
mod endings;
mod faults;
mod features;
mod fileops;
mod filter;
mod gone;
mod gso_read;
mod gso_write;
mod headroom;
mod io_uring;
mod ioctl;
mod lengths;
mod lifecycle;
mod mac;
mod minors;
mod modes;
mod netlink;
mod netns;
mod notifications;
mod nowait;
mod opening;
mod poll;
mod queues;
mod races;
mod read;
mod receive;
mod samples;
pub mod scale;
mod sctp;
mod signals;
mod statistics;
mod stream;
mod stress;
mod sysfs;
mod topology;
mod transport;
mod unprivileged;
pub mod vhost;
mod vhost_soak;
mod vlan;
mod vnet_header;
mod write;

pub struct Group {
    pub name: &'static str,
    pub cases: fn(Driver) -> Vec<Case>,
}

macro_rules! groups {
    ($($module:ident),* $(,)?) => {
        &[$(Group { name: stringify!($module), cases: $module::cases }),*]
    };
}

pub const GROUPS: &[Group] = groups![
    lifecycle,
    ioctl,
    mac,
    read,
    write,
    receive,
    vnet_header,
    checksum,
    sctp,
    gso_write,
    gso_read,
    features,
    poll,
    signals,
    queues,
    races,
    vlan,
    headroom,
    transport,
    nowait,
    io_uring,
    aio,
    calls,
    opening,
    unprivileged,
    statistics,
    drops,
    modes,
    topology,
    fileops,
    minors,
    netns,
    containers,
    changes,
    gone,
    netlink,
    attributes,
    filter,
    dump,
    notifications,
    sysfs,
    vhost,
    vhost_soak,
    samples,
    stream,
    scale,
    stress,
    faults,
    endings
];
