// SPDX-License-Identifier: GPL-2.0

//! The table of queues, in all orders in which one writer, as RTNL has it, and readers can run, and
//! with all values that the memory model lets them see.
//!
//! Readers must find a queue as long as there is always one, must not wait for the writer, and must
//! not find, or use, a queue a grace period after it has left. The writer looks at everything after
//! each of its steps.
//!
//! loom's memory model is that of C++20, but that no load sees a store that has not been run yet.
//! Unlike in the kernel's, dependencies order nothing.

use crate::{
    device::TapDev,
    queue::{
        Settings,
        IFF_FIXED, //
    },
    world::{
        Expected,
        Step,
        World, //
    },
};
use core::ops::RangeInclusive;
use kernel::sync::rcu;
use kernel_net::net::{
    rtnl,
    SkBuff, //
};
use loom::thread;
use std::sync::Arc;

/// The device, for readers.
#[derive(Clone, Copy)]
struct Shared(*const TapDev);

// SAFETY: `TapDev` may be used on any thread; whether it is used well is what loom looks at.
unsafe impl Send for Shared {}

impl Shared {
    /// # Safety
    ///
    /// The world that it is from must be there still.
    unsafe fn tap<'a>(self) -> &'a TapDev {
        // SAFETY: By the safety requirements of this function.
        unsafe { &*self.0 }
    }
}

/// What readers may see while the writer does its steps.
#[derive(Clone, Copy)]
struct Permitted {
    some: bool,
    none: bool,
}

/// One writer, and some readers.
#[derive(Clone, Debug)]
struct Case {
    /// What happens before the readers start.
    before: Vec<Step>,
    steps: Vec<Step>,
    /// Whether the writer waits for a grace period after each step, or after all.
    graces: bool,
    readers: usize,
}

impl Case {
    fn expected_before(&self) -> Expected {
        let mut expected = Expected::default();
        for &step in &self.before {
            expected.step(step).unwrap();
        }
        expected
    }

    fn permitted(&self) -> Permitted {
        let mut expected = self.expected_before();
        let mut permitted = Permitted {
            some: !expected.enabled.is_empty(),
            none: expected.enabled.is_empty(),
        };
        for &step in &self.steps {
            expected.step(step).unwrap();
            permitted.some |= !expected.enabled.is_empty();
            permitted.none |= expected.enabled.is_empty();
        }
        permitted
    }

    /// Returns whether all steps do something: to see that others do nothing needs no reader.
    fn is_interesting(&self) -> bool {
        let mut expected = self.expected_before();
        self.steps.iter().all(|&step| {
            let known = match step {
                // The one is as good as the other.
                Step::Open(id) => id == expected.opened,
                Step::Close(id) | Step::Enable(id) | Step::Disable(id) => {
                    expected.open.contains(&id)
                }
                Step::DetachAll => !expected.gone,
            };
            known && expected.step(step).is_ok()
        })
    }

    fn explore(&self, max_preemptions: Option<usize>) {
        println!("{self:?}");
        let case = self.clone();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = max_preemptions;
        builder.check(move || case.run());
    }

    fn run(&self) {
        rcu::touch();
        let mut expected = self.expected_before();
        let mut world = World::new();
        {
            let mut held = rtnl::lock();
            for &step in &self.before {
                world.step(step, &mut held).unwrap();
            }
            world.check(&expected, &held);
        }
        let permitted = self.permitted();
        let shared = Shared(world.tap());
        let readers: Vec<_> = (1..=self.readers)
            .map(|number| thread::spawn(move || read(number, shared, permitted)))
            .collect();

        for &step in &self.steps {
            {
                let mut held = rtnl::lock();
                world.step(step, &mut held).unwrap();
                expected.step(step).unwrap();
                world.check(&expected, &held);
            }
            if self.graces {
                rcu::grace_period();
                world.grace_period_has_passed(&rtnl::lock());
            }
        }
        if !self.graces {
            rcu::grace_period();
            world.grace_period_has_passed(&rtnl::lock());
        }
        for reader in readers {
            reader.join().unwrap();
        }
        world.end();
    }
}

/// Finds a queue for a packet, and looks whether its reader wants a header, as for each frame.
fn read(number: usize, shared: Shared, permitted: Permitted) {
    rcu::set_thread(number);
    // SAFETY: Who started this thread waits for its end.
    let tap = unsafe { shared.tap() };
    let rcu = rcu::read_lock();
    let mut skb = SkBuff::of_flow(number as u32, None);
    match tap.select(&mut skb, &rcu) {
        Some(queue) => {
            queue.found();
            assert!(queue.settings.has_vnet_hdr());
            assert!(permitted.some, "a queue was found where there is none");
        }
        None => assert!(permitted.none, "no queue was found"),
    }
}

/// What the writer may do.
const STEPS: [Step; 10] = [
    Step::Open(0),
    Step::Open(1),
    Step::Open(2),
    Step::Close(0),
    Step::Close(1),
    Step::Enable(0),
    Step::Enable(1),
    Step::Disable(0),
    Step::Disable(1),
    Step::DetachAll,
];

/// All sequences of so many steps.
fn sequences(len: usize) -> Vec<Vec<Step>> {
    let Some(shorter) = len.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for steps in sequences(shorter) {
        all.extend(STEPS.map(|step| [&steps[..], &[step]].concat()));
    }
    all
}

/// Explores all sequences of so many steps.
fn explore_all(
    opened_before: RangeInclusive<usize>,
    len: usize,
    readers: usize,
    max_preemptions: Option<usize>,
) {
    for opened in opened_before {
        for steps in sequences(len) {
            for graces in [false, true] {
                let case = Case {
                    before: (0..opened).map(Step::Open).collect(),
                    steps: steps.clone(),
                    graces,
                    readers,
                };
                // After one step there is one grace period in any case.
                if case.is_interesting() && !(graces && len == 1) {
                    case.explore(max_preemptions);
                }
            }
        }
    }
}

#[test]
fn one_step_and_one_reader() {
    explore_all(0..=2, 1, 1, None);
}

/// Explores little of it, but what runs all of the code.
pub(crate) fn explore_some() {
    one_step_and_one_reader();
}

#[test]
fn two_steps_and_one_reader() {
    explore_all(0..=2, 2, 1, None);
}

#[test]
fn three_steps_and_one_reader() {
    explore_all(0..=1, 3, 1, None);
}

// Readers write nothing, so they see nothing of each other: what there is to be seen with another
// reader is that grace periods wait for both. The number of preemptions is limited because it would
// take hours otherwise.

#[test]
fn one_step_and_two_readers() {
    explore_all(0..=2, 1, 2, Some(3));
}

#[test]
fn two_steps_and_two_readers() {
    explore_all(0..=2, 2, 2, Some(2));
}

/// The device of a queue goes away while its file is used.
#[test]
fn device_leaves() {
    loom::model(|| {
        rcu::touch();
        let mut world = World::new();
        world.step(Step::Open(0), &mut rtnl::lock()).unwrap();
        let queue = world.file(0).clone();
        let user = thread::spawn(move || {
            rcu::set_thread(1);
            queue.count_tx_dropped();
            rtnl::lock();
            drop(queue);
        });
        world.step(Step::DetachAll, &mut rtnl::lock()).unwrap();
        // What unregistration waits for before it frees the device.
        rcu::grace_period();
        assert_eq!(world.device().references(), 0);
        world.free_device();
        user.join().unwrap();
        world.end();
    });
}

/// Files are shared, and ioctls on one may run at the same time: none undoes what another does.
#[test]
fn settings_at_the_same_time() {
    loom::model(|| {
        let settings = Arc::new(Settings::new());
        // Where threads find it.
        settings.iff_flags();
        let other = thread::spawn({
            let settings = settings.clone();
            move || settings.set_vnet_le(true)
        });
        settings.set_iff_flags(IFF_FIXED);
        other.join().unwrap();
        assert!(settings.vnet_le());
        assert!(!settings.has_vnet_hdr());
        assert_eq!(u32::from(settings.iff_flags()), IFF_FIXED);
    });
}
