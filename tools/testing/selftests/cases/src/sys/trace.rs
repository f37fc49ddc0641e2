// SPDX-License-Identifier: GPL-2.0
//! What one of the kernel's tracepoints tells.

use std::fs;
use std::path::PathBuf;
use std::process;

const INSTANCES: &str = "/sys/kernel/tracing/instances";

pub struct Trace {
    instance: PathBuf,
    event: &'static str,
}

impl Trace {
    /// Those events that pass a filter.
    pub fn of(event: &'static str, filter: &str) -> Trace {
        let instance = PathBuf::from(INSTANCES).join(format!("mt-{}", process::id()));
        fs::create_dir(&instance).expect("an instance of tracefs");
        let trace = Trace { instance, event };
        trace.write(&format!("events/{event}/filter"), filter);
        trace.write(&format!("events/{event}/enable"), "1");
        trace
    }

    /// All since the last call, in the order of time, a line each.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.instance.join("trace")).expect("the trace");
        self.write("trace", "");
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.instance.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

/// The number that a line has behind `name`.
#[track_caller]
pub fn number(line: &str, name: &str) -> usize {
    let (_, value) = line.split_once(&format!(" {name}=")).expect(name);
    let value = value.split(' ').next().expect(name);
    value.parse().expect(name)
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.write(&format!("events/{}/enable", self.event), "0");
        fs::remove_dir(&self.instance).expect("the instance to be removed");
    }
}
