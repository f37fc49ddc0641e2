// SPDX-License-Identifier: GPL-2.0
//! Moves frames both ways, until one side ends or the program is told to.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::stop::Stop;
use crate::tap::Tap;

/// Stands before a frame.
const LENGTH: usize = 4;
/// The longest frame that QEMU takes.
const LONGEST: usize = 4096 + 65536;

/// The frame that is on its way to the socket. There is one at a time: what the other end does
/// not take yet stays in the link's ring.
struct Outgoing {
    buffer: Vec<u8>,
    sent: usize,
    length: usize,
}

impl Outgoing {
    fn new() -> Outgoing {
        Outgoing {
            buffer: vec![0; LENGTH + LONGEST],
            sent: 0,
            length: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.sent == self.length
    }

    fn read(&mut self, tap: &Tap) -> io::Result<()> {
        let length = tap.read(&mut self.buffer[LENGTH..])?;
        self.buffer[..LENGTH].copy_from_slice(&(length as u32).to_be_bytes());
        self.sent = 0;
        self.length = LENGTH + length;
        Ok(())
    }

    fn write(&mut self, mut socket: &UnixStream) -> io::Result<()> {
        self.sent += socket.write(&self.buffer[self.sent..self.length])?;
        Ok(())
    }
}

/// What came from the socket: a part of a frame, or several of them.
struct Incoming {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    fn new() -> Incoming {
        Incoming {
            buffer: vec![0; LENGTH + LONGEST],
            start: 0,
            end: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The first frame, if it is there as a whole.
    fn frame(&self) -> io::Result<Option<&[u8]>> {
        let Some((length, rest)) = self.bytes().split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > LONGEST {
            let text = format!("a frame of {length} bytes from the socket");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Ok(rest.get(..length))
    }

    /// Reads what there is; whether it was the end.
    fn read(&mut self, mut socket: &UnixStream) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let length = match socket.read(&mut self.buffer[self.end..]) {
            // It is closed, and frames were left unread there.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            result => result?,
        };
        self.end += length;
        if length == 0 && self.end > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(length == 0)
    }

    /// Writes the first frame. One that the kernel refuses is reported and dropped, so that it
    /// does not cut others off.
    fn write(&mut self, tap: &Tap) -> io::Result<()> {
        let Some(frame) = self.frame()? else {
            return Ok(());
        };
        let length = frame.len();
        match tap.write(frame) {
            Err(error) if is_for_later(&error) => return Err(error),
            Err(error) => eprintln!("macvtap-stream: a frame of {length} bytes: {error}"),
            Ok(()) => (),
        }
        self.start += LENGTH + length;
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The result, or none if it is to be tried again.
fn unless_later<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_for_later(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Relay {
    outgoing: Outgoing,
    incoming: Incoming,
    /// It takes nothing new.
    stopping: bool,
    /// The other end takes nothing any more.
    deaf: bool,
}

impl Relay {
    /// What it waits for: of the link, the socket and the signals. None if it has done its work.
    fn wanted(&self) -> io::Result<Option<[PollFlags; 3]>> {
        let to_tap = self.incoming.frame()?.is_some();
        let to_socket = !self.outgoing.is_empty();
        if self.stopping && !to_tap && !to_socket {
            return Ok(None);
        }
        let [mut tap, mut socket, mut stop] = [PollFlags::empty(); 3];
        tap.set(
            PollFlags::POLLIN,
            !to_socket && !self.stopping && !self.deaf,
        );
        tap.set(PollFlags::POLLOUT, to_tap);
        socket.set(PollFlags::POLLIN, !to_tap && !self.stopping);
        socket.set(PollFlags::POLLOUT, to_socket);
        stop.set(PollFlags::POLLIN, !self.stopping);
        Ok(Some([tap, socket, stop]))
    }

    fn serve_tap(&mut self, tap: &Tap, events: PollFlags) -> io::Result<()> {
        if events.contains(PollFlags::POLLERR) {
            tap.check()?;
        }
        if events.contains(PollFlags::POLLOUT) {
            unless_later(self.incoming.write(tap))?;
        }
        if events.contains(PollFlags::POLLIN) {
            unless_later(self.outgoing.read(tap))?;
        }
        Ok(())
    }

    /// Whether it goes on.
    fn serve_socket(
        &mut self,
        socket: &UnixStream,
        events: PollFlags,
        wanted: PollFlags,
    ) -> io::Result<bool> {
        let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
        let now = |event| wanted.contains(event) && events.intersects(event | ended);
        if now(PollFlags::POLLOUT) {
            match self.outgoing.write(socket) {
                // What it sent before can still be read.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.outgoing = Outgoing::new();
                    self.deaf = true;
                }
                result => drop(unless_later(result)?),
            }
        }
        if now(PollFlags::POLLIN) {
            let at_end = unless_later(self.incoming.read(socket))?;
            return Ok(at_end != Some(true));
        }
        Ok(true)
    }
}

/// Relays frames between the link and the socket.
pub fn run(tap: &Tap, socket: &UnixStream, stop: &Stop) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let mut relay = Relay {
        outgoing: Outgoing::new(),
        incoming: Incoming::new(),
        stopping: false,
        deaf: false,
    };
    while let Some(wanted) = relay.wanted()? {
        let events = wait([tap.as_fd(), socket.as_fd(), stop.as_fd()], wanted)?;
        relay.serve_tap(tap, events[0])?;
        if !relay.serve_socket(socket, events[1], wanted[1])? {
            break;
        }
        if !events[2].is_empty() {
            stop.acknowledge()?;
            relay.stopping = true;
        }
    }
    Ok(())
}

/// Waits for one of the files to have what is wanted of it, or an error; what each has. An error
/// of a file of which nothing is wanted has time.
fn wait<const N: usize>(
    files: [BorrowedFd; N],
    wanted: [PollFlags; N],
) -> io::Result<[PollFlags; N]> {
    let which: Vec<_> = (0..N).filter(|&at| !wanted[at].is_empty()).collect();
    let mut polled: Vec<_> = which
        .iter()
        .map(|&at| PollFd::new(files[at], wanted[at]))
        .collect();
    let mut events = [PollFlags::empty(); N];
    match poll(&mut polled, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(events),
        result => result?,
    };
    for (at, file) in which.into_iter().zip(polled) {
        events[at] = file.revents().unwrap_or(PollFlags::empty());
    }
    Ok(events)
}
