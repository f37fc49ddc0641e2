// SPDX-License-Identifier: GPL-2.0
//! Frames of many flows, spread over several queues.

use super::meter::Meter;
use super::segment::Segment;
use crate::frame::{Packet, Protocol};
use crate::sys::tap::Tap;
use crate::vnet;

const QUEUES: [usize; 3] = [1, 2, 8];
const FLOWS: u16 = 32;

/// UDP, so that a frame has 60 bytes.
const PAYLOAD: usize = 60 - 42;

pub fn measure(meter: &mut Meter) {
    for queues in QUEUES {
        let [inject, read] =
            ["inject", "read"].map(|path| format!("{path} 60 B, queues: {queues}"));
        if !meter.wants_any(&[&inject, &read], queues == 2) {
            continue;
        }
        let segment = Segment::new();
        let taps: Vec<_> = (0..queues).map(|_| Tap::open(&segment.link)).collect();
        let flows: Vec<_> = (0..FLOWS).map(frame).collect();
        let mut buffer = [0; 2048];
        // Which queue a flow goes to is the kernel's choice, and stays the same.
        flows.iter().for_each(|bytes| segment.inject(bytes));
        let shares: Vec<_> = taps
            .iter()
            .map(|tap| (0..).take_while(|_| tap.read(&mut buffer).is_ok()).count())
            .collect();
        assert_eq!(shares.iter().sum::<usize>(), flows.len());
        for _ in 0..meter.rounds() {
            meter.time(&inject, flows.len(), || {
                for bytes in &flows {
                    segment.inject(bytes);
                }
            });
            meter.time(&read, flows.len(), || {
                for (tap, &share) in taps.iter().zip(&shares) {
                    for _ in 0..share {
                        assert_eq!(tap.read(&mut buffer), Ok(flows[0].len()));
                    }
                }
            });
        }
    }
}

fn frame(flow: u16) -> Vec<u8> {
    let packet = Packet {
        source_port: 4000 + flow,
        ..Packet::incoming(Protocol::Udp4, PAYLOAD)
    };
    vnet::plain(&packet.build())
}
