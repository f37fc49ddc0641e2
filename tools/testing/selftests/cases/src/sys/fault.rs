// SPDX-License-Identifier: GPL-2.0
//! Faults that the kernel has itself on request, where it is built with
//! `CONFIG_FAULT_INJECTION`: allocations and copies that fail, notifiers that
//! object. See Documentation/fault-injection in its source.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{gettid, Pid};

use super::module::Module;

const DEBUGFS: &str = "/sys/kernel/debug";

/// Makes one allocation, or copy from or to user space, of one thread's fail.
/// Those in softirqs do not count.
pub struct Faults {
    fail_nth: File,
    caches: Vec<&'static str>,
}

impl Faults {
    /// Whatever the calling thread does.
    pub fn here() -> Faults {
        Faults::of_thread(gettid())
    }

    /// Those of another thread of this process.
    pub fn of_thread(thread: Pid) -> Faults {
        // With a probability of 0, these say what counts and do nothing else.
        // Who wants to know where the faults are says so: stack traces on the
        // console are taken for complaints.
        let verbose = env::var("FAULTS_VERBOSE").unwrap_or("0".into());
        for kind in ["failslab", "fail_page_alloc", "fail_usercopy"] {
            set(&format!("{kind}/verbose"), &verbose);
            set(&format!("{kind}/verbose_ratelimit_interval_ms"), "0");
        }
        set("failslab/ignore-gfp-wait", "N");
        set("fail_page_alloc/ignore-gfp-wait", "N");
        set("fail_page_alloc/min-order", "0");
        let fail_nth = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/self/task/{thread}/fail-nth"))
            .expect("fail-nth");
        Faults {
            fail_nth,
            caches: vec![],
        }
    }

    /// Of the calling thread's allocations, only those from these slab caches,
    /// and no pages. All copies still count.
    pub fn in_caches(caches: &[&'static str]) -> Faults {
        let mut faults = Faults::here();
        set("failslab/cache-filter", "Y");
        set("fail_page_alloc/min-order", "100");
        for &cache in caches {
            fs::write(mark_of(cache), "1").expect("a marked cache");
            faults.caches.push(cache);
        }
        faults
    }

    /// From here on, until one was made to fail.
    pub fn arm(&self, nth: u32) {
        self.fail_nth
            .write_all_at(nth.to_string().as_bytes(), 0)
            .expect("fail-nth");
    }

    /// Whether one was made to fail.
    pub fn disarm(&self) -> bool {
        // Both calls copy, and that may be what fails. Then none has before.
        let mut text = [0; 16];
        let injected = match self.fail_nth.read_at(&mut text, 0) {
            Ok(length) => text[..length] == *b"0\n",
            Err(_) => false,
        };
        let _ = self.fail_nth.write_at(b"0", 0);
        injected
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if !self.caches.is_empty() {
            set("failslab/cache-filter", "N");
        }
        for cache in &self.caches {
            fs::write(mark_of(cache), "0").expect("a cache that is not marked");
        }
    }
}

fn mark_of(cache: &str) -> String {
    format!("/sys/kernel/slab/{cache}/failslab")
}

fn set(knob: &str, value: &str) {
    let path = Path::new(DEBUGFS).join(knob);
    fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The kernel says less on its console: a module's memory that cannot be had
/// comes with a stack trace, which would be taken for a complaint. What KASAN
/// finds is said all the same, and a warning taints the kernel.
pub struct Quiet(String);

impl Quiet {
    const LEVELS: &str = "/proc/sys/kernel/printk";

    pub fn new() -> Quiet {
        let before = fs::read_to_string(Quiet::LEVELS).expect("levels");
        fs::write(Quiet::LEVELS, "4").expect("another level");
        Quiet(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        fs::write(Quiet::LEVELS, &self.0).expect("the level as it was");
    }
}

/// Someone else who is told of what happens to network devices, and may object.
pub struct Objector(#[expect(dead_code, reason = "it is unloaded")] Module);

impl Objector {
    /// Who is told before the drivers are, or after them.
    pub fn load(before: bool) -> Objector {
        let priority = if before { "priority=1" } else { "priority=-1" };
        Objector(Module::load("netdev-notifier-error-inject", &[priority]))
    }

    /// Objects to this while `body` runs, e.g. `NETDEV_REGISTER`.
    pub fn during<T>(&self, event: &str, error: Errno, body: impl FnOnce() -> T) -> T {
        self.set(event, -(error as i32));
        let result = body();
        self.set(event, 0);
        result
    }

    fn set(&self, event: &str, error: i32) {
        let actions = PathBuf::from("notifier-error-inject/netdev/actions");
        let knob = actions.join(event).join("error");
        set(knob.to_str().expect("a path"), &error.to_string());
    }
}
