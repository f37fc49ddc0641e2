// SPDX-License-Identifier: GPL-2.0
//! What went wrong, in words for the operator, and as an exit status.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// The exit status of a failure that has none of its own.
pub const FAILED: u8 = 1;
/// There is no such link, or it is not a macvtap link.
pub const NO_LINK: u8 = 3;
/// The caller may not do this.
pub const NOT_PERMITTED: u8 = 4;
/// The driver that is loaded cannot do this.
pub const NOT_SUPPORTED: u8 = 5;

/// Why a command failed: the cause and, if there is one, the remedy.
#[derive(Debug)]
pub struct Error {
    /// The exit status that tells it to scripts.
    pub status: u8,
    message: String,
}

/// What commands return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with an exit status of its own.
    pub fn new(status: u8, message: impl Into<String>) -> Error {
        Error {
            status,
            message: message.into(),
        }
    }

    /// Any other one.
    pub fn failed(message: impl Into<String>) -> Error {
        Error::new(FAILED, message)
    }

    /// The same with another exit status.
    pub fn with_status(self, status: u8) -> Error {
        Error { status, ..self }
    }

    /// What the kernel said to an attempt, and what helps if it was a matter of permission.
    pub fn of_kernel(attempt: impl fmt::Display, said: &Refusal, remedy: &str) -> Error {
        if matches!(said.errno, Errno::PERM | Errno::ACCESS) {
            Error::new(NOT_PERMITTED, format!("{attempt}: {said}: {remedy}"))
        } else {
            Error::failed(format!("{attempt}: {said}"))
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::failed(error.to_string())
    }
}

/// The kernel's answer to what it did not do.
#[derive(Debug)]
pub struct Refusal {
    /// The error's number.
    pub errno: Errno,
    /// More about it in the kernel's own words, if it has any.
    pub message: String,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Refusal {
        Refusal {
            errno,
            message: String::new(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the number that std puts behind the text.
        let text = io::Error::from(self.errno).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or_default())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
