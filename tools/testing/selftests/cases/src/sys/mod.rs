// SPDX-License-Identifier: GPL-2.0
//! The system as the tests see it: links, tap files, packet sockets. All
//! `unsafe` code of the program is below this module.

pub mod aio;
pub mod bpf;
pub mod call;
pub mod cgroup;
pub mod clock;
pub mod compat;
pub mod container;
pub mod drops;
pub mod ethtool;
pub mod fault;
pub mod io_uring;
pub mod leaks;
pub mod link;
pub mod log;
pub mod memory;
pub mod module;
pub mod netlink;
pub mod netns;
pub mod packet;
pub mod pass;
pub mod process;
pub mod rcu;
pub mod release;
pub mod ring;
pub mod sample;
pub mod sctp;
pub mod tap;
pub mod trace;
pub mod tun;
pub mod uevent;
pub mod userfault;
pub mod userns;
pub mod vhost;
pub mod wait;
