// SPDX-License-Identifier: GPL-2.0

//! Which queue a frame goes to.

use super::{
    frame::Frame,
    random::Random, //
};
use crate::device::choose;
use kernel::prelude::*;
use kernel_net::{
    kunit::loopback,
    net::SkBuff, //
};

const CASES: u64 = 5000;

/// What `tap_get_queue()` does, its way.
fn in_c(count: u32, hash: u32, rx_queue: Option<u16>) -> Option<u32> {
    if count == 0 {
        return None;
    }
    if count == 1 {
        return Some(0);
    }
    if hash != 0 {
        return Some(hash % count);
    }
    let Some(queue) = rx_queue else {
        return Some(0);
    };
    let mut queue = u32::from(queue);
    while queue >= count {
        queue -= count;
    }
    Some(queue)
}

/// Makes a packet as one that was just received.
fn received(frame: &Frame) -> Result<SkBuff> {
    let mut skb = frame.to_skb()?;
    skb.set_received_by(loopback());
    Ok(skb)
}

/// Returns whether a case comes out as in C.
fn agrees(case: u64, frame: &Frame) -> Result<bool> {
    let mut random = Random::new(case);
    let count = random.pick(&[0, 1, 2, 3, 7, 255, 256]);
    let any = random.next() as u32;
    let hash = random.pick(&[0, 1, 255, 256, u32::MAX, any]);
    let rx_queue = random.pick(&[None, Some(0), Some(1), Some(255), Some(256), Some(0xfffe)]);
    let mut skb = received(frame)?;
    skb.set_flow(hash, rx_queue);
    let chosen = choose(count, &mut skb);
    skb.consume();
    let expected = in_c(count, hash, rx_queue);
    if chosen != expected {
        pr_err!("case {case}: {count} queues, hash {hash}, receive queue {rx_queue:?}: {chosen:?}, not {expected:?}\n");
    }
    Ok(chosen == expected)
}

#[kunit_tests(tap_select)]
mod suite {
    use super::*;

    #[test]
    fn by_hash_or_receive_queue_or_the_first() -> Result {
        let frame = Frame::generate(&mut Random::new(0))?;
        for case in 0..CASES {
            assert!(agrees(case, &frame)?);
        }
        Ok(())
    }

    #[test]
    fn one_flow_has_one_queue() -> Result {
        let frame = Frame::generate(&mut Random::new(1))?;
        let mut first = received(&frame)?;
        let first_queue = choose(256, &mut first);
        first.consume();
        let mut again = received(&frame)?;
        let again_queue = choose(256, &mut again);
        again.consume();
        assert!(first_queue.is_some());
        assert_eq!(first_queue, again_queue);
        Ok(())
    }
}
