// SPDX-License-Identifier: GPL-2.0
//! Root of a user namespace of its own, with no power outside, as in containers.

use std::fs::File;
use std::io::{Read as _, Write as _};

use nix::sched::{unshare, CloneFlags};
use nix::unistd::pipe;

use super::netns::Netns;
use super::process;

/// Runs `body` in a process of such a namespace, which has a network namespace,
/// too. Before that, `prepare` can put something there.
pub fn run(prepare: impl FnOnce(&Netns), body: impl FnOnce()) {
    run_of(|| (), prepare, body);
}

/// The same in one that was made by somebody who is not root outside either.
pub fn run_unprivileged(prepare: impl FnOnce(&Netns), body: impl FnOnce()) {
    run_of(process::drop_privileges, prepare, body);
}

fn run_of(become_maker: impl FnOnce(), prepare: impl FnOnce(&Netns), body: impl FnOnce()) {
    let [made, prepared] = [pipe(), pipe()].map(|ends| ends.expect("a pipe"));
    let inside = || {
        become_maker();
        let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
        unshare(flags).expect("a user namespace");
        File::from(made.1).write_all(&[0]).expect("the parent");
        File::from(prepared.0)
            .read_exact(&mut [0])
            .expect("the parent");
        body();
    };
    process::in_child(inside, |child| {
        File::from(made.0).read_exact(&mut [0]).expect("the child");
        prepare(&Netns::of(child));
        File::from(prepared.1).write_all(&[0]).expect("the child");
    });
}
