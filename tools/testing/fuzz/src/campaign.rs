// SPDX-License-Identifier: GPL-2.0
//! Runs the inputs that there are, and makes others up from those that met
//! something new, for a number of executions or seconds.

use std::time::{Duration, Instant};

use libafl::corpus::{Corpus, InMemoryCorpus};
use libafl::events::NopEventManager;
use libafl::feedbacks::MaxMapFeedback;
use libafl::inputs::{BytesInput, HasTargetBytes};
use libafl::mutators::{havoc_mutations, StdScheduledMutator};
use libafl::schedulers::{IndexesLenTimeMinimizerScheduler, QueueScheduler};
use libafl::stages::StdMutationalStage;
use libafl::state::{HasCorpus, HasExecutions, HasMaxSize, StdState};
use libafl::{Error, Evaluator, Fuzzer, StdFuzzer};
use libafl_bolts::rands::StdRand;
use libafl_bolts::tuples::tuple_list;
use libafl_bolts::AsSlice;

use crate::executor::KernelExecutor;

/// An input is to fit into one message of the kernel's log, as text.
pub const LONGEST: usize = 448;

/// How many inputs are made up from one at a time, at most.
const MUTATIONS: usize = 32;

pub struct Limits {
    pub executions: u64,
    pub time: Duration,
}

pub struct Outcome {
    pub executions: u64,
    pub time: Duration,
    /// The inputs that met something new.
    pub inputs: Vec<Vec<u8>>,
}

pub fn run(
    executor: &mut KernelExecutor,
    corpus: &[Vec<u8>],
    seed: u64,
    limits: &Limits,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let mut manager = NopEventManager::new();
    let mut feedback = MaxMapFeedback::new(executor.map());
    let mut objective = ();
    let mut state = StdState::new(
        StdRand::with_seed(seed),
        InMemoryCorpus::new(),
        InMemoryCorpus::new(),
        &mut feedback,
        &mut objective,
    )?;
    state.set_max_size(LONGEST);
    let scheduler = IndexesLenTimeMinimizerScheduler::new(executor.map(), QueueScheduler::new());
    let mut fuzzer = StdFuzzer::new(scheduler, feedback, objective);
    let mutator = StdScheduledMutator::new(havoc_mutations());
    let mut stages = tuple_list!(StdMutationalStage::with_max_iterations(
        mutator,
        MUTATIONS.try_into().expect("not zero"),
    ));

    for input in corpus {
        let input = BytesInput::new(input.clone());
        fuzzer.evaluate_input(&mut state, executor, &mut manager, &input)?;
    }
    while *state.executions() < limits.executions && start.elapsed() < limits.time {
        fuzzer.fuzz_one(&mut stages, executor, &mut state, &mut manager)?;
    }

    let mut inputs = vec![];
    for id in state.corpus().ids() {
        let input = state.corpus().cloned_input_for_id(id)?;
        inputs.push(input.target_bytes().as_slice().to_vec());
    }
    Ok(Outcome {
        executions: *state.executions(),
        time: start.elapsed(),
        inputs,
    })
}

/// Those of the inputs that together meet what all of them do, the short ones
/// first.
pub fn minimised(executor: &mut KernelExecutor, mut inputs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let mut met = vec![false; executor.sites.len()];
    inputs.retain(|input| {
        let mut new = false;
        executor.run(input, |_, site| {
            new |= !met[site];
            met[site] = true;
        });
        new
    });
    inputs
}
