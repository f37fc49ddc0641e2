// SPDX-License-Identifier: GPL-2.0

//! A queue: what an open file owns.

use crate::{
    device::TapDev,
    gone::Notice,
    vnet::Endian, //
};
use bindings_net as bindings;
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed,
        rcu, //
    },
};
use kernel_net::{
    net::{
        device::Features,
        rtnl,
        sock::{
            Sock,
            SockBorrow,
            SockRef, //
        },
        SkbArray, //
    },
    sync::{
        Atomic,
        RcuPtr, //
    },
};

/// A queue with the socket that it lives in.
pub(crate) type QueueSock = Sock<Queue>;

/// A reference of a queue.
pub(crate) type QueueRef = SockRef<Queue>;

/// A queue that is borrowed from its open file.
pub(crate) type QueueBorrow<'a> = SockBorrow<'a, Queue>;

/// A queue: frames for one reader, and the settings of its file.
#[pin_data]
pub(crate) struct Queue {
    /// The device it is attached to; none once that is gone.
    pub(crate) device: RcuPtr<ARef<TapDev>>,
    /// Its place in the device's table; none while it gets no frames.
    pub(crate) index: rtnl::Cell<Option<u16>>,
    pub(crate) settings: Settings,
    /// For pollers, when the device is gone.
    pub(crate) notice: Notice,
    /// Received frames. Never moves: vhost-net has a pointer to it.
    #[pin]
    pub(crate) ring: SkbArray,
}

impl Queue {
    /// Creates a queue that holds `len` frames and is not attached.
    pub(crate) fn new(len: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device: RcuPtr::null(),
            index: rtnl::Cell::new(None),
            settings: Settings::new(),
            notice: Notice::new(),
            ring <- SkbArray::new(len),
        })
    }

    /// Counts a frame that was not sent, if there is a device still.
    pub(crate) fn count_tx_dropped(&self) {
        let rcu = rcu::read_lock();
        if let Some(device) = self.device.load(&rcu) {
            device.count_tx_dropped(&rcu);
        }
    }

    /// Counts a frame that was not delivered, if there is a device still.
    pub(crate) fn count_rx_dropped(&self) {
        let rcu = rcu::read_lock();
        if let Some(device) = self.device.load(&rcu) {
            device.count_rx_dropped(&rcu);
        }
    }
}

/// `IFF_*` flags that `TUNGETIFF` shows of any queue.
pub(crate) const IFF_FIXED: u32 = bindings::IFF_TAP | bindings::IFF_NO_PI;

/// `IFF_*` flags that `TUNSETIFF` sets or clears.
pub(crate) const IFF_SETTABLE: u32 = bindings::IFF_VNET_HDR | bindings::IFF_MULTI_QUEUE;

/// Whether the virtio-net header is little-endian, in the flags of a queue as in those of C.
const VNET_LE: u32 = 0x8000_0000;
const VNET_BE: u32 = 0x4000_0000;

/// How much of the virtio-net header is read and written (`struct virtio_net_hdr`), in bytes. The
/// rest of a longer one is ignored and zeroed.
pub(crate) const VNET_HDR_MIN: i32 = size_of::<bindings::virtio_net_hdr>() as i32;

/// What ioctls set. All of it is read without a lock, and set so but for the offloads.
pub(crate) struct Settings {
    flags: Atomic<u32>,
    vnet_hdr_size: Atomic<i32>,
    /// As the device has it, or had when there was one, so that a reader need not look that up.
    offload: Atomic<u64>,
}

/// The virtio-net header before each frame, as a file's user wants it.
#[derive(Clone, Copy)]
pub(crate) struct VnetFormat {
    /// Its size in bytes, at least [`VNET_HDR_MIN`].
    pub(crate) size: usize,
    /// Its byte order.
    pub(crate) endian: Endian,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            flags: Atomic::new(IFF_FIXED | bindings::IFF_VNET_HDR),
            vnet_hdr_size: Atomic::new(VNET_HDR_MIN),
            offload: Atomic::new(Features::NONE.bits()),
        }
    }

    /// Returns which packets the reader can take.
    #[inline]
    pub(crate) fn offload(&self) -> Features {
        Features::from_bits(self.offload.load(Relaxed))
    }

    /// Sets which packets the reader can take.
    pub(crate) fn set_offload(&self, features: Features) {
        self.offload.store(features.bits(), Relaxed);
    }

    /// Returns what comes before each frame, if anything. Take it once per frame.
    #[inline]
    pub(crate) fn vnet_format(&self) -> Option<VnetFormat> {
        let flags = self.flags.load(Relaxed);
        if flags & bindings::IFF_VNET_HDR == 0 {
            return None;
        }
        // Never negative: see `set_vnet_hdr_size`.
        let size = self.vnet_hdr_size.load(Relaxed) as usize;
        let endian = Self::endian(flags);
        Some(VnetFormat { size, endian })
    }

    /// Returns whether a virtio-net header comes before each frame.
    #[inline]
    pub(crate) fn has_vnet_hdr(&self) -> bool {
        self.flags.load(Relaxed) & bindings::IFF_VNET_HDR != 0
    }

    fn endian(flags: u32) -> Endian {
        if flags & VNET_LE != 0 || cfg!(target_endian = "little") && !Self::is_big_endian(flags) {
            Endian::Little
        } else {
            Endian::Big
        }
    }

    fn is_big_endian(flags: u32) -> bool {
        cfg!(CONFIG_TUN_VNET_CROSS_LE) && flags & VNET_BE != 0
    }

    /// Returns the `IFF_*` flags as `TUNGETIFF` shows them.
    pub(crate) fn iff_flags(&self) -> u16 {
        // CAST: The flags in the upper half are not for users.
        self.flags.load(Relaxed) as u16
    }

    fn update(&self, clear: u32, set: u32) {
        let mut old = self.flags.load(Relaxed);
        if old & !clear | set == old {
            return;
        }
        // Ioctls on the same file may run at the same time, and must not lose each other's bits.
        while let Err(current) = self.flags.cmpxchg(old, old & !clear | set, Relaxed) {
            old = current;
        }
    }

    /// Sets the flags among [`IFF_SETTABLE`].
    pub(crate) fn set_iff_flags(&self, flags: u32) {
        self.update(IFF_SETTABLE, flags & IFF_SETTABLE);
    }

    /// Returns the size of the virtio-net header, in bytes.
    pub(crate) fn vnet_hdr_size(&self) -> i32 {
        self.vnet_hdr_size.load(Relaxed)
    }

    /// Sets the size of the virtio-net header, in bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for less than [`VNET_HDR_MIN`].
    pub(crate) fn set_vnet_hdr_size(&self, size: i32) -> Result {
        if size < VNET_HDR_MIN {
            return Err(EINVAL);
        }
        self.vnet_hdr_size.store(size, Relaxed);
        Ok(())
    }

    /// Returns whether the virtio-net header is little-endian by request.
    pub(crate) fn vnet_le(&self) -> bool {
        self.flags.load(Relaxed) & VNET_LE != 0
    }

    /// Makes the virtio-net header little-endian, or not.
    pub(crate) fn set_vnet_le(&self, on: bool) {
        self.update(VNET_LE, if on { VNET_LE } else { 0 });
    }

    /// Returns whether the virtio-net header is big-endian by request.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the kernel does not support that.
    pub(crate) fn vnet_be(&self) -> Result<bool> {
        if !cfg!(CONFIG_TUN_VNET_CROSS_LE) {
            return Err(EINVAL);
        }
        Ok(self.flags.load(Relaxed) & VNET_BE != 0)
    }

    /// Makes the virtio-net header big-endian, or not.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the kernel does not support that.
    pub(crate) fn set_vnet_be(&self, on: bool) -> Result {
        if !cfg!(CONFIG_TUN_VNET_CROSS_LE) {
            return Err(EINVAL);
        }
        self.update(VNET_BE, if on { VNET_BE } else { 0 });
        Ok(())
    }
}
