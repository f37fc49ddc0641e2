// SPDX-License-Identifier: GPL-2.0
//! The command: prints, and ends with the documented status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use macvtap::cli::{Cli, Command};
use macvtap::error::Result;
use macvtap::{exec, filters, list, stats, text};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("macvtap: {}", text::printable(&error.to_string()));
            ExitCode::from(error.status)
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::List { json } => print(&list::list(json)?),
        Command::Stats { name, json } => print(&stats::stats(&name, json)?),
        Command::Filter(command) => print(&filters::run(command)?),
        Command::Exec {
            name,
            queues,
            command,
        } => exec::exec(&name, queues, &command),
    }
}

/// Whoever reads it may have seen enough.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
