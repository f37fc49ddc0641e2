// SPDX-License-Identifier: GPL-2.0

//! Which minor number a device gets.

use super::random::Random;
use crate::chardev::{
    alloc_minor,
    FALLBACK, //
};
use kernel::{
    maple_tree::MapleTreeAlloc,
    prelude::*, //
};

/// A tree of numbers, which stand for devices.
type Minors = Pin<KBox<MapleTreeAlloc<KBox<u32>>>>;

/// How many numbers there are; zero is none of them.
const END: usize = 1 << 20;

fn minors() -> Result<Minors> {
    KBox::pin_init(MapleTreeAlloc::new(), GFP_KERNEL)
}

fn alloc(minors: &Minors, ifindex: Option<i32>) -> Result<u32> {
    alloc_minor(minors, ifindex, KBox::new(0, GFP_KERNEL)?)
}

/// Gives and takes numbers for `steps` steps, and returns whether all were as they should be. A list
/// of those that are taken is the judge.
fn walk(seed: u64, steps: usize) -> Result<bool> {
    const DEVICES: usize = 40;
    let mut random = Random::new(seed);
    let minors = minors()?;
    let mut taken: KVec<usize> = KVec::new();

    for _ in 0..steps {
        if !taken.is_empty() && random.one_in(3) || taken.len() == DEVICES {
            let minor = taken.remove(random.below(taken.len()))?;
            if minors.erase(minor).is_none() {
                pr_err!("seed {seed}: nothing at {minor}\n");
                return Ok(false);
            }
            continue;
        }
        let small = 1 + random.below(20) as i32;
        let ifindex = random.pick(&[None, Some(small)]);
        let first = match ifindex {
            None => 1,
            Some(ifindex) if !taken.contains(&(ifindex as usize)) => ifindex as usize,
            Some(_) => FALLBACK.start,
        };
        let expected = (first..END)
            .find(|minor| !taken.contains(minor))
            .ok_or(EINVAL)?;
        let minor = alloc(&minors, ifindex)? as usize;
        if minor != expected {
            pr_err!("seed {seed}: {minor}, not {expected}, for index {ifindex:?}\n");
            return Ok(false);
        }
        taken.push(minor, GFP_KERNEL)?;
    }
    Ok(true)
}

#[kunit_tests(tap_minors)]
mod suite {
    use super::*;

    #[test]
    fn the_interface_index() -> Result {
        let minors = minors()?;
        for ifindex in [1, 2, 4711, END as i32 / 2, END as i32 - 1] {
            assert_eq!(alloc(&minors, Some(ifindex)), Ok(ifindex as u32));
        }
        Ok(())
    }

    #[test]
    fn one_from_the_upper_half_if_that_is_taken_or_too_large() -> Result {
        let minors = minors()?;
        let start = FALLBACK.start as u32;
        assert_eq!(alloc(&minors, Some(7)), Ok(7));
        assert_eq!(alloc(&minors, Some(7)), Ok(start));
        assert_eq!(alloc(&minors, Some(END as i32)), Ok(start + 1));
        assert_eq!(alloc(&minors, Some(i32::MAX)), Ok(start + 2));
        Ok(())
    }

    #[test]
    fn the_lowest_for_drivers_that_do_not_say() -> Result {
        let minors = minors()?;
        assert_eq!(alloc(&minors, Some(2)), Ok(2));
        assert_eq!(alloc(&minors, None), Ok(1));
        assert_eq!(alloc(&minors, None), Ok(3));
        minors.erase(1);
        assert_eq!(alloc(&minors, None), Ok(1));
        Ok(())
    }

    #[test]
    fn none_when_all_are_taken() -> Result {
        let minors = minors()?;
        minors.insert_range(FALLBACK, KBox::new(0, GFP_KERNEL)?, GFP_KERNEL)?;
        assert_eq!(alloc(&minors, Some(7)), Ok(7));
        assert_eq!(alloc(&minors, Some(7)), Err(EINVAL));
        minors.insert_range(8..FALLBACK.start, KBox::new(0, GFP_KERNEL)?, GFP_KERNEL)?;
        minors.insert_range(1..7, KBox::new(0, GFP_KERNEL)?, GFP_KERNEL)?;
        assert_eq!(alloc(&minors, None), Err(EINVAL));
        Ok(())
    }

    #[test]
    fn many_given_and_taken_back() -> Result {
        for seed in 0..10 {
            assert!(walk(seed, 500)?);
        }
        Ok(())
    }
}
