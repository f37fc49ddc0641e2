// SPDX-License-Identifier: GPL-2.0
//! Lower devices, which may be in another network namespace than their links.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::link::{name_of, Link};
use crate::netlink::Netlink;

/// Where namespaces that "ip netns" has made have their names.
const NAMED: &str = "/run/netns";
/// That of the machine, or of the container.
const INITIAL: &str = "/proc/1/ns/net";

/// The lower device of a link.
#[derive(Debug, Serialize)]
pub struct Lower {
    /// Its name, if this user may know it.
    pub name: Option<String>,
    /// Its interface index.
    pub index: u32,
    /// The network namespace it is in, if that is another one.
    pub namespace: Option<Namespace>,
}

/// Another network namespace.
#[derive(Debug, Serialize)]
pub struct Namespace {
    /// Its number in this one.
    pub id: i32,
    /// A file that stands for it, if one is known.
    pub path: Option<PathBuf>,
}

impl Lower {
    /// That of the link.
    pub fn of(link: &Link, netlink: &Netlink) -> Option<Lower> {
        let index = link.lower?;
        Some(Lower {
            name: name_of(netlink, index, link.lower_namespace),
            index,
            namespace: link.lower_namespace.map(|id| Namespace {
                id,
                path: path_of(netlink, id),
            }),
        })
    }
}

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "if{}", self.index)?,
        }
        match &self.namespace {
            None => Ok(()),
            Some(Namespace {
                path: Some(path), ..
            }) => write!(f, " in {}", path.display()),
            Some(Namespace { id, .. }) => write!(f, " in netnsid {id}"),
        }
    }
}

/// A file for the namespace of that number.
fn path_of(netlink: &Netlink, id: i32) -> Option<PathBuf> {
    let named = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths.push(INITIAL.into());
    paths.into_iter().find(|path| {
        File::open(path)
            .is_ok_and(|file| netlink.namespace_id(file.as_raw_fd()).ok().flatten() == Some(id))
    })
}
