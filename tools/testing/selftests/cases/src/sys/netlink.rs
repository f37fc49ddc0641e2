// SPDX-License-Identifier: GPL-2.0
//! Requests on rtnetlink sockets and their answers, and what is told unasked.

use std::cell::RefCell;
use std::ffi::CStr;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{
    DefaultNla, ErrorMessage, NetlinkHeader, NetlinkMessage, NetlinkPayload, Nla as _, NlaBuffer,
    NlasIterator, Parseable as _, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST,
};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    bind, recv, send, socket, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol,
    SockType,
};

use super::link::Link;
use super::wait;

thread_local! {
    /// For answers: to make one each time takes longer than all else.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; 1 << 16].into());
}

const RTMGRP_LINK: u32 = libc::RTMGRP_LINK as u32;
const NETLINK_HEADER: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// What a refused request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error: Errno,
    /// The kernel's own words, if it has any.
    pub message: String,
}

impl Refusal {
    pub fn new(error: Errno, message: &str) -> Refusal {
        Refusal {
            error,
            message: message.to_owned(),
        }
    }
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Refusal {
        Refusal::new(error, "")
    }
}

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Errno {
        refusal.error
    }
}

pub fn create(link: LinkMessage) -> Result<(), Refusal> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewLink(link), flags).map(drop)
}

pub fn change(link: LinkMessage) -> Result<(), Refusal> {
    request(RouteNetlinkMessage::NewLink(link), NLM_F_ACK).map(drop)
}

pub fn delete(link: LinkMessage) -> Result<(), Refusal> {
    request(RouteNetlinkMessage::DelLink(link), NLM_F_ACK).map(drop)
}

/// Any message, with flags of the caller's choice. It must be one that is answered
/// by links, and it is acknowledged.
pub fn ask(message: RouteNetlinkMessage, flags: u16) -> Result<(), Refusal> {
    request(message, flags | NLM_F_ACK).map(drop)
}

/// Gives the link the names in its list of properties, or takes them.
pub fn alternative_names(link: LinkMessage, give: bool) -> Result<(), Refusal> {
    let (message, flags) = if give {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        (RouteNetlinkMessage::NewLinkProp(link), flags)
    } else {
        (RouteNetlinkMessage::DelLinkProp(link), NLM_F_ACK)
    };
    request(message, flags).map(drop)
}

pub fn get(link: LinkMessage) -> Result<LinkMessage, Refusal> {
    let links = request(RouteNetlinkMessage::GetLink(link), NLM_F_ACK)?;
    Ok(links.into_iter().next().ok_or(Errno::ENODEV)?)
}

pub fn dump() -> Result<Vec<LinkMessage>, Refusal> {
    request(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        NLM_F_DUMP,
    )
}

pub fn add_address(address: AddressMessage) -> Result<(), Refusal> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewAddress(address), flags).map(drop)
}

pub fn add_neighbour(neighbour: NeighbourMessage) -> Result<(), Refusal> {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    request(RouteNetlinkMessage::NewNeighbour(neighbour), flags).map(drop)
}

/// Makes `id` stand for a network namespace in the current one.
pub fn number_netns(netns: &impl AsRawFd, id: i32) {
    let mut message = NsidMessage::default();
    message.attributes = vec![
        NsidAttribute::Fd(netns.as_raw_fd() as u32),
        NsidAttribute::Id(id),
    ];
    request(RouteNetlinkMessage::NewNsId(message), NLM_F_ACK).expect("an id");
}

fn request(message: RouteNetlinkMessage, flags: u16) -> Result<Vec<LinkMessage>, Refusal> {
    let request = Request::new(message, flags)?;
    request.send()?;
    request.answer()
}

/// What is asked of the kernel, in pieces: as a rule all is done at once.
pub struct Request {
    socket: OwnedFd,
    bytes: Vec<u8>,
}

impl Request {
    pub fn create(link: LinkMessage) -> Request {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        Request::new(RouteNetlinkMessage::NewLink(link), flags).expect("a request")
    }

    pub fn change(link: LinkMessage) -> Request {
        Request::new(RouteNetlinkMessage::NewLink(link), NLM_F_ACK).expect("a request")
    }

    pub fn delete(link: LinkMessage) -> Request {
        Request::new(RouteNetlinkMessage::DelLink(link), NLM_F_ACK).expect("a request")
    }

    /// A socket of its own for every request: a socket stays in the network
    /// namespace in which it was made, and tests change theirs.
    fn new(message: RouteNetlinkMessage, flags: u16) -> nix::Result<Request> {
        let socket = open(0)?;
        // Errors come with a message, and without the request they are about.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            set(&socket, option)?;
        }

        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        Ok(Request { socket, bytes })
    }

    /// When this returns, what is asked for is done, or refused.
    pub fn send(&self) -> nix::Result<()> {
        send(self.socket.as_raw_fd(), &self.bytes, MsgFlags::empty()).map(drop)
    }

    /// `ENOBUFS` if there was no memory for the answer, whatever it would be.
    pub fn answer(&self) -> Result<Vec<LinkMessage>, Refusal> {
        answer(&self.socket)
    }
}

/// A socket that gets what is sent to these groups.
fn open(groups: u32) -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

fn set(socket: &OwnedFd, option: libc::c_int) -> nix::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: The option's value is a C int.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

fn answer(socket: &OwnedFd) -> Result<Vec<LinkMessage>, Refusal> {
    let mut links = Vec::new();
    loop {
        for message in receive(socket)? {
            match message {
                NetlinkPayload::Error(error) => {
                    return match error.code {
                        None => Ok(links),
                        Some(code) => Err(Refusal {
                            error: Errno::from_raw(-code.get()),
                            message: message_of(&error),
                        }),
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

/// What the kernel sends at once.
fn receive(socket: &OwnedFd) -> nix::Result<Vec<NetlinkPayload<RouteNetlinkMessage>>> {
    BUFFER.with_borrow_mut(|buffer| {
        let length = recv(socket.as_raw_fd(), buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                .expect("a well-formed netlink message");
            // Messages are aligned to four bytes.
            let length = (message.header.length as usize + 3) & !3;
            rest = &rest[length.min(rest.len())..];
            messages.push(message.payload);
        }
        Ok(messages)
    })
}

/// Hears of every change of a link in the network namespace it is made in.
pub struct Monitor(OwnedFd);

impl Monitor {
    pub fn open() -> Monitor {
        Monitor(open(RTMGRP_LINK).expect("a netlink socket"))
    }

    /// What was told up to and without the making of `marker`.
    pub fn heard_before(&self, marker: &Link) -> Vec<RouteNetlinkMessage> {
        let mut heard = Vec::new();
        loop {
            wait::events(&self.0, PollFlags::POLLIN);
            for message in receive(&self.0).expect("a message") {
                let NetlinkPayload::InnerMessage(message) = message else {
                    panic!("unexpected message: {message:?}");
                };
                match &message {
                    RouteNetlinkMessage::NewLink(link) if link.header.index == marker.index => {
                        return heard;
                    }
                    _ => heard.push(message),
                }
            }
        }
    }
}

/// It follows the header of the request, among other attributes.
fn message_of(error: &ErrorMessage) -> String {
    let attributes = error.header.get(NETLINK_HEADER..).unwrap_or_default();
    NlasIterator::new(attributes)
        .map(|attribute: Result<NlaBuffer<_>, _>| {
            let attribute = attribute.expect("a well-formed answer");
            DefaultNla::parse(&attribute).expect("an attribute")
        })
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
        .map(|attribute| {
            let mut text = vec![0; attribute.value_len()];
            attribute.emit_value(&mut text);
            let text = CStr::from_bytes_until_nul(&text).expect("a string");
            text.to_string_lossy().into_owned()
        })
        .unwrap_or_default()
}
