// SPDX-License-Identifier: GPL-2.0
//! Frames by vhost-net, from the kick or a peer's send until all buffers are used. All
//! that its thread does counts, and that it is woken.

use std::thread;
use std::time::Duration;

use super::meter::Meter;
use super::segment::{incoming, outgoing, Segment, Sink};
use crate::groups::vhost::Way;
use crate::sys::clock;
use crate::sys::vhost::{Vhost, HEADER_SIZE};
use crate::vnet;

/// As many frames as vhost hands over at once.
const BATCH: usize = 64;
/// Fewer, so that a round is short.
const SINGLE: usize = 16;

pub fn measure(meter: &mut Meter) {
    for length in [60, 1500] {
        let single = format!("vhost send {length} B, single");
        send(meter, &single, Way::Single, length, (SINGLE, 1));
        let batch = format!("vhost send {length} B, batch of {BATCH}");
        send(meter, &batch, Way::Batch, length, (BATCH, BATCH));
        receive(meter, &format!("vhost receive {length} B"), length);
    }
    for length in [1500, 9000, 65_000] {
        zero_copy(meter, length);
    }
}

fn packet(length: usize) -> Vec<u8> {
    [&[0; HEADER_SIZE][..], &outgoing(length)].concat()
}

fn send(meter: &mut Meter, name: &str, way: Way, length: usize, counts: (usize, usize)) {
    if meter.wants(name, true) {
        let _module = way.load_module();
        let segment = Segment::new();
        let (mut vhost, _tap) = way.attach(&segment.link);
        send_rounds(meter, name, &mut vhost, length, counts);
    }
}

/// To a device that sends pages as they are: a wire would copy them.
fn zero_copy(meter: &mut Meter, length: usize) {
    let name = format!("vhost send {length} B, zero copy");
    if meter.wants(&name, length == 1500) {
        let _module = Way::ZeroCopy.load_module();
        let sink = Sink::new();
        let (mut vhost, _tap) = Way::ZeroCopy.attach(&sink.link);
        send_rounds(meter, &name, &mut vhost, length, (SINGLE, 1));
    }
}

/// So many frames, of which so many are made available at once.
fn send_rounds(
    meter: &mut Meter,
    name: &str,
    vhost: &mut Vhost,
    length: usize,
    (frames, at_once): (usize, usize),
) {
    let packet = packet(length);
    for _ in 0..meter.rounds() {
        let mut spent = Duration::ZERO;
        for _ in 0..frames / at_once {
            for _ in 0..at_once {
                vhost.transmit.put(&packet, &[packet.len()]);
            }
            let start = clock::elapsed();
            vhost.transmit.publish();
            vhost.transmit.sleep_until_all_used();
            spent += clock::elapsed() - start;
            while vhost.transmit.used().is_some() {}
        }
        meter.add_time(name, frames, spent);
    }
}

fn receive(meter: &mut Meter, name: &str, length: usize) {
    if !meter.wants(name, true) {
        return;
    }
    let _module = Way::Batch.load_module();
    let segment = Segment::new();
    let (mut vhost, _tap) = Way::Batch.attach(&segment.link);
    let bytes = vnet::plain(&incoming(length));
    for _ in 0..meter.rounds() {
        vhost.offer(BATCH as u16, HEADER_SIZE + length);
        // Until vhost has seen that there is nothing to put into them.
        thread::sleep(Duration::from_millis(1));
        meter.time(name, BATCH, || {
            for _ in 0..BATCH {
                segment.inject(&bytes);
            }
            vhost.receive.sleep_until_all_used();
        });
        while vhost.receive.used().is_some() {}
    }
}
