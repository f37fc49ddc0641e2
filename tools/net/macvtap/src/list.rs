// SPDX-License-Identifier: GPL-2.0
//! All links, with their nodes and who uses them.

use serde::Serialize;

use crate::error::Result;
use crate::link::Link;
use crate::lower::Lower;
use crate::mac::Mac;
use crate::netlink::Netlink;
use crate::node::Node;
use crate::queues::{OpenDevices, Queues};
use crate::sysfs::Sysfs;
use crate::text::{table, to_json};

/// What is told of a link.
#[derive(Serialize)]
struct Entry {
    link: String,
    index: u32,
    lower: Option<Lower>,
    mode: String,
    state: String,
    mac: Option<Mac>,
    /// None if it is not known, and with it who has it open.
    node: Option<Node>,
    queues: Option<Queues>,
}

/// What `macvtap list` prints.
pub fn list(json: bool) -> Result<String> {
    let netlink = Netlink::connect()?;
    let sysfs = Sysfs::open()?;
    let open = OpenDevices::look()?;
    let entries: Vec<Entry> = Link::all(&netlink)?
        .into_iter()
        .map(|link| {
            let node = Node::of(&link, &sysfs).ok();
            Entry {
                lower: Lower::of(&link, &netlink),
                queues: node.as_ref().map(|node| open.queues(node.device)),
                node,
                link: link.name,
                index: link.index,
                mode: link.mode,
                state: link.state,
                mac: link.mac,
            }
        })
        .collect();
    if json {
        return to_json(&entries);
    }
    let head = ["LINK", "LOWER", "MODE", "STATE", "MAC", "NODE", "QUEUES"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(row));
    Ok(table(&rows))
}

fn row(entry: &Entry) -> Vec<String> {
    let unknown = || "?".to_owned();
    let node = entry.node.as_ref().map(|node| {
        let missing = if node.exists { "" } else { " (missing)" };
        format!("{}{missing}", node.path.display())
    });
    vec![
        entry.link.clone(),
        entry.lower.as_ref().map_or_else(unknown, Lower::to_string),
        entry.mode.clone(),
        entry.state.clone(),
        entry.mac.as_ref().map_or_else(unknown, Mac::to_string),
        node.unwrap_or_else(unknown),
        entry
            .queues
            .as_ref()
            .map_or_else(unknown, Queues::to_string),
    ]
}
