// SPDX-License-Identifier: GPL-2.0
//! One request and its answer on an rtnetlink socket.

use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL,
    NLM_F_REQUEST,
};
use netlink_packet_route::{
    address::AddressMessage, link::LinkMessage, neighbour::NeighbourMessage, RouteNetlinkMessage,
};
use nix::errno::Errno;
use nix::sys::socket::{
    bind, recv, send, socket, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol,
    SockType,
};

const BUFFER_SIZE: usize = 1 << 16;

pub fn create(link: LinkMessage) -> nix::Result<()> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewLink(link), flags).map(drop)
}

pub fn change(link: LinkMessage) -> nix::Result<()> {
    request(RouteNetlinkMessage::NewLink(link), NLM_F_ACK).map(drop)
}

pub fn delete(link: LinkMessage) -> nix::Result<()> {
    request(RouteNetlinkMessage::DelLink(link), NLM_F_ACK).map(drop)
}

pub fn get(link: LinkMessage) -> nix::Result<LinkMessage> {
    let links = request(RouteNetlinkMessage::GetLink(link), NLM_F_ACK)?;
    links.into_iter().next().ok_or(Errno::ENODEV)
}

pub fn dump() -> nix::Result<Vec<LinkMessage>> {
    request(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        NLM_F_DUMP,
    )
}

pub fn add_address(address: AddressMessage) -> nix::Result<()> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewAddress(address), flags).map(drop)
}

pub fn add_neighbour(neighbour: NeighbourMessage) -> nix::Result<()> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewNeighbour(neighbour), flags).map(drop)
}

/// A socket of its own for every request: a socket stays in the network
/// namespace in which it was made, and tests change theirs.
fn request(message: RouteNetlinkMessage, flags: u16) -> nix::Result<Vec<LinkMessage>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;

    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    send(socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
    answer(&socket)
}

fn answer(socket: &OwnedFd) -> nix::Result<Vec<LinkMessage>> {
    let mut links = Vec::new();
    let mut buffer = vec![0; BUFFER_SIZE];

    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .expect("a well-formed netlink message");
            // Messages are aligned to four bytes.
            let length = (message.header.length as usize + 3) & !3;
            rest = &rest[length.min(rest.len())..];
            match message.payload {
                NetlinkPayload::Error(error) => {
                    return match error.code {
                        None => Ok(links),
                        Some(code) => Err(Errno::from_raw(-code.get())),
                    }
                }
                NetlinkPayload::Done(_) => return Ok(links),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    links.push(link);
                }
                other => panic!("unexpected netlink answer: {other:?}"),
            }
        }
    }
}
