// SPDX-License-Identifier: GPL-2.0

//! A device with its queues, and what becomes of it step by step, the same once in the module's
//! code and once as it should be.

use crate::{
    device::{
        TapDev,
        MAX_QUEUES, //
    },
    queue::{
        Queue,
        QueueRef,
        QueueSock, //
    },
};
use bindings_net as bindings;
use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use kernel_net::net::{
    rtnl,
    sock,
    NetDevice, //
};

/// The number of a queue: of the file that owns it.
pub(crate) type Id = usize;

/// What user space does, or the device's driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Opens the node.
    Open(Id),
    /// Closes the file.
    Close(Id),
    /// `TUNSETQUEUE`.
    Enable(Id),
    /// `TUNSETQUEUE`.
    Disable(Id),
    /// Deletes the link.
    DetachAll,
}

/// How it should be.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    /// How many files were opened, ever.
    pub(crate) opened: usize,
    /// Files that are open, whether their queues are attached or not.
    pub(crate) open: Vec<Id>,
    pub(crate) attached: Vec<Id>,
    /// Those that get frames, by their place in the table.
    pub(crate) enabled: Vec<Id>,
    pub(crate) gone: bool,
}

impl Expected {
    fn position(list: &[Id], id: Id) -> Option<usize> {
        list.iter().position(|&other| other == id)
    }

    /// Does a step. Files are opened and closed once, and only what is open is used.
    pub(crate) fn step(&mut self, step: Step) -> Result {
        match step {
            Step::Open(id) => {
                if self.gone || self.attached.len() == MAX_QUEUES {
                    return Err(EBUSY);
                }
                self.opened += 1;
                self.open.push(id);
                self.attached.push(id);
                self.enabled.push(id);
            }
            Step::Close(id) => {
                self.open.retain(|&other| other != id);
                self.attached.retain(|&other| other != id);
                if let Some(place) = Self::position(&self.enabled, id) {
                    self.enabled.swap_remove(place);
                }
            }
            Step::Enable(id) => {
                if !self.attached.contains(&id) || self.enabled.contains(&id) {
                    return Err(EINVAL);
                }
                self.enabled.push(id);
            }
            Step::Disable(id) => {
                let place = Self::position(&self.enabled, id).ok_or(EINVAL)?;
                self.enabled.swap_remove(place);
            }
            Step::DetachAll => {
                self.attached.clear();
                self.enabled.clear();
                self.gone = true;
            }
        }
        Ok(())
    }
}

/// A device, in memory that its driver has zeroed, and the open files.
pub(crate) struct World {
    // These are boxes, of which others have pointers.
    tap: NonNull<bindings::tap_dev>,
    device: NonNull<NetDevice>,
    files: Vec<Option<QueueRef>>,
    sockets_before: usize,
}

impl World {
    pub(crate) fn new() -> Self {
        let device = NonNull::from(Box::leak(Box::new(NetDevice::new())));
        // SAFETY: All zeroes are a valid value: so the drivers in C begin.
        let zeroed = unsafe { MaybeUninit::<bindings::tap_dev>::zeroed().assume_init() };
        let tap = Box::into_raw(Box::new(zeroed));
        // SAFETY: It is valid, and nobody else knows it.
        unsafe {
            (*tap).dev = device.as_ptr().cast();
            let head = &raw mut (*tap).queue_list;
            (*head).next = head;
            (*head).prev = head;
            for place in 0..MAX_QUEUES {
                (*tap).taps[place].touch();
            }
            (*tap).numvtaps.touch();
            (*tap).tap_features.touch();
        }
        Self {
            // SAFETY: It comes from a box.
            tap: unsafe { NonNull::new_unchecked(tap) },
            device,
            files: Vec::new(),
            sockets_before: sock::alive(),
        }
    }

    /// Returns the device as the module sees it.
    pub(crate) fn tap(&self) -> &TapDev {
        // SAFETY: The module's structure has the layout of C's, and this is an initialised one.
        unsafe { self.tap.cast().as_ref() }
    }

    /// Returns the device as C sees it, for who has it to himself.
    fn in_c(&self) -> &bindings::tap_dev {
        // SAFETY: It is valid until `self` is dropped.
        unsafe { self.tap.as_ref() }
    }

    pub(crate) fn device(&self) -> &NetDevice {
        // SAFETY: It is valid until `self` is dropped.
        unsafe { self.device.as_ref() }
    }

    /// Returns the queue of a file, for who has it open.
    pub(crate) fn file(&self, id: Id) -> &QueueRef {
        self.files[id].as_ref().expect("an open file")
    }

    /// Returns whose queue it is.
    pub(crate) fn owner(&self, queue: &QueueSock) -> Option<Id> {
        self.files.iter().position(|file| {
            file.as_deref()
                .is_some_and(|other| core::ptr::eq(other, queue))
        })
    }

    /// Does a step, in the order in which the module's functions do it.
    pub(crate) fn step(&mut self, step: Step, held: &mut rtnl::Held) -> Result {
        match step {
            Step::Open(id) => {
                let queue = QueueRef::new(Queue::new(1))?;
                queue.device.get(held);
                queue.settings.iff_flags();
                queue.settings.vnet_hdr_size();
                self.tap().attach(&queue, held)?;
                if self.files.len() <= id {
                    self.files.resize_with(id + 1, || None);
                }
                self.files[id] = Some(queue);
                Ok(())
            }
            Step::Close(id) => {
                let queue = self.files[id].take().expect("an open file");
                TapDev::detach(&queue, held);
                Ok(())
            }
            Step::Enable(id) => {
                let queue = self.file(id);
                let device = queue.device.get(held).ok_or(EINVAL)?;
                queue.set_findable(true);
                device.enable(queue.clone(), held)
            }
            Step::Disable(id) => {
                let queue = self.file(id);
                let device = queue.device.get(held).ok_or(EINVAL)?;
                device.disable(queue, held)
            }
            Step::DetachAll => {
                self.tap().detach_all(held);
                Ok(())
            }
        }
    }

    /// Says that a grace period has passed since the last step: those who have left are not found
    /// any more.
    pub(crate) fn grace_period_has_passed(&self, held: &rtnl::Held) {
        for queue in self.files.iter().flatten() {
            if queue.index.get(held).is_none() {
                queue.set_findable(false);
            }
        }
    }

    /// Compares everything.
    pub(crate) fn check(&self, expected: &Expected, held: &rtnl::Held) {
        let tap = self.in_c();
        let count = tap.numvtaps.peek() as usize;
        assert_eq!(count, expected.enabled.len(), "the count of the enabled");
        for (place, slot) in tap.taps.iter().enumerate() {
            let queue = slot.peek().cast::<QueueSock>();
            // SAFETY: The table owns a reference, and nobody changes it.
            let queue = unsafe { queue.as_ref() };
            let owner = queue.map(|queue| self.owner(queue).expect("an owner"));
            assert_eq!(owner, expected.enabled.get(place).copied(), "slot {place}");
        }

        let head = &raw const tap.queue_list;
        let mut attached = 0;
        let mut link = tap.queue_list.next.cast_const();
        while link != head {
            attached += 1;
            assert!(attached <= expected.attached.len(), "too long a list");
            // SAFETY: The list is valid.
            link = unsafe { (*link).next };
        }
        assert_eq!(attached, expected.attached.len(), "the length of the list");
        let count = if expected.gone { MAX_QUEUES } else { attached };
        assert_eq!(tap.numqueues as usize, count, "the count of the attached");
        // Each of them has a reference.
        assert_eq!(
            self.device().references(),
            attached,
            "references of the device"
        );

        for &id in &expected.open {
            let queue = self.file(id);
            let place = expected.enabled.iter().position(|&other| other == id);
            let index = queue.index.get(held).map(usize::from);
            assert_eq!(index, place, "the index of queue {id}");
            let device = queue.device.get(held);
            assert_eq!(device.is_some(), expected.attached.contains(&id));
        }
    }

    /// Closes all files, deletes the link, and looks whether anything is left.
    pub(crate) fn end(mut self) {
        {
            let mut held = rtnl::lock();
            self.tap().detach_all(&mut held);
            for queue in self.files.drain(..).flatten() {
                TapDev::detach(&queue, &mut held);
            }
        }
        rcu::grace_period();
        assert_eq!(sock::alive(), self.sockets_before, "queues were lost");
        assert_eq!(self.device().references(), 0, "references were lost");
    }

    /// Says that the device's memory is free: who uses it from here on fails.
    #[cfg(feature = "loom")]
    pub(crate) fn free_device(&self) {
        self.in_c().tap_features.retire();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Who knows who uses them.
            return;
        }
        // SAFETY: They come from boxes, and nobody uses them any more.
        unsafe {
            drop(Box::from_raw(self.tap.as_ptr()));
            drop(Box::from_raw(self.device.as_ptr()));
        }
    }
}
