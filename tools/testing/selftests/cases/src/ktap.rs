// SPDX-License-Identifier: GPL-2.0
//! Runs cases and reports them in the kernel's test format, version 1.

use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::sys::signal::{kill, Signal};
use nix::sys::wait::{waitpid, WaitPidFlag, WaitStatus};
use nix::unistd::{dup2_stderr, dup2_stdout, fork, pipe2, ForkResult, Pid};

use crate::sys::{link, process};

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Time for a killed case to die; one that a driver blocks never does.
const LIMIT_OF_DEATH: Duration = Duration::from_secs(10);

/// Begins a line that the runner compares between the drivers.
const DATA: &str = "data: ";
/// Begins one that is for people.
const FIGURES: &str = "figures: ";
/// Begins one that tells how much was done, which is added up.
const OPERATIONS: &str = "operations: ";

/// A case fails by panicking, as Rust's own tests do.
pub struct Case {
    pub name: String,
    body: Box<dyn Fn()>,
    limit: Duration,
}

impl Case {
    pub fn new(name: impl Into<String>, body: impl Fn() + 'static) -> Case {
        Case {
            name: name.into(),
            body: Box::new(body),
            limit: LIMIT,
        }
    }

    /// It may take that much longer than others.
    pub fn longer(self, more: Duration) -> Case {
        Case {
            limit: self.limit + more,
            ..self
        }
    }
}

/// Cases that are functions are named after them.
#[macro_export]
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        vec![$($crate::ktap::Case::new(stringify!($function), $function)),*]
    };
}

/// Returns whether all of them passed.
pub fn run(cases: &[Case]) -> bool {
    println!("KTAP version 1\n1..{}", cases.len());
    let mut passed = true;
    let mut operations = 0;
    for (number, case) in (1..).zip(cases) {
        let (said, success) = run_isolated(case);
        link::delete_leftovers();
        passed &= success;
        for line in said.lines() {
            if !success
                || [DATA, FIGURES, OPERATIONS]
                    .iter()
                    .any(|what| line.starts_with(what))
            {
                println!("# {line}");
            }
            operations += operations_in(line).unwrap_or(0);
        }
        let result = if success { "ok" } else { "not ok" };
        println!("{result} {number} {}", case.name);
    }
    if operations > 0 {
        println!("# {OPERATIONS}{operations} in all");
    }
    passed
}

fn operations_in(line: &str) -> Option<u64> {
    let (number, _) = line.strip_prefix(OPERATIONS)?.split_once(' ')?;
    number.parse().ok()
}

/// Reports what has to be the same on all drivers. It goes through a pipe that
/// is read at the end, so that a case has room for 64 KiB.
pub fn data(line: impl Display) {
    println!("{DATA}{line}");
}

/// Reports what happens to be seen.
pub fn figures(line: impl Display) {
    println!("{FIGURES}{line}");
}

/// Reports how much the case has done, and what.
pub fn operations(count: u64, what: impl Display) {
    println!("{OPERATIONS}{count} {what}");
}

/// Runs the case in a process of its own: it may hang, enter namespaces or
/// change signal handlers, and nothing of that reaches the next. Returns what
/// it said, and whether it passed.
fn run_isolated(case: &Case) -> (String, bool) {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    // SAFETY: This process has one thread, so the child may do anything.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => run_here(case, &writer),
        ForkResult::Parent { child } => {
            drop(writer);
            match wait_for(child, case.limit) {
                Ok(()) => (said(reader), true),
                Err(how) => (format!("{}{how}", said(reader)), false),
            }
        }
    }
}

fn run_here(case: &Case, output: &OwnedFd) -> ! {
    dup2_stdout(output).expect("dup2");
    dup2_stderr(output).expect("dup2");
    panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    process::pin_to_first_cpu();
    let result = panic::catch_unwind(AssertUnwindSafe(&case.body));
    exit(if result.is_ok() { 0 } else { 1 })
}

fn wait_for(child: Pid, limit: Duration) -> Result<(), String> {
    match end_of(child, limit) {
        Some(WaitStatus::Exited(_, 0)) => Ok(()),
        Some(WaitStatus::Exited(_, _)) => Err(String::new()),
        Some(WaitStatus::Signaled(_, signal, _)) => Err(format!("killed by {signal}")),
        Some(other) => Err(format!("{other:?}")),
        None => {
            let _ = kill(child, Signal::SIGKILL);
            Err(match end_of(child, LIMIT_OF_DEATH) {
                Some(_) => "hangs: killed".into(),
                None => "hangs and cannot be killed".into(),
            })
        }
    }
}

fn end_of(child: Pid, limit: Duration) -> Option<WaitStatus> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)).expect("the child") {
            WaitStatus::StillAlive => sleep(Duration::from_millis(1)),
            status => return Some(status),
        }
    }
    None
}

/// What the case printed. Not until the end of the file: something that the
/// case started may still have it open.
fn said(reader: OwnedFd) -> String {
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("F_SETFL");
    let mut text = Vec::new();
    let _ = File::from(reader).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
