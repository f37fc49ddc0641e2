// SPDX-License-Identifier: GPL-2.0
//! Root of a user namespace of its own, with no power outside, as in containers.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;

use nix::sched::{unshare, CloneFlags};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{fork, pipe, ForkResult};

use super::netns::Netns;

/// Runs `body` in a process of such a namespace, which has a network namespace,
/// too. Before that, `prepare` can put something there.
pub fn run(prepare: impl FnOnce(&Netns), body: impl FnOnce()) {
    let [made, prepared] = [pipe(), pipe()].map(|ends| ends.expect("a pipe"));
    // SAFETY: Cases have one thread, so the child may do anything.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let inside = || {
                let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
                unshare(flags).expect("a user namespace");
                File::from(made.1).write_all(&[0]).expect("the parent");
                File::from(prepared.0)
                    .read_exact(&mut [0])
                    .expect("the parent");
                body();
            };
            exit(i32::from(
                panic::catch_unwind(AssertUnwindSafe(inside)).is_err(),
            ))
        }
        ForkResult::Parent { child } => {
            drop(made.1);
            File::from(made.0).read_exact(&mut [0]).expect("the child");
            prepare(&Netns::of(child));
            File::from(prepared.1).write_all(&[0]).expect("the child");
            let ended = waitpid(child, None).expect("the child");
            assert_eq!(ended, WaitStatus::Exited(child, 0));
        }
    }
}
