// SPDX-License-Identifier: GPL-2.0

//! Frames from the device into a ring.

use crate::{
    device::TapDev,
    offload,
    queue::QueueSock, //
};
use bindings_net as bindings;
use kernel::sync::rcu;
use kernel_net::{
    net::{
        device::Features,
        gso::Segmented,
        DropReason,
        SkBuff, //
    },
    wait::PollEvents,
};

/// What became of a frame.
pub(crate) enum Verdict {
    /// It was taken, into a ring or dropped.
    Consumed,
    /// It was left for the host's network stack.
    Pass(SkBuff),
}

/// The longest frame that a reader expects, in bytes: so the virtio specification has it. The stack
/// may merge longer ones (BIG TCP).
const LONGEST: usize = 65550;

/// Handles a frame that the device has received, with its start behind the Ethernet header.
#[inline]
pub(crate) fn handle_frame(device: &TapDev, mut skb: SkBuff, rcu: &rcu::Guard) -> Verdict {
    let Some(queue) = device.select(&mut skb, rcu) else {
        return Verdict::Pass(skb);
    };
    if let Err((skb, reason)) = enqueue(device, queue, skb, rcu) {
        skb.drop_reason(reason);
        device.count_rx_dropped(rcu);
    }
    Verdict::Consumed
}

/// Puts a frame into the ring, made so that the reader can take it.
#[inline]
fn enqueue(
    device: &TapDev,
    queue: &QueueSock,
    mut skb: SkBuff,
    rcu: &rcu::Guard,
) -> Result<(), (SkBuff, DropReason)> {
    if skb.push(bindings::ETH_HLEN as usize).is_err() {
        return Err((skb, DropReason::DevHdr));
    }
    let mut features = offload::accepted(queue.settings.offload(), queue.settings.has_vnet_hdr());
    if skb.len() > LONGEST {
        features = features.without(Features::GSO_MASK);
    }
    let full = |skb| (skb, DropReason::FullRing);

    if skb.needs_gso(features) {
        match skb.segment(features) {
            Err(skb) => return Err((skb, DropReason::SkbGsoSeg)),
            Ok(Segmented::Whole(skb)) => queue.ring.produce(skb).map_err(full)?,
            Ok(Segmented::Segments(segments)) => {
                let left = {
                    let mut ring = queue.ring.producer();
                    segments.deliver(|skb| ring.produce(skb))
                };
                for _ in 0..left.drop_reason(DropReason::FullRing) {
                    device.count_rx_dropped(rcu);
                }
            }
        }
    } else {
        if skb.needs_checksum(features) && skb.complete_checksum(features).is_err() {
            return Err((skb, DropReason::SkbCsum));
        }
        queue.ring.produce(skb).map_err(full)?;
    }
    queue.wake_up(PollEvents::WAKE_READERS);
    Ok(())
}
