// SPDX-License-Identifier: GPL-2.0

//! Frames from user space to the device.

use crate::{
    queue::QueueSock,
    vnet::Header, //
};
use bindings_net as bindings;
use kernel::{
    error::code::ERESTARTSYS,
    iov::IovIterSource,
    prelude::*,
    sync::rcu, //
};
use kernel_net::{
    compat::enetdown,
    iov::SourceExt,
    net::{
        DropReason,
        NetDevice,
        SkBuff,
        XdpFrame,
        ZeroCopy, //
    },
};

/// Length of an Ethernet header, in bytes.
const ETH_HLEN: usize = bindings::ETH_HLEN as usize;

const ETH_P_802_3_MIN: u16 = bindings::ETH_P_802_3_MIN as u16;
const ETH_P_802_2: u16 = bindings::ETH_P_802_2 as u16;

/// Space before the Ethernet header that lets the one behind it be aligned, in bytes.
const RESERVE: u16 = bindings::HH_DATA_OFF_ETH;

/// The longest linear part that fits into a page, in bytes.
const LINEAR_MAX: usize = bindings::SKB_MAX_HEAD_RESERVE2;

/// How much of a long frame is in its linear part, in bytes, if the sender does not say: the headers,
/// as a rule (`GOODCOPY_LEN`). With less they would be sought in pages, or moved.
const HEADERS: usize = 128;

/// Writes one frame, with what comes before it, and returns its length.
///
/// The packet takes the `sender`, if it has its pages. If the device is gone the frame is dropped,
/// which is no error if `nonblock` is set.
///
/// # Errors
///
/// `EINVAL` for a frame that is too short or has a malformed header; `EAGAIN` if the send buffer
/// is full and `nonblock` is set, `ERESTARTSYS` if a signal arrives while waiting for it; `EFAULT`
/// if the source cannot be read; `ENETDOWN` if the device is gone; `ENOBUFS`, `EMSGSIZE`.
#[inline(always)]
pub(crate) fn write(
    queue: &QueueSock,
    from: &mut IovIterSource<'_>,
    sender: Option<&mut Option<ZeroCopy>>,
    nonblock: bool,
) -> Result<usize> {
    let total = from.len();
    let zero_copy = sender.as_ref().is_some_and(|sender| sender.is_some());
    let sent = match receive(queue, from, zero_copy, nonblock) {
        Ok((skb, header, Pages::Copied)) => send(queue, skb, header, None),
        Ok((skb, header, Pages::Sender)) => send(queue, skb, header, sender),
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => Ok(total),
        Err(error) => not_sent(queue, error, nonblock).map(|()| total),
    }
}

/// Makes what the caller is told of what went wrong.
#[cold]
fn not_sent(queue: &QueueSock, error: Error, nonblock: bool) -> Result {
    match error {
        // The device is gone.
        EPIPE if nonblock => Ok(()),
        EPIPE => Err(enetdown()),
        // The frame is to be written again, and not dropped.
        EAGAIN | ERESTARTSYS => Err(error),
        _ => {
            queue.count_tx_dropped();
            Err(error)
        }
    }
}

/// Sends a frame that lies in memory of the kernel, as vhost-net has it.
pub(crate) fn write_frame(queue: &QueueSock, frame: XdpFrame) {
    let sent = match receive_frame(queue, frame) {
        Ok((skb, header)) => send(queue, skb, header, None),
        Err(error) => Err(error),
    };
    if sent.is_err() {
        queue.count_tx_dropped();
    }
}

/// Makes a packet of a frame that lies in memory of the kernel.
fn receive_frame(queue: &QueueSock, frame: XdpFrame) -> Result<(SkBuff, Option<Header>)> {
    // It comes from a guest.
    if frame.len() < ETH_HLEN {
        return Err(EINVAL);
    }
    let header = match queue.settings.vnet_format() {
        None => None,
        Some(format) => Some(Header::decode(frame.header().ok_or(EINVAL)?, format.endian)),
    };
    Ok((frame.into_skb()?, header))
}

/// In whose pages a frame lies.
enum Pages {
    /// In its own.
    Copied,
    /// In those of the sender, but for its beginning.
    Sender,
}

/// Gets a frame from user space, and its virtio-net header, if the queue wants one.
#[inline(always)]
fn receive(
    queue: &QueueSock,
    from: &mut IovIterSource<'_>,
    zero_copy: bool,
    nonblock: bool,
) -> Result<(SkBuff, Option<Header>, Pages)> {
    let (header, wanted) = match queue.settings.vnet_format() {
        None => (None, 0),
        Some(format) => {
            let (header, wanted) = Header::read(from, format)?;
            (Some(header), wanted)
        }
    };

    let len = from.len();
    if len < ETH_HLEN {
        return Err(EINVAL);
    }
    let linear = match wanted {
        0 => HEADERS,
        wanted => wanted.into(),
    };
    let linear = linear.clamp(ETH_HLEN, LINEAR_MAX);
    if zero_copy && queue.zero_copy() && from.pages_from(linear) <= bindings::MAX_SKB_FRAGS as usize
    {
        let skb = queue.map_from(from, RESERVE, linear, nonblock)?;
        return Ok((skb, header, Pages::Sender));
    }
    let skb = queue.receive_from(from, RESERVE, linear, nonblock)?;
    Ok((skb, header, Pages::Copied))
}

/// Sends a frame, which takes the `sender` if it is sent.
#[inline(always)]
fn send(
    queue: &QueueSock,
    mut skb: SkBuff,
    header: Option<Header>,
    sender: Option<&mut Option<ZeroCopy>>,
) -> Result {
    let rcu = rcu::read_lock();
    let Some(device) = queue.device.load(&rcu) else {
        skb.drop_reason(DropReason::DevReady);
        return Ok(());
    };
    let prepared = prepare(&mut skb, header, device.device(), &rcu).and_then(|()| {
        match sender.and_then(Option::take) {
            Some(sender) => skb.set_zero_copy(sender),
            None => Ok(()),
        }
    });
    match prepared {
        Ok(()) => {
            skb.transmit(device.device(), &rcu);
            Ok(())
        }
        Err(error) => {
            skb.drop_reason(DropReason::DevHdr);
            Err(error)
        }
    }
}

/// Finds the headers of a frame.
#[inline(always)]
fn prepare(
    skb: &mut SkBuff,
    header: Option<Header>,
    device: &NetDevice,
    rcu: &rcu::Guard,
) -> Result {
    skb.set_ethernet_header()?;
    if let Some(header) = header {
        header.apply(skb, device)?;
    }
    // Needs the network header before VLAN tags.
    skb.probe_transport_header(device, rcu);
    if let Some(depth) = skb.vlan_depth() {
        skb.set_network_header(depth)?;
    }
    if u16::from_be_bytes(skb.protocol()) < ETH_P_802_3_MIN {
        // That is a length, of an IEEE 802.3 frame.
        skb.set_protocol(ETH_P_802_2.to_be_bytes());
    }
    Ok(())
}
