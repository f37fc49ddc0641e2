// SPDX-License-Identifier: GPL-2.0

//! Reading and writing by other kernel code: vhost-net.

use crate::{
    queue::{
        Queue,
        QueueSock, //
    },
    read,
    transmit, //
};
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    str::CStr, //
};
use kernel_net::net::{
    sock::SocketOps,
    DropReason,
    SkBuff,
    XdpFrame,
    ZeroCopy, //
};

impl SocketOps for Queue {
    const NAME: &'static CStr = c"tap";

    type OwnerModule = crate::LocalModule;

    #[inline]
    fn sendmsg(
        sock: &QueueSock,
        from: &mut IovIterSource<'_>,
        sender: &mut Option<ZeroCopy>,
        nonblock: bool,
    ) -> Result<usize> {
        transmit::write(sock, from, Some(sender), nonblock)
    }

    #[inline]
    fn send_frame(sock: &QueueSock, frame: XdpFrame) {
        transmit::write_frame(sock, frame);
    }

    #[inline]
    fn recvmsg(
        sock: &QueueSock,
        skb: Option<SkBuff>,
        to: &mut IovIterDest<'_>,
        nonblock: bool,
    ) -> Result<usize> {
        match skb {
            Some(skb) if to.is_empty() => {
                skb.drop_reason(DropReason::NotSpecified);
                Ok(0)
            }
            Some(skb) => read::deliver(sock, skb, to)?.ok_or(EINVAL),
            None => read::read(sock, to, nonblock),
        }
    }

    #[inline]
    fn peek_len(sock: &QueueSock) -> c_int {
        sock.ring.peek_len()
    }
}
