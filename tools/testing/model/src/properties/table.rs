// SPDX-License-Identifier: GPL-2.0

//! The table of queues in one thread, with as many queues as there can be.

use super::cases;
use crate::{
    device::{
        choose,
        MAX_QUEUES, //
    },
    world::{
        Expected,
        Step,
        World, //
    },
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use kernel_net::net::{
    rtnl,
    SkBuff, //
};
use proptest::{
    prelude::{
        any,
        prop_oneof,
        proptest,
        Just,
        Strategy, //
    },
    sample::Index,
};

/// A step, with any of the files that are open then.
#[derive(Clone, Debug)]
enum Wish {
    Open,
    Close(Index),
    Enable(Index),
    Disable(Index),
    DetachAll,
}

impl Wish {
    fn step(&self, expected: &Expected) -> Option<Step> {
        let open = &expected.open;
        if open.is_empty() && !matches!(self, Self::DetachAll) {
            return Some(Step::Open(expected.opened));
        }
        Some(match self {
            Self::Open => Step::Open(expected.opened),
            Self::Close(file) => Step::Close(*file.get(open)),
            Self::Enable(file) => Step::Enable(*file.get(open)),
            Self::Disable(file) => Step::Disable(*file.get(open)),
            Self::DetachAll => Step::DetachAll,
        })
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        12 => Just(Wish::Open),
        4 => any::<Index>().prop_map(Wish::Close),
        6 => any::<Index>().prop_map(Wish::Enable),
        6 => any::<Index>().prop_map(Wish::Disable),
        1 => Just(Wish::DetachAll),
    ]
}

/// Does all steps, looks at everything after each, and sends a packet.
fn run(steps: impl IntoIterator<Item = Wish>, flow: (u32, Option<u16>)) {
    let mut expected = Expected::default();
    let mut world = World::new();
    for wish in steps {
        let Some(step) = wish.step(&expected) else {
            continue;
        };
        {
            let mut held = rtnl::lock();
            let before = expected.clone();
            let result = expected.step(step);
            assert_eq!(world.step(step, &mut held), result, "{step:?}");
            if result.is_err() {
                expected = before;
            }
            world.check(&expected, &held);
        }
        let mut skb = SkBuff::of_flow(flow.0, flow.1);
        let place = choose(expected.enabled.len() as u32, &mut skb);
        let queue = place.map(|place| expected.enabled[place as usize]);
        {
            let rcu = rcu::read_lock();
            let found = world.tap().select(&mut skb, &rcu);
            assert_eq!(found.and_then(|found| world.owner(found)), queue);
        }
        rcu::grace_period();
    }
    world.end();
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn steps_do_what_they_should(
        steps in proptest::collection::vec(wish(), 0..60),
        hash: u32,
        rx_queue: Option<u16>,
    ) {
        run(steps, (hash, rx_queue));
    }
}

/// There is room for so many, and for no more.
#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn table_is_filled_to_the_end() {
    let opens = core::iter::repeat_n(Wish::Open, MAX_QUEUES);
    run(opens.clone().chain([Wish::Open, Wish::Open]), (77, None));

    let mut expected = Expected::default();
    let mut world = World::new();
    let mut held = rtnl::lock();
    for step in (0..MAX_QUEUES).map(Step::Open) {
        assert_eq!(world.step(step, &mut held), expected.step(step));
    }
    assert_eq!(world.step(Step::Open(MAX_QUEUES), &mut held), Err(EBUSY));
    // Those that get no frames count, too.
    for step in (0..MAX_QUEUES).map(Step::Disable) {
        assert_eq!(world.step(step, &mut held), expected.step(step));
        world.check(&expected, &held);
    }
    assert_eq!(world.step(Step::Open(MAX_QUEUES), &mut held), Err(EBUSY));
    for step in (0..MAX_QUEUES).rev().map(Step::Enable) {
        assert_eq!(world.step(step, &mut held), expected.step(step));
        world.check(&expected, &held);
    }
    drop(held);
    world.end();
}
