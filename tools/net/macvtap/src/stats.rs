// SPDX-License-Identifier: GPL-2.0
//! What a link has counted, from the guest's side and from the host's.

use serde::Serialize;

use crate::error::Result;
use crate::link::Link;
use crate::netlink::Netlink;
use crate::node::Node;
use crate::queues::{OpenDevices, Queues};
use crate::sysfs::Sysfs;
use crate::text::{table, to_json};

/// Of one direction.
#[derive(Serialize)]
struct Counters {
    packets: u64,
    bytes: u64,
    errors: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Statistics {
    link: String,
    /// What the guest receives; the host's interface calls it rx as well.
    to_guest: Counters,
    /// What the guest sends: tx.
    from_guest: Counters,
    queues: Option<Queues>,
}

/// What `macvtap stats` prints.
pub fn stats(name: &str, json: bool) -> Result<String> {
    let link = Link::named(&Netlink::connect()?, name)?;
    let open = OpenDevices::look()?;
    let node = Node::of(&link, &Sysfs::open()?).ok();
    let counted = link.statistics;
    let statistics = Statistics {
        to_guest: Counters {
            packets: counted.rx_packets,
            bytes: counted.rx_bytes,
            errors: counted.rx_errors,
            dropped: counted.rx_dropped,
        },
        from_guest: Counters {
            packets: counted.tx_packets,
            bytes: counted.tx_bytes,
            errors: counted.tx_errors,
            dropped: counted.tx_dropped,
        },
        queues: node.map(|node| open.queues(node.device)),
        link: link.name,
    };
    if json {
        to_json(&statistics)
    } else {
        Ok(text(&statistics))
    }
}

fn text(statistics: &Statistics) -> String {
    let head = [
        &statistics.link,
        "ON THE HOST",
        "PACKETS",
        "BYTES",
        "ERRORS",
        "DROPPED",
    ];
    let row = |what: &str, on_the_host: &str, counters: &Counters| {
        let Counters {
            packets,
            bytes,
            errors,
            dropped,
        } = counters;
        let numbers = [packets, bytes, errors, dropped].map(u64::to_string);
        [&[what.to_owned(), on_the_host.to_owned()][..], &numbers].concat()
    };
    let mut text = table(&[
        head.map(str::to_owned).to_vec(),
        row("to the guest", "rx", &statistics.to_guest),
        row("from the guest", "tx", &statistics.from_guest),
    ]);
    let Some(queues) = &statistics.queues else {
        return text;
    };
    text.push('\n');
    let head = ["PROCESS", "COMMAND", "QUEUES"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    rows.extend(queues.users.iter().map(|user| {
        vec![
            user.pid.to_string(),
            user.command.clone(),
            user.queues.to_string(),
        ]
    }));
    let or_more = if queues.complete { "" } else { " or more" };
    rows.push(vec![
        "all".to_owned(),
        String::new(),
        format!("{}{or_more}", queues.open),
    ]);
    text + &table(&rows)
}
