// SPDX-License-Identifier: GPL-2.0
//! Containers, by the runtime crun: a program with namespaces and a control group of its own,
//! to which the group allows some devices.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};

use nix::mount::{mount, MsFlags};

use super::sample;
use super::wait;

const NAME: &str = "mt-container";
const GROUPS: &str = "/sys/fs/cgroup";

/// A character device's number.
#[derive(Clone, Copy)]
pub struct Device {
    pub major: u64,
    pub minor: u64,
}

pub struct Container {
    /// Who the program is.
    pub user: u32,
    /// A line of shell.
    pub program: String,
    /// Nodes that are made for it, and are the user's.
    pub nodes: Vec<(String, Device)>,
    /// What the control group allows.
    pub allowed: Vec<Device>,
    /// The path of its network namespace, if it gets none of its own.
    pub netns: Option<String>,
}

impl Container {
    /// What a runtime is told (the OCI runtime specification).
    fn config(&self) -> String {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|(path, device)| self.node(path, *device))
            .collect();
        let allowed = self.allowed.iter().map(|device| {
            let Device { major, minor } = device;
            format!(
                r#"{{"allow": true, "type": "c", "major": {major}, "minor": {minor}, "access": "rwm"}}"#
            )
        });
        let rules: Vec<_> = [r#"{"allow": false, "access": "rwm"}"#.to_owned()]
            .into_iter()
            .chain(allowed)
            .collect();
        let netns = self
            .netns
            .iter()
            .map(|path| format!(r#", "path": "{path}""#));
        let netns: String = netns.collect();
        // Root has what is needed to make nodes, others have nothing.
        let capabilities = if self.user == 0 { r#""CAP_MKNOD""# } else { "" };
        let samples = sample::path("");
        format!(
            r#"{{
            "ociVersion": "1.0.2",
            "root": {{"path": "root"}},
            "process": {{
                "user": {{"uid": {user}, "gid": {user}}},
                "args": ["/bin/sh", "-ec", {program:?}],
                "env": ["PATH=/samples:/usr/sbin:/usr/bin"],
                "cwd": "/",
                "noNewPrivileges": true,
                "capabilities": {{
                    "bounding": [{capabilities}],
                    "permitted": [{capabilities}],
                    "effective": [{capabilities}]
                }}
            }},
            "mounts": [
                {{"destination": "/proc", "type": "proc", "source": "proc"}},
                {{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}},
                {{"destination": "/usr", "source": "/usr", "options": ["rbind", "ro"]}},
                {{"destination": "/samples", "source": {samples:?}, "options": ["rbind", "ro"]}}
            ],
            "linux": {{
                "cgroupsPath": "/{NAME}",
                "namespaces": [
                    {{"type": "mount"}}, {{"type": "pid"}}, {{"type": "ipc"}}, {{"type": "uts"}},
                    {{"type": "cgroup"}}, {{"type": "network"{netns}}}
                ],
                "devices": [{nodes}],
                "resources": {{"devices": [{rules}]}}
            }}
        }}"#,
            user = self.user,
            program = self.program,
            nodes = nodes.join(", "),
            rules = rules.join(", "),
        )
    }

    fn node(&self, path: &str, Device { major, minor }: Device) -> String {
        let user = self.user;
        format!(
            r#"{{"path": "{path}", "type": "c", "major": {major}, "minor": {minor},
                "fileMode": 384, "uid": {user}, "gid": {user}}}"#
        )
    }

    pub fn run(&self) -> Running {
        mount_groups();
        let bundle = PathBuf::from(format!("/run/{NAME}-{}", process::id()));
        let root = bundle.join("root");
        for directory in ["proc", "dev", "usr", "samples"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        for directory in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{directory}"), root.join(directory)).expect("a symbolic link");
        }
        fs::write(bundle.join("config.json"), self.config()).expect("the configuration");
        let mut command = crun("run");
        command.arg("--bundle").arg(&bundle).arg(NAME);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running {
            runtime: command.spawn().expect("crun"),
            bundle,
        }
    }
}

/// It is killed when this goes out of scope.
pub struct Running {
    runtime: Child,
    bundle: PathBuf,
}

impl Running {
    pub fn has_ended(&mut self) -> bool {
        self.runtime.try_wait().expect("crun").is_some()
    }

    /// Its exit status, and what it has said.
    pub fn end(&mut self) -> (Option<i32>, String) {
        wait::until("the container to end", || self.has_ended());
        let mut said = String::new();
        let mut stdout = self.runtime.stdout.take().expect("its output");
        stdout.read_to_string(&mut said).expect("its output");
        let mut stderr = self.runtime.stderr.take().expect("its errors");
        stderr.read_to_string(&mut said).expect("its errors");
        (self.runtime.wait().expect("its status").code(), said)
    }

    /// What it has said.
    pub fn kill(&mut self) -> String {
        let killed = crun("kill").args([NAME, "KILL"]).status().expect("crun");
        assert!(killed.success(), "the container cannot be killed");
        self.end().1
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = crun("delete")
            .args(["--force", NAME])
            .stderr(Stdio::null())
            .status();
        let _ = self.runtime.wait();
        let _ = fs::remove_dir_all(&self.bundle);
    }
}

fn crun(verb: &str) -> Command {
    let mut command = Command::new("crun");
    command.args(["--cgroup-manager=cgroupfs", verb]);
    command
}

/// Where runtimes look for control groups.
fn mount_groups() {
    if !Path::new(GROUPS).join("cgroup.procs").exists() {
        let none = None::<&str>;
        mount(none, GROUPS, Some("cgroup2"), MsFlags::empty(), none).expect("cgroup2");
    }
}
