// SPDX-License-Identifier: GPL-2.0
//! Requests to the kernel by rtnetlink, and its answers.

use std::ffi::CStr;
use std::io;

use netlink_packet_core::{
    ErrorMessage, NetlinkMessage, NetlinkPayload, NlaBuffer, NlasIterator, NLM_F_ACK, NLM_F_DUMP,
    NLM_F_REQUEST,
};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};
use rustix::io::Errno;

use crate::error::Refusal;

const NLMSGERR_ATTR_MSG: u16 = 1;
/// Of the request, before the attributes in an error.
const HEADER: usize = 16;

/// A connection to the network namespace that it is made in.
pub struct Netlink(Socket);

impl Netlink {
    /// Makes one.
    pub fn connect() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Errors come with a message, and without the request they are about.
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Netlink(socket))
    }

    /// The link that `wanted` names or numbers.
    pub fn link(&self, wanted: LinkMessage) -> Result<LinkMessage, Refusal> {
        let answers = self.ask(RouteNetlinkMessage::GetLink(wanted), NLM_F_ACK)?;
        links(answers).next().ok_or(Errno::NODEV.into())
    }

    /// All links that `wanted` describes.
    pub fn links(&self, wanted: LinkMessage) -> Result<Vec<LinkMessage>, Refusal> {
        let answers = self.ask(RouteNetlinkMessage::GetLink(wanted), NLM_F_DUMP)?;
        Ok(links(answers).collect())
    }

    /// Changes a link.
    pub fn change(&self, link: LinkMessage) -> Result<(), Refusal> {
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_ACK)
            .map(drop)
    }

    /// What this namespace calls another one, of which `file` is open; None if it has no number
    /// for it.
    pub fn namespace_id(&self, file: i32) -> Result<Option<i32>, Refusal> {
        let mut wanted = NsidMessage::default();
        wanted.attributes = vec![NsidAttribute::Fd(file as u32)];
        let answers = self.ask(RouteNetlinkMessage::GetNsId(wanted), NLM_F_ACK)?;
        let ids = answers.into_iter().flat_map(|answer| match answer {
            RouteNetlinkMessage::NewNsId(message) => message.attributes,
            _ => Vec::new(),
        });
        let mut ids = ids.filter_map(|attribute| match attribute {
            NsidAttribute::Id(id) => Some(id),
            _ => None,
        });
        Ok(ids.next().filter(|id| *id >= 0))
    }

    fn ask(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Refusal> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0).map_err(errno)?;

        let mut answers = Vec::new();
        loop {
            let (bytes, _) = self.0.recv_from_full().map_err(errno)?;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let message = NetlinkMessage::deserialize(rest).map_err(|error| Refusal {
                    errno: Errno::BADMSG,
                    message: error.to_string(),
                })?;
                // Messages are aligned to four bytes.
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = &rest[length.min(rest.len())..];
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) => {
                        return match error.code {
                            None => Ok(answers),
                            Some(code) => Err(Refusal {
                                errno: Errno::from_raw_os_error(-code.get()),
                                message: words(&error).unwrap_or_default(),
                            }),
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

fn links(answers: Vec<RouteNetlinkMessage>) -> impl Iterator<Item = LinkMessage> {
    answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    })
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// The kernel's own, among the attributes of an error.
fn words(error: &ErrorMessage) -> Option<String> {
    let text = NlasIterator::new(error.header.get(HEADER..)?)
        .filter_map(|attribute: Result<NlaBuffer<_>, _>| attribute.ok())
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)?;
    let text = CStr::from_bytes_until_nul(text.value()).ok()?;
    Some(text.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroI32;

    fn error(header: Vec<u8>) -> ErrorMessage {
        let mut error = ErrorMessage::default();
        error.code = NonZeroI32::new(-22);
        error.header = header;
        error
    }

    #[test]
    fn words_of_an_error() {
        let request = vec![0; HEADER];
        let other = [8, 0, 2, 0, 9, 9, 9, 9];
        let text = [&[9, 0, 1, 0][..], b"odd\0\0\0\0\0"].concat();
        assert_eq!(words(&error(Vec::new())), None);
        assert_eq!(words(&error(request.clone())), None);
        let answer = [&request[..], &other].concat();
        assert_eq!(words(&error(answer.clone())), None);
        let answer = [&answer[..], &text].concat();
        assert_eq!(words(&error(answer)).as_deref(), Some("odd"));
    }
}
