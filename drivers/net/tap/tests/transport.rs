// SPDX-License-Identifier: GPL-2.0

//! Where the transport header is, compared with what the flow dissector finds.

use super::{
    frame::Frame,
    random::Random, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use kernel_net::kunit::loopback;

const CASES: u64 = 5_000;

/// What a packet says that has no transport header.
fn none_in(frame: &Frame) -> Result<isize> {
    let skb = frame.to_skb()?;
    let offset = skb.transport_offset();
    skb.consume();
    Ok(offset)
}

/// Finds it in a packet. Returns whether there was one, and whether the flow dissector finds the
/// same.
fn find(case: u64) -> Result<(bool, bool)> {
    let frame = Frame::generate(&mut Random::new(case))?;
    let none = none_in(&frame)?;

    let mut skb = frame.to_skb()?;
    skb.probe_transport_header(loopback(), &rcu::read_lock());
    let here = skb.transport_offset();
    skb.consume();

    let mut skb = frame.to_skb()?;
    let in_c = skb
        .flow_keys(loopback())
        .map_or(none, |keys| keys.transport_offset as isize);
    skb.consume();

    if here != in_c {
        pr_err!("case {case}: {here}, in C {in_c}\n");
    }
    Ok((in_c != none, here == in_c))
}

#[kunit_tests(tap_transport)]
mod suite {
    use super::*;

    #[test]
    fn transport_headers_are_found_as_by_c() -> Result {
        let (mut found, mut differ) = (0, 0);
        for case in 0..CASES {
            let (is_there, same) = find(case)?;
            found += u64::from(is_there);
            differ += u64::from(!same);
        }
        assert_eq!(differ, 0);
        assert!(found > CASES / 2);
        assert!(found < CASES - CASES / 20);
        Ok(())
    }
}
