// SPDX-License-Identifier: GPL-2.0

//! A network device's side: which queues are attached to it.

use crate::{
    ffi::{
        Callbacks,
        DevicePtr, //
    },
    gone,
    queue::{
        QueueRef,
        QueueSock, //
    },
};
use bindings_net as bindings;
use core::mem::offset_of;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed,
            Release, //
        },
        rcu,
    },
};
use kernel_net::{
    net::{
        device::Features,
        rtnl,
        NetDevice,
        SkBuff,
        SkbArray, //
    },
    sync::{
        Atomic,
        RcuPtr, //
    },
};

/// How many queues a device can have (`MAX_TAP_QUEUES`).
pub(crate) const MAX_QUEUES: usize = bindings::MAX_TAP_QUEUES as usize;

/// The part of a device that concerns its queues: `struct tap_dev` of `if_tap.h`.
///
/// It lies in the private area of a `net_device`, which owns it. Drivers zero it, initialise the
/// list, and set `device` and the callbacks.
#[repr(C)]
pub(crate) struct TapDev {
    pub(crate) device: DevicePtr,
    _flags: u16,
    /// The queues that get frames; the first `enabled` of these.
    queues: [RcuPtr<QueueRef>; MAX_QUEUES],
    /// All queues that are attached, whether they get frames or not.
    attached: rtnl::List<QueueSock>,
    enabled: Atomic<i32>,
    attached_count: rtnl::Cell<i32>,
    offload: Atomic<u64>,
    pub(crate) minor: rtnl::Cell<i32>,
    pub(crate) callbacks: Callbacks,
}

impl TapDev {
    /// Returns the network device.
    pub(crate) fn device(&self) -> &NetDevice {
        self.device.get()
    }

    /// Returns which packets the readers of all queues can take.
    #[inline]
    pub(crate) fn offload(&self) -> Features {
        Features::from_bits(self.offload.load(Relaxed))
    }

    /// Sets which packets the readers of all queues can take.
    pub(crate) fn set_offload(&self, features: Features, held: &rtnl::Held) {
        self.offload.store(features.bits(), Relaxed);
        for queue in self.attached.iter(held) {
            queue.settings.set_offload(features);
        }
    }

    /// Attaches a new queue. It gets frames from here on.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are as many queues as can be, or the device is going away.
    pub(crate) fn attach(&self, queue: &QueueRef, held: &mut rtnl::Held) -> Result {
        let count = self.attached_count.get(held);
        if count >= MAX_QUEUES as i32 {
            return Err(EBUSY);
        }
        // Fails for a queue that is attached already.
        self.attached
            .push_back(queue.clone(), held)
            .map_err(|_| EBUSY)?;
        #[expect(clippy::arithmetic_side_effects, reason = "that was compared above")]
        self.attached_count.set(count + 1, held);
        queue.settings.set_offload(self.offload());
        queue.device.replace(Some(self.into()), held);
        self.enable(queue.clone(), held)
            .inspect_err(|_| Self::detach(queue, held))
    }

    /// Detaches a queue from its device, if it has one still.
    pub(crate) fn detach(queue: &QueueSock, held: &mut rtnl::Held) {
        let Some(device) = queue.device.replace(None, held) else {
            return;
        };
        // Fails if it gets no frames anyway.
        let _ = device.disable(queue, held);
        rtnl::List::remove(queue, held);
        let count = device.attached_count.get(held);
        // OVERFLOW: This queue was counted.
        device.attached_count.set(count.wrapping_sub(1), held);
    }

    /// Detaches all queues: the device is going away. None can be attached any more.
    pub(crate) fn detach_all(&self, held: &mut rtnl::Held) {
        while let Some(queue) = self.attached.pop_front(held) {
            queue.device.replace(None, held);
            // Fails if it gets no frames anyway.
            let _ = self.disable(&queue, held);
            gone::tell(&queue);
        }
        self.attached_count.set(MAX_QUEUES as i32, held);
    }

    /// Lets a queue that is attached get frames.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it does already.
    pub(crate) fn enable(&self, queue: QueueRef, held: &mut rtnl::Held) -> Result {
        if queue.index.get(held).is_some() {
            return Err(EINVAL);
        }
        let index = self.enabled_count();
        // There is a slot for each queue that can be attached.
        let slot = self.queues.get(index).ok_or(EBUSY)?;
        queue.index.set(Some(index as u16), held);
        slot.replace(Some(queue), held);
        // After the slot: whoever sees the count finds the queue.
        #[expect(
            clippy::arithmetic_side_effects,
            reason = "there is a slot of that index"
        )]
        self.enabled.store(index as i32 + 1, Release);
        Ok(())
    }

    /// Lets a queue get no more frames.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it does not.
    pub(crate) fn disable(&self, queue: &QueueSock, held: &mut rtnl::Held) -> Result {
        let index = queue.index.get(held).ok_or(EINVAL)?;
        let last = self.enabled_count().checked_sub(1).ok_or(EINVAL)?;
        let (Some(slot), Some(last_slot)) =
            (self.queues.get(usize::from(index)), self.queues.get(last))
        else {
            return Err(EINVAL);
        };
        // The last queue takes the place, so that there is never an empty slot among those that
        // the count covers. Readers with the old count may find the last slot empty; then they
        // look again, and see the new count.
        let moved = last_slot.get(held);
        if let Some(moved) = &moved {
            moved.index.set(Some(index), held);
        }
        slot.replace(moved, held);
        self.enabled.store(last as i32, Release);
        last_slot.replace(None, held);
        queue.index.set(None, held);
        Ok(())
    }

    #[inline]
    fn enabled_count(&self) -> usize {
        // Never negative, and at most `MAX_QUEUES`.
        self.enabled.load(Relaxed) as usize
    }

    /// Chooses the queue for a frame that was received: by its flow, or else by the receive queue
    /// of the device it came in on, or else the first.
    ///
    /// `None` if no queue gets frames.
    #[inline]
    pub(crate) fn select<'a>(
        &'a self,
        skb: &mut SkBuff,
        rcu: &'a rcu::Guard,
    ) -> Option<&'a QueueSock> {
        loop {
            let count = self.enabled.load(Acquire) as u32;
            let index = choose(count, skb)?;
            if let Some(queue) = self.queues.get(index as usize)?.load(rcu) {
                return Some(queue);
            }
            // The queue has left since the count was read, and the count has changed.
        }
    }

    /// Gives all rings the length of the device's transmit queue. What there is no room for any more
    /// is dropped, and counted.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; all rings then have their old lengths.
    pub(crate) fn resize(&self, held: &rtnl::Held) -> Result {
        let dropped = SkbArray::resize_all(
            self.attached.iter(held).map(|queue| &queue.ring),
            self.device().tx_queue_len(),
            held,
        )?;
        let rcu = rcu::read_lock();
        for _ in 0..dropped {
            self.count_rx_dropped(&rcu);
        }
        Ok(())
    }
}

/// Chooses one of `count` queues for a frame that was received.
#[inline]
pub(crate) fn choose(count: u32, skb: &mut SkBuff) -> Option<u32> {
    match count {
        0 => None,
        1 => Some(0),
        #[expect(clippy::arithmetic_side_effects, reason = "the count is not zero")]
        _ => Some(match (skb.hash(), skb.rx_queue()) {
            (0, Some(queue)) => u32::from(queue) % count,
            (hash, _) => hash % count,
        }),
    }
}

// The layout is that of C: other modules embed and initialise the structure.
const _: () = {
    assert!(size_of::<TapDev>() == size_of::<bindings::tap_dev>());
    assert!(align_of::<TapDev>() == align_of::<bindings::tap_dev>());
    assert!(offset_of!(TapDev, device) == offset_of!(bindings::tap_dev, dev));
    assert!(offset_of!(TapDev, queues) == offset_of!(bindings::tap_dev, taps));
    assert!(offset_of!(TapDev, attached) == offset_of!(bindings::tap_dev, queue_list));
    assert!(offset_of!(TapDev, enabled) == offset_of!(bindings::tap_dev, numvtaps));
    assert!(offset_of!(TapDev, attached_count) == offset_of!(bindings::tap_dev, numqueues));
    assert!(offset_of!(TapDev, offload) == offset_of!(bindings::tap_dev, tap_features));
    assert!(offset_of!(TapDev, minor) == offset_of!(bindings::tap_dev, minor));
    assert!(offset_of!(TapDev, callbacks) == offset_of!(bindings::tap_dev, update_features));
};
