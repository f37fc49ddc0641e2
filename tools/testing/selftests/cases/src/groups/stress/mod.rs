// SPDX-License-Identifier: GPL-2.0
//! Everything at the same time as everything else: who uses files, links, rings and modules
//! meets who changes, closes and deletes them, on two processors, with frames both ways.
//!
//! Each case is a race. It is over when each of its actors has done so much, says how much
//! that was, and leaves a device that works, and no reference, queue or node.
//!
//! | race                                                          | where                |
//! |---------------------------------------------------------------|----------------------|
//! | open, deleted link, its node and a stale one                  | opened and deleted   |
//! | open, new link                                                | opened and deleted   |
//! | close, received frames                                        | closed under flood   |
//! | attach and detach, received frames, read                      | attached and detached; races |
//! | detach, close, deleted link                                   | detached, closed and deleted |
//! | deleted link, those who wait                                  | told; group gone     |
//! | moved link, open, ioctl, frames; index taken there            | moved                |
//! | two namespaces, one index                                     | one index twice      |
//! | namespace that goes, open file, vhost                         | namespace gone       |
//! | unloaded modules, open, close, packets under way              | unloaded; group modules |
//! | ring length, frames, read, poll, vhost                        | resized; vhost attached |
//! | offloads, long packets, features below                        | offloads switched    |
//! | header on and off, its size and byte order, read, write, vhost | headers switched; vhost attached; races |
//! | short send buffer, writers that wait, signal, deleted link    | send buffer          |
//! | address by ioctl and netlink, frames                          | address              |
//! | vhost attached, detached, queue closed, owner killed          | vhost attached, vhost ended; group vhost_soak |
//! | vhost without copies, deleted link, close                     | vhost ended          |
//! | device below deleted                                          | lower deleted        |
//! | device below changed: MTU, features, carrier, address         | lower changed        |
//! | name, alternative name, TUNGETIFF                             | renamed              |
//! | descriptors copied, passed on and closed, others read         | descriptors, readers of one file |
//! | several readers of one file; of several queues                | readers of one file, readers of many queues |
//! | readers of the same memory, through several links             | readers of the same frames |
//! | frames on several processors, one queue                       | received by two processors |
//! | signals; stopped, frozen and traced processes                 | readers of one file; stopped |
//! | processes killed in calls that wait                           | killed               |
//! | io_uring, deleted link, cancelled requests, ring that goes    | io_uring             |
//! | write, link down                                              | down and up          |
//! | memory that changes, goes, or is not there yet                | changing memory, absent memory |
//! | as many files as can be                                       | limit                |
//! | mode, frames                                                  | modes changed        |
//! | links that cannot be made, frames                             | refused; group faults |

mod links;
mod queues;
mod race;
mod traffic;
mod users;
mod vhost;

use std::time::Duration;

use netlink_packet_route::link::MacVtapMode;

use super::vhost::Way;
use crate::driver::Driver;
use crate::holdings::Holdings;
use crate::ktap::Case;
use crate::sys::module;
use crate::sys::rcu::Expedited;

/// A machine that finds faults does more, and takes longer for it.
const LONGER: Duration = Duration::from_secs(240);

const RACES: &[(&str, fn())] = &[
    ("opened and deleted", links::opened_and_deleted),
    ("closed under flood", queues::closed_under_flood),
    ("attached and detached", queues::attached_and_detached),
    (
        "detached, closed and deleted",
        links::detached_closed_and_deleted,
    ),
    ("moved", links::moved),
    ("namespace gone", links::namespace_gone),
    ("resized", queues::resized),
    ("offloads switched", queues::offloads_switched),
    ("headers switched", queues::headers_switched),
    ("address", queues::address),
    ("lower deleted", links::lower_deleted),
    ("lower changed", || {
        links::lower_changed(MacVtapMode::Bridge)
    }),
    ("lower changed, passthru", || {
        links::lower_changed(MacVtapMode::Passthrough)
    }),
    ("renamed", links::renamed),
    ("descriptors", users::descriptors),
    ("readers of one file", users::readers_of_one_file),
    ("readers of many queues", users::readers_of_many_queues),
    (
        "readers of the same frames",
        users::readers_of_the_same_frames,
    ),
    (
        "received by two processors",
        users::received_by_two_processors,
    ),
    ("stopped", users::stopped),
    ("killed", users::killed),
    ("down and up", links::down_and_up),
    ("changing memory", users::changing_memory),
    ("absent memory", users::absent_memory),
    ("limit", queues::limit),
    ("modes changed", links::modes_changed),
    ("refused", links::refused),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let told = driver.has_our_tap();
    let mut cases: Vec<_> = RACES
        .iter()
        .map(|&(name, body)| race(name.into(), body))
        .collect();
    cases.push(race("one index twice".into(), move || {
        links::one_index_twice(driver)
    }));
    cases.push(race("send buffer".into(), move || {
        queues::send_buffer(told)
    }));
    cases.push(race("io_uring".into(), move || users::io_uring(told)));
    if told {
        cases.push(race("told".into(), users::told));
    }
    for way in Way::ALL {
        cases.push(race(format!("vhost attached: {way:?}"), move || {
            vhost::attached(way)
        }));
        // In C, vhost may then wait for ever for its pages.
        if told || way != Way::ZeroCopy {
            cases.push(race(format!("vhost ended: {way:?}"), move || {
                vhost::ended(way)
            }));
            let name = format!("vhost, namespace gone: {way:?}");
            cases.push(race(name, move || vhost::namespace_gone(way)));
        }
    }
    // None for what is built in.
    if module::references("macvtap").is_some() {
        cases.push(race("unloaded".into(), links::unloaded));
    }
    cases
}

fn race(name: String, body: impl Fn() + 'static) -> Case {
    let all_as_before = move || {
        let _expedited = Expedited::new();
        let before = Holdings::settled();
        body();
        before.assert_modules_back();
    };
    Case::new(name, all_as_before).longer(LONGER)
}
