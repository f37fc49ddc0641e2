// SPDX-License-Identifier: GPL-2.0
//! Runs inputs in the kernel, and tells LibAFL which places they met.

use libafl::executors::{Executor, ExitKind, HasObservers};
use libafl::inputs::{BytesInput, HasTargetBytes};
use libafl::observers::{CanTrack, ExplicitTracking, HitcountsMapObserver, StdMapObserver};
use libafl::state::HasExecutions;
use libafl::Error;
use libafl_bolts::tuples::RefIndexable;
use libafl_bolts::AsSlice;

use crate::kcov::Kcov;
use crate::program;
use crate::record::Record;
use crate::sites::Sites;
use crate::world::World;

/// How often each place was met, in powers of two.
pub type Map = HitcountsMapObserver<StdMapObserver<'static, u8, false>>;
/// With which places they are.
pub type Tracked = ExplicitTracking<Map, true, false>;
pub type Observers = (Tracked, ());

pub struct KernelExecutor {
    world: World,
    kcov: Kcov,
    record: Record,
    pub sites: Sites,
    /// By all inputs together.
    pub met: Vec<bool>,
    observers: Observers,
}

impl KernelExecutor {
    pub fn new() -> KernelExecutor {
        let world = World::new();
        let sites = Sites::of_modules();
        let map = StdMapObserver::owned("sites", vec![0; sites.len()]);
        KernelExecutor {
            world,
            kcov: Kcov::start(),
            record: Record::start(),
            met: vec![false; sites.len()],
            sites,
            observers: (HitcountsMapObserver::new(map).track_indices(), ()),
        }
    }

    pub fn map(&self) -> &Tracked {
        &self.observers.0
    }

    /// Runs an input; calls `met` with each place that it met, as often as it did.
    pub fn run(&mut self, input: &[u8], mut met: impl FnMut(&mut Tracked, usize)) {
        let program = program::decode(input);
        self.record.begin(input);
        self.kcov.reset();
        self.world.run(program);
        for address in self.kcov.addresses() {
            if let Some(site) = self.sites.number_of(address) {
                self.met[site] = true;
                met(&mut self.observers.0, site);
            }
        }
        self.world.restore();
        self.record.end();
    }
}

impl<EM, S: HasExecutions, Z> Executor<EM, BytesInput, S, Z> for KernelExecutor {
    fn run_target(
        &mut self,
        _fuzzer: &mut Z,
        state: &mut S,
        _manager: &mut EM,
        input: &BytesInput,
    ) -> Result<ExitKind, Error> {
        *state.executions_mut() += 1;
        self.run(input.target_bytes().as_slice(), |map, site| {
            let map: &mut Map = map.as_mut();
            map[site] = map[site].saturating_add(1);
        });
        // What is not all right is not survived.
        Ok(ExitKind::Ok)
    }
}

impl HasObservers for KernelExecutor {
    type Observers = Observers;

    fn observers(&self) -> RefIndexable<&Observers, Observers> {
        RefIndexable::from(&self.observers)
    }

    fn observers_mut(&mut self) -> RefIndexable<&mut Observers, Observers> {
        RefIndexable::from(&mut self.observers)
    }
}
