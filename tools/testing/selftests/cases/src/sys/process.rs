// SPDX-License-Identifier: GPL-2.0
//! Threads that block, signals that interrupt them, other users.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::errno::Errno;
use nix::sched::{sched_setaffinity, CpuSet};
use nix::sys::prctl;
use nix::sys::resource::{getrusage, UsageWho};
use nix::sys::signal::{self, sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::wait::{waitpid, WaitPidFlag, WaitStatus};
use nix::unistd::{fork, gettid, setgroups, setresgid, setresuid, ForkResult, Gid, Pid, Uid};

use super::wait::{self, DEADLINE};

/// Frames of one sender keep their order as long as they cross one CPU only.
pub fn pin_to_first_cpu() {
    pin_to_cpu(0);
}

pub fn pin_to_cpu(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).expect("a CPU's number");
    sched_setaffinity(Pid::from_raw(0), &cpus).expect("sched_setaffinity");
}

/// Lets nobody run while the calling thread wants to, not even those that it wakes or
/// starts.
pub fn take_precedence() {
    // So that others are not given a share after all.
    fs::write("/proc/sys/kernel/sched_rt_runtime_us", "-1").expect("sched_rt_runtime_us");
    let priority = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: The pointer is that of the parameters.
    let done = unsafe { libc::sched_setscheduler(0, policy, &priority) };
    Errno::result(done).expect("sched_setscheduler");
}

/// Until nobody but the calling thread has something to do, and has not had for a while.
pub fn wait_idle() {
    const TIMES: usize = 5;

    let mut times = 0;
    wait::until("the machine to become idle", || {
        times = if is_idle() { times + 1 } else { 0 };
        times == TIMES
    });
}

fn is_idle() -> bool {
    let load = fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    // Who can run, of how many.
    load.split(' ').any(|word| word.starts_with("1/"))
}

/// How often the calling thread has gone to sleep.
pub fn sleeps() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD)
        .expect("getrusage")
        .voluntary_context_switches()
}

/// A call on a thread of its own that was seen asleep in its system call.
pub struct Blocked<T> {
    thread: Pid,
    system_call: libc::c_long,
    result: Receiver<T>,
}

impl<T: Send + 'static> Blocked<T> {
    pub fn start(system_call: libc::c_long, call: impl FnOnce() -> T + Send + 'static) -> Self {
        let blocked = Blocked::start_any(system_call, call);
        blocked.wait_asleep();
        blocked
    }

    /// It may as well return at once.
    pub fn start_any(system_call: libc::c_long, call: impl FnOnce() -> T + Send + 'static) -> Self {
        let (identity, thread) = mpsc::channel();
        let (sender, result) = mpsc::channel();
        thread::spawn(move || {
            identity.send(gettid()).expect("the starting thread");
            // The test may have ended and no longer care.
            let _ = sender.send(call());
        });
        Blocked {
            thread: thread.recv().expect("the thread's identity"),
            system_call,
            result,
        }
    }

    pub fn wait_asleep(&self) {
        wait::until("a thread to fall asleep in its system call", || {
            self.is_asleep()
        });
    }

    fn is_asleep(&self) -> bool {
        let state = fs::read_to_string(format!("/proc/self/task/{}/syscall", self.thread));
        // It reads "running" while the thread is not asleep.
        state.is_ok_and(|state| state.starts_with(&format!("{} ", self.system_call)))
    }

    /// The result, or none if the call sleeps.
    pub fn result_unless_asleep(&self) -> Option<T> {
        let mut result = None;
        wait::until("a thread to end or to fall asleep", || {
            result = self.result.try_recv().ok();
            result.is_some() || self.is_asleep()
        });
        result
    }

    pub fn result(self) -> T {
        self.result
            .recv_timeout(DEADLINE)
            .expect("the blocked call to return")
    }

    /// The result, if there is one.
    pub fn result_now(&self) -> Option<T> {
        self.result.try_recv().ok()
    }

    /// It need not be there any more.
    pub fn signal(&self) {
        signal_thread(self.thread);
    }
}

/// Interrupts a thread of this process, if there still is one.
pub fn signal_thread(thread: Pid) {
    // SAFETY: tgkill() takes no pointers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            libc::getpid(),
            thread.as_raw(),
            libc::SIGUSR1,
        )
    };
    match Errno::result(done) {
        Ok(_) | Err(Errno::ESRCH) => (),
        Err(error) => panic!("tgkill: {error}"),
    }
}

/// The thread that works for vhost, of the calling process.
pub fn vhost_worker() -> Pid {
    let threads = fs::read_dir("/proc/self/task").expect("the threads");
    threads
        .map(|thread| thread.expect("a thread").path())
        .find(|path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("vhost-"))
        })
        .and_then(|path| path.file_name()?.to_str()?.parse().ok())
        .map(Pid::from_raw)
        .expect("vhost's thread")
}

/// Until a thread of this process has nothing to do.
pub fn wait_thread_asleep(thread: Pid) {
    wait::until("a thread to fall asleep", || {
        let state = fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
        // Behind the name, in parentheses.
        state.is_ok_and(|state| state.contains(") S "))
    });
}

/// Runs `body` in another process, and `meanwhile` in this one, which must have
/// one thread. What fails there fails here.
pub fn in_child(body: impl FnOnce(), meanwhile: impl FnOnce(Pid)) {
    // SAFETY: The caller has one thread, so the child may do anything.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let result = panic::catch_unwind(AssertUnwindSafe(body));
            exit(i32::from(result.is_err()))
        }
        ForkResult::Parent { child } => {
            meanwhile(child);
            let ended = waitpid(child, None).expect("the child");
            assert_eq!(ended, WaitStatus::Exited(child, 0));
        }
    }
}

/// Somebody who is not root.
pub const USER: u32 = 1000;

/// For good: with the user's identity, all capabilities go.
pub fn drop_privileges() {
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    setgroups(&[]).expect("setgroups");
    setresgid(group, group, group).expect("setresgid");
    setresuid(user, user, user).expect("setresuid");
}

/// Runs `body` in a process of somebody who is not root, and who has what files
/// the caller has.
pub fn unprivileged(body: impl FnOnce()) {
    let inside = || {
        drop_privileges();
        body();
    };
    in_child(inside, |_| ());
}

/// A process that does its work until it is killed.
pub struct Worker(Pid);

impl Worker {
    /// The calling process must have one thread.
    pub fn start(body: impl FnOnce()) -> Worker {
        // SAFETY: The caller has one thread, so the child may do anything.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Child => {
                prctl::set_pdeathsig(Signal::SIGKILL).expect("PR_SET_PDEATHSIG");
                // What the caller's functions have is the caller's.
                let _ = panic::catch_unwind(AssertUnwindSafe(body));
                exit(1)
            }
            ForkResult::Parent { child } => Worker(child),
        }
    }

    pub fn process(&self) -> Pid {
        self.0
    }

    /// Whether it has a file open.
    pub fn has_open(&self, path: &str) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.0)).expect("its files");
        let mut files = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        files.any(|file| file == Path::new(path))
    }

    /// Stops it, and lets it go on.
    pub fn pause(&self) {
        signal::kill(self.0, Signal::SIGSTOP).expect("SIGSTOP");
        signal::kill(self.0, Signal::SIGCONT).expect("SIGCONT");
    }

    /// Stops it as a debugger does, and lets it go on.
    pub fn trace(&self) {
        let request = |request, argument: usize| {
            // SAFETY: None of these requests takes a pointer.
            let done = unsafe { libc::ptrace(request, self.0.as_raw(), 0usize, argument) };
            Errno::result(done).expect("ptrace");
        };
        request(libc::PTRACE_SEIZE, 0);
        request(libc::PTRACE_INTERRUPT, 0);
        let stopped = waitpid(self.0, Some(WaitPidFlag::__WALL)).expect("a process to stop");
        assert!(
            matches!(
                stopped,
                WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..)
            ),
            "{stopped:?}"
        );
        request(libc::PTRACE_DETACH, 0);
    }

    /// Without warning. All that it had is gone afterwards.
    pub fn kill(self) {
        signal::kill(self.0, Signal::SIGKILL).expect("a process to kill");
        let mut status = WaitStatus::StillAlive;
        wait::until("a killed process to end", || {
            status = waitpid(self.0, Some(WaitPidFlag::WNOHANG)).expect("the process");
            status != WaitStatus::StillAlive
        });
        let killed = WaitStatus::Signaled(self.0, Signal::SIGKILL, false);
        assert_eq!(status, killed, "it has ended by itself");
    }
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

pub fn handle_signals(flags: SaFlags) {
    let action = SigAction::new(SigHandler::Handler(count_signal), flags, SigSet::empty());
    // SAFETY: The handler does nothing but an atomic addition.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("sigaction");
}

pub fn wait_for_signal() {
    wait::until("the signal handler to run", || {
        SIGNALS.load(Ordering::SeqCst) > 0
    });
}
