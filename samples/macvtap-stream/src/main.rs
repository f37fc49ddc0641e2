// SPDX-License-Identifier: GPL-2.0
//! Connects a macvtap link to a UNIX stream socket, as passt and QEMU's `-netdev stream` have
//! them: each frame with its length in front, in four bytes, the first of which counts most.
//!
//! ```text
//! passt --socket /run/passt.sock --mac-addr $(cat /sys/class/net/macvtap0/address)
//! macvtap-stream macvtap0 --connect /run/passt.sock
//! ```
//!
//! Nothing is lost or reordered here. If one side is slow, the other side is not read: frames
//! wait in the link's ring, which drops (and counts) what it has no room for, or in the socket.
//! It ends with status 0 when the other end closes the socket between two frames, or by SIGTERM
//! or SIGINT, once the frames that are under way have gone; a second one ends it at once.

mod relay;
mod stop;
mod tap;

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser};

use stop::Stop;
use tap::Tap;

/// Connects a macvtap link to a UNIX stream socket of passt or QEMU
#[derive(Parser)]
struct Options {
    /// The link's name, or the path of a node
    link: String,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Socket {
    /// Connect to this socket
    #[arg(long, value_name = "PATH")]
    connect: Option<PathBuf>,
    /// Make this socket, for one connection
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,
}

/// The first connection, or none if that is not waited for any more.
fn accept(path: &Path, stop: &Stop) -> io::Result<Option<UnixStream>> {
    let listener = UnixListener::bind(path)?;
    let accepted = match stop.or_readable(&listener)? {
        true => None,
        false => Some(listener.accept()?.0),
    };
    // Nobody else is to come.
    fs::remove_file(path)?;
    Ok(accepted)
}

fn run(options: &Options) -> io::Result<()> {
    let tap = Tap::open(&options.link)?;
    let stop = Stop::on_signals()?;
    let socket = match &options.socket {
        Socket {
            connect: Some(path),
            ..
        } => Some(UnixStream::connect(path)?),
        Socket {
            listen: Some(path), ..
        } => accept(path, &stop)?,
        _ => unreachable!("one of them is required"),
    };
    match socket {
        Some(socket) => relay::run(&tap, &socket, &stop),
        None => Ok(()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("macvtap-stream: {}: {error}", options.link);
            ExitCode::FAILURE
        }
    }
}
