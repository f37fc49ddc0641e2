// SPDX-License-Identifier: GPL-2.0
//! Links that are made and deleted, and whether that takes longer when there are many.

use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use super::meter::Meter;
use crate::groups::scale::mac;
use crate::sys::link::{Link, Macvtap, LOWER};
use crate::sys::netlink::Request;
use crate::sys::{process, wait};

/// Those that are measured, of so many, are the last ones.
const NUMBERS: [usize; 4] = [1, 10, 100, 1000];
const LAST: usize = 10;

/// A cold one, and warm ones.
const LARGE_ROUNDS: usize = 4;

pub fn measure(meter: &mut Meter) {
    for number in NUMBERS {
        let [create, delete] =
            ["create", "delete"].map(|path| format!("{path} a link, {number} there"));
        if meter.wants_any(&[&create, &delete], number == 1) {
            let rounds = match number {
                1000.. => LARGE_ROUNDS,
                _ => meter.rounds(),
            };
            // They are the same in all rounds, and so are the tables that have them.
            let lower = Link::dummy(LOWER);
            let last = LAST.min(number);
            let others = number - last;
            let make = |range: std::ops::Range<usize>| -> Vec<_> {
                range.map(|number| create_request(&lower, number)).collect()
            };
            make(0..others).iter().for_each(done);
            process::wait_idle();
            for _ in 0..rounds {
                let create_requests = make(others..number);
                let delete_requests: Vec<_> = (others..number).rev().map(delete_request).collect();
                meter.time_awake(&create, last, || create_requests.iter().for_each(done));
                meter.time_awake(&delete, last, || delete_requests.iter().for_each(done));
                wait::grace_period();
            }
        }
    }
}

fn name(number: usize) -> String {
    format!("mt-s{number}")
}

fn create_request(lower: &Link, number: usize) -> Request {
    let link = Macvtap {
        name: name(number).leak(),
        address: mac(number),
        ..Macvtap::default()
    };
    Request::create(link.message(lower))
}

fn delete_request(number: usize) -> Request {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name(number)));
    Request::delete(message)
}

fn done(request: &Request) {
    request.send().expect("a request that is sent");
    request.answer().expect("a request that is done");
}
