// SPDX-License-Identifier: GPL-2.0
//! Which input is being run, for when it is the last one.
//!
//! It goes to the kernel's log, where it costs little: the console gets no
//! messages of this level. When the kernel panics it writes the whole log to the
//! console again, with them.

use std::fs::{self, File};
use std::io::Write;
use std::process;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{gettid, Pid};

use crate::hex;

/// An input is run in some hundredths of a second.
const LIMIT: Duration = Duration::from_secs(60);

const DEBUG: &str = "<7>";

struct Current {
    number: u64,
    input: String,
    started: Instant,
}

pub struct Record {
    log: File,
    current: Arc<Mutex<Option<Current>>>,
    number: u64,
}

impl Record {
    /// Also watches the calling thread: if an input takes too long, the program
    /// says so and ends.
    pub fn start() -> Record {
        set("/proc/sys/kernel/printk", "7");
        set("/proc/sys/kernel/printk_devkmsg", "on\n");
        // As Documentation/admin-guide/sysctl/kernel.rst has it: replay the log.
        set("/proc/sys/kernel/panic_print", "32");
        let current = Arc::new(Mutex::new(None));
        let watched = Arc::clone(&current);
        let thread = gettid();
        thread::spawn(move || watch(&watched, thread));
        Record {
            log: File::options()
                .write(true)
                .open("/dev/kmsg")
                .expect("/dev/kmsg"),
            current,
            number: 0,
        }
    }

    pub fn begin(&mut self, input: &[u8]) {
        self.number += 1;
        let input = hex::encode(input);
        let message = format!("{DEBUG}fuzz: input {} {input}", self.number);
        // One write is one message.
        self.log.write_all(message.as_bytes()).expect("/dev/kmsg");
        *self.current.lock().expect("the watching thread") = Some(Current {
            number: self.number,
            input,
            started: Instant::now(),
        });
    }

    pub fn end(&self) {
        *self.current.lock().expect("the watching thread") = None;
    }
}

fn set(knob: &str, value: &str) {
    fs::write(knob, value).unwrap_or_else(|error| panic!("{knob}: {error}"));
}

fn watch(watched: &Mutex<Option<Current>>, thread: Pid) {
    loop {
        thread::sleep(Duration::from_secs(1));
        let current = watched.lock().expect("the watched thread");
        let Some(current) = &*current else {
            continue;
        };
        if current.started.elapsed() > LIMIT {
            println!("fuzz: input {} {}", current.number, current.input);
            println!("it hangs:");
            let stack = fs::read_to_string(format!("/proc/self/task/{thread}/stack"));
            println!("{}", stack.unwrap_or_default());
            process::exit(1);
        }
    }
}
