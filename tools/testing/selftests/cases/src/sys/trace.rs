// SPDX-License-Identifier: GPL-2.0
//! What the kernel tells of an event: one of its tracepoints, or a call of one of its
//! functions.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
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

const PROBES: &str = "/sys/kernel/tracing/kprobe_events";

/// Calls of functions, as events of one system.
pub struct Probes {
    system: &'static str,
    names: Vec<&'static str>,
}

impl Probes {
    /// Each with its name, and the function with the arguments that are told.
    pub fn new(system: &'static str, probes: &[(&'static str, &str)]) -> Probes {
        for (name, probe) in probes {
            Probes::write(&format!("p:{system}/{name} {probe}"));
        }
        let names = probes.iter().map(|&(name, _)| name).collect();
        Probes { system, names }
    }

    /// Whether the kernel was built for that.
    pub fn are_possible() -> bool {
        Path::new(PROBES).exists()
    }

    fn write(line: &str) {
        let file = fs::OpenOptions::new().append(true).open(PROBES);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for name in &self.names {
            Probes::write(&format!("-:{}/{name}", self.system));
        }
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
