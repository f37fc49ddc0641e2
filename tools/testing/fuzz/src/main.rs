// SPDX-License-Identifier: GPL-2.0
//! Hostile input for macvtap: looks for ioctls, frames, headers and attributes
//! of links that the kernel does not survive. It runs as root where the kernel
//! ends at any report, and has KCOV.
//!
//! ```text
//! macvtap-fuzz run SEED EXECUTIONS SECONDS CORPUS
//!                         until one of the limits is reached
//! macvtap-fuzz minimise SEED EXECUTIONS SECONDS CORPUS
//!                         the same, and prints the inputs to keep
//! macvtap-fuzz replay INPUT...
//!                         shows what these inputs do, and runs them
//! ```
//!
//! CORPUS is a file with one input a line, in hexadecimal digits.

mod campaign;
mod executor;
mod frames;
mod hex;
mod kcov;
mod links;
mod program;
mod record;
mod sites;
mod world;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use campaign::Limits;
use executor::KernelExecutor;
use macvtap_selftests::sys::process;

const USAGE: &str =
    "usage: macvtap-fuzz run|minimise SEED EXECUTIONS SECONDS CORPUS | replay INPUT...";

const NOTHING_WRONG: &str = "nothing is wrong after hostile input";

/// Of all places in the modules. What nobody meets is what runs in softirqs, on
/// failures, and for vhost, and what one of the modules has of the crate they
/// share and does not use.
const LEAST_MET: f64 = 0.15;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // The link's frames are received in the thread that sends them.
    process::pin_to_first_cpu();
    let done = match arguments[..] {
        [what @ ("run" | "minimise"), seed, executions, seconds, corpus] => (|| {
            fuzz(
                what == "minimise",
                seed.parse().ok()?,
                executions,
                seconds,
                corpus,
            )
        })(),
        ["replay", ref inputs @ ..] => replay(inputs),
        _ => None,
    };
    match done {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well; nothing if the arguments are not.
fn fuzz(minimise: bool, seed: u64, executions: &str, seconds: &str, corpus: &str) -> Option<bool> {
    let limits = Limits {
        executions: executions.parse().ok()?,
        time: Duration::from_secs(seconds.parse().ok()?),
    };
    let text = fs::read_to_string(corpus).ok()?;
    let corpus: Vec<_> = text.lines().map(hex::decode).collect::<Option<_>>()?;

    let mut executor = KernelExecutor::new();
    println!("KTAP version 1\n1..2");
    let outcome = campaign::run(&mut executor, &corpus, seed, &limits).expect("LibAFL");
    let seconds = outcome.time.as_secs_f64();
    println!(
        "# figures: {} executions in {seconds:.0} s, {:.0} a second, seed {seed}",
        outcome.executions,
        outcome.executions as f64 / seconds,
    );
    println!(
        "# figures: {} inputs of the corpus, {} met something new",
        corpus.len(),
        outcome.inputs.len(),
    );
    println!("ok 1 {NOTHING_WRONG}");

    let (met, all) = report_met(&executor);
    let enough = met as f64 >= LEAST_MET * all as f64;
    let result = if enough { "ok" } else { "not ok" };
    println!("{result} 2 hostile input gets into the modules");
    if minimise {
        for input in campaign::minimised(&mut executor, outcome.inputs) {
            println!("corpus: {}", hex::encode(&input));
        }
    }
    Some(enough)
}

fn report_met(executor: &KernelExecutor) -> (usize, usize) {
    let modules = executor.sites.by_module(&executor.met);
    for (name, met, all) in &modules {
        println!("# figures: {met} of {all} edges in {name}.ko");
    }
    modules.iter().fold((0, 0), |(met, all), module| {
        (met + module.1, all + module.2)
    })
}

fn replay(inputs: &[&str]) -> Option<bool> {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|text| hex::decode(text))
        .collect::<Option<_>>()?;
    let mut executor = KernelExecutor::new();
    println!("KTAP version 1\n1..1");
    for input in inputs {
        for operation in program::decode(&input) {
            println!("# {operation:?}");
        }
        executor.run(&input, |_, _| ());
        report_met(&executor);
    }
    println!("ok 1 {NOTHING_WRONG}");
    Some(true)
}
