// SPDX-License-Identifier: GPL-2.0
//! The commands that show and change receive filters.

use serde::Serialize;

use crate::cli::{FilterCommand, Parts};
use crate::error::{Error, Result, NOT_SUPPORTED};
use crate::filter::{Filter, TooLong};
use crate::link::Link;
use crate::netlink::Netlink;
use crate::text::{printable, to_json};
use crate::vlans::Vlans;

const REMEDY: &str = "run as root (it takes CAP_NET_ADMIN in the network namespace of the link)";

#[derive(Serialize)]
struct Shown<'a> {
    link: &'a str,
    filter: Option<Filter>,
}

/// What `macvtap filter` prints.
pub fn run(command: FilterCommand) -> Result<String> {
    let netlink = Netlink::connect()?;
    match command {
        FilterCommand::Show { name, json } => {
            let link = Link::named(&netlink, &name)?;
            let (link, filter) = (&link.name, link.filter()?);
            if json {
                return to_json(&Shown { link, filter });
            }
            Ok(match filter {
                None => format!("{} has no receive filter\n", printable(link)),
                Some(filter) => format!("{}\n{filter}", printable(link)),
            })
        }
        FilterCommand::Set { name, parts } => set(&netlink, &name, &parts.into()),
        FilterCommand::Clear { name } => clear(&netlink, &name),
    }
}

impl From<Parts> for Filter {
    fn from(parts: Parts) -> Filter {
        let mut vlans = Vlans::NONE;
        for range in parts.vlan {
            vlans.add(range);
        }
        Filter {
            promisc: parts.promisc,
            allmulti: parts.allmulti,
            unicast: parts.unicast.into_iter().collect(),
            multicast: parts.multicast.into_iter().collect(),
            vlans,
        }
    }
}

fn set(netlink: &Netlink, name: &str, filter: &Filter) -> Result<String> {
    let link = Link::named(netlink, name)?;
    let attempt = format!("cannot set the receive filter of {}", link.name);
    let attribute = filter.attribute().map_err(|TooLong| {
        Error::failed(format!(
            "{attempt}: these are too many addresses for one request"
        ))
    })?;
    netlink
        .change(link.change(attribute))
        .map_err(|said| Error::of_kernel(&attempt, &said, REMEDY))?;
    // A driver that does not know the attribute says nothing.
    match Link::named(netlink, name)?.filter()? {
        Some(now) if now == *filter => Ok(String::new()),
        Some(_) => Err(Error::failed(format!(
            "{attempt}: it is another one now: does somebody else set it?"
        ))),
        None => Err(Error::new(
            NOT_SUPPORTED,
            format!(
                "{attempt}: the macvtap driver that is loaded has no receive filters: load the one in Rust"
            ),
        )),
    }
}

fn clear(netlink: &Netlink, name: &str) -> Result<String> {
    let link = Link::named(netlink, name)?;
    let attempt = format!("cannot remove the receive filter of {}", link.name);
    if link.filter()?.is_none() {
        return Ok(format!("{} has no receive filter\n", printable(&link.name)));
    }
    netlink
        .change(link.change(Filter::removal()))
        .map_err(|said| Error::of_kernel(&attempt, &said, REMEDY))?;
    match Link::named(netlink, name)?.filter()? {
        None => Ok(String::new()),
        Some(_) => Err(Error::failed(format!("{attempt}: it is still there"))),
    }
}
