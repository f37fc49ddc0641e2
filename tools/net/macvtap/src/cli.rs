// SPDX-License-Identifier: GPL-2.0
//! The command line.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use clap::{Args, Parser, Subcommand};

use crate::mac::{self, Mac};
use crate::vlans;

const STATUSES: &str = "\
Exit status:
  0  it is done
  1  it failed, for the reason that is printed
  2  the command line is wrong
  3  there is no such link, or it is not a macvtap link
  4  this user may not do it
  5  the driver that is loaded cannot do it";

/// Lists macvtap links, opens their nodes, and sets their receive filters
#[derive(Parser)]
#[command(version, after_long_help = STATUSES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// List the macvtap links of this network namespace
    ///
    /// For each link: its lower device, and where that is if it is in another network namespace
    /// (a file that stands for the namespace, or its netnsid); the mode; whether it is up; its
    /// address; its node, and whether that is missing; how many queues are open, and which
    /// processes have them open. Processes that share a queue, after a fork, are all listed, and
    /// the queue is counted once.
    ///
    /// Any user can list links. The files of other users' processes are seen by root only:
    /// others get a number of queues "or more", and an interface index if they may not know the
    /// name of a lower device. What is not known is shown as "?", or null.
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Run a program with open queues of a link
    ///
    /// Opens the node of the link, once for each queue, and becomes the program, which has the
    /// queues as file descriptors 3, 4, and so on. What was open there before is closed. All
    /// other files that the caller has open stay open.
    ///
    /// If the link's node is missing in /dev, as in containers, one is made there for root only,
    /// and removed as soon as it is open.
    ///
    /// Reads of the queues block, as they do if a shell opens the node; QEMU and cloud-hypervisor
    /// change that by themselves.
    #[command(after_long_help = "\
Exit status: that of the program, or
  125  what is to be done before the program runs failed
  126  the program cannot be run
  127  there is no such program

Example:
  macvtap exec macvtap0 --queues 2 -- qemu-system-x86_64 \\
      -netdev tap,id=n0,fds=3:4 -device virtio-net-pci,netdev=n0,mq=on,mac=...")]
    Exec {
        /// The link's interface name
        name: String,
        /// How many queues to open
        #[arg(long, value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u16).range(1..=256))]
        queues: u16,
        /// The program and its arguments
        #[arg(last = true, required = true, value_name = "PROGRAM")]
        command: Vec<OsString>,
    },

    /// Show or change a link's receive filter
    ///
    /// A link in passthru mode makes its lower device promiscuous, unless it has a receive
    /// filter: then the lower device is asked for the addresses and VLANs of the filter only. A
    /// device that cannot tell them from others, such as veth, passes on what it gets.
    #[command(subcommand)]
    Filter(FilterCommand),

    /// Show what a link has counted
    ///
    /// What goes to the guest is what the link receives (rx) for the host, and what the guest
    /// sends is what the link transmits (tx). Frames to the guest are dropped if its queues have
    /// no room. Then it is shown how many queues each process has open.
    Stats {
        /// The link's interface name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What to do with a receive filter.
#[derive(Subcommand)]
pub enum FilterCommand {
    /// Show it
    Show {
        /// The link's interface name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Set all of it
    ///
    /// Replaces the filter that there is. Without options, the lower device is asked for what is
    /// sent to the link's own address and to all stations.
    Set {
        /// The link's interface name
        name: String,
        /// What the filter lets through.
        #[command(flatten)]
        parts: Parts,
    },

    /// Remove it
    Clear {
        /// The link's interface name
        name: String,
    },
}

/// The parts of a receive filter.
#[derive(Args)]
pub struct Parts {
    /// Let frames to this address through
    #[arg(long, value_name = "MAC", value_parser = mac::unicast)]
    pub unicast: Vec<Mac>,
    /// Let frames to this group of stations through
    #[arg(long, value_name = "MAC", value_parser = mac::multicast)]
    pub multicast: Vec<Mac>,
    /// Let frames of this VLAN through, or of these VLANs
    #[arg(long, value_name = "ID|A-B", value_parser = vlans::range)]
    pub vlan: Vec<RangeInclusive<u16>>,
    /// Let all frames through
    #[arg(long)]
    pub promisc: bool,
    /// Let frames to all groups through
    #[arg(long)]
    pub allmulti: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_program_comes_behind_dashes() {
        let parsed = Cli::try_parse_from(["macvtap", "exec", "t0", "--", "ls", "--queues", "7"]);
        let Command::Exec {
            name,
            queues,
            command,
        } = parsed.ok().unwrap().command
        else {
            panic!("not exec");
        };
        assert_eq!((name.as_str(), queues), ("t0", 1));
        assert_eq!(command, ["ls", "--queues", "7"]);
    }

    #[test]
    fn what_is_refused() {
        for line in [
            "macvtap",
            "macvtap exec t0",
            "macvtap exec t0 --",
            "macvtap exec t0 ls",
            "macvtap exec t0 --queues 0 -- ls",
            "macvtap exec t0 --queues 257 -- ls",
            "macvtap filter set t0 --unicast 01:00:5e:00:00:01",
            "macvtap filter set t0 --multicast 52:54:00:00:00:01",
            "macvtap filter set t0 --vlan 4095",
            "macvtap filter clear t0 --promisc",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
