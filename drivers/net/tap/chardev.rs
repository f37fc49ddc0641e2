// SPDX-License-Identifier: GPL-2.0

//! Major and minor numbers, and the operations of the open files.

use crate::{
    device::TapDev,
    ffi::DevHandle,
    ioctl,
    queue::{
        Queue,
        QueueBorrow,
        QueueRef, //
    },
    read,
    transmit, //
};
use kernel::{
    fs::Kiocb,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    maple_tree::{
        AllocErrorKind,
        InsertErrorKind,
        MapleTreeAlloc, //
    },
    prelude::*,
    sync::aref::ARef,
    types::ForeignOwnable, //
};
use kernel_net::{
    cdev::{
        DeviceNumber,
        MINORS,
        SPARE_MINORS, //
    },
    fs::{
        FileOperations,
        KiocbExt,
        Operations,
        PollTable, //
    },
    maple_tree::SharedMapleTree,
    net::{
        device::Features,
        rtnl,
        Namespace, //
    },
    wait::PollEvents,
};

/// The operations of all files.
pub(crate) static OPERATIONS: FileOperations<Chardev> = FileOperations::new();

/// A major number, and which device each of its minor numbers stands for.
struct Major {
    number: u32,
    minors: SharedMapleTree<KBox<DevHandle>>,
}

/// The major numbers of all drivers that are loaded.
static MAJORS: rtnl::Cell<KVec<Major>> = rtnl::Cell::new(KVec::new());

fn major(number: u32, held: &rtnl::Held) -> Option<&Major> {
    MAJORS
        .as_ref(held)
        .iter()
        .find(|major| major.number == number)
}

/// Adds a major number.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn add_major(number: u32, held: &mut rtnl::Held) -> Result {
    let minors = SharedMapleTree::new()?;
    MAJORS
        .as_mut(held)
        .push(Major { number, minors }, GFP_KERNEL)?;
    Ok(())
}

/// Removes a major number, and whatever devices it has left.
pub(crate) fn remove_major(number: u32, held: &mut rtnl::Held) {
    let majors = MAJORS.as_mut(held);
    majors.retain(|major| major.number != number);
    if majors.is_empty() {
        // Nobody frees a static.
        *majors = KVec::new();
    }
}

/// Minor numbers for devices whose interface index is taken, or too large.
pub(crate) const FALLBACK: core::ops::Range<usize> =
    SPARE_MINORS.start as usize..SPARE_MINORS.end as usize;

/// Gives a device a minor number: its interface index, if it has one and the number is free. So
/// the names of nodes, made of the index, and their numbers agree. Of two devices with the same index
/// in different namespaces, the second gets one of [`SPARE_MINORS`].
///
/// Drivers that do not say which network device it is get the lowest free number.
///
/// # Errors
///
/// `EINVAL` if there is no such major number, or no minor number left; `ENOMEM`.
pub(crate) fn get_minor(number: u32, handle: DevHandle, held: &mut rtnl::Held) -> Result<u32> {
    let ifindex = handle.get(held).map(|device| device.device().ifindex());
    let minors = &major(number, held).ok_or(EINVAL)?.minors;
    alloc_minor(minors, ifindex, KBox::new(handle, GFP_KERNEL)?)
}

/// Puts `entry` under a minor number: see [`get_minor`].
pub(crate) fn alloc_minor<T: ForeignOwnable>(
    minors: &MapleTreeAlloc<T>,
    ifindex: Option<i32>,
    mut entry: T,
) -> Result<u32> {
    let range = match ifindex {
        None => 1..MINORS as usize,
        Some(ifindex) => {
            let index = usize::try_from(ifindex).unwrap_or(0);
            if (1..MINORS as usize).contains(&index) {
                match minors.insert(index, entry, GFP_KERNEL) {
                    Ok(()) => return Ok(index as u32),
                    Err(error) if error.cause == InsertErrorKind::Occupied => entry = error.value,
                    Err(error) => return Err(error.cause.into()),
                }
            }
            FALLBACK
        }
    };
    match minors.alloc_range(1, entry, range, GFP_KERNEL) {
        Ok(minor) => Ok(minor as u32),
        Err(error) => {
            if error.cause == AllocErrorKind::Busy {
                pr_err!("too many tap devices\n");
                return Err(EINVAL);
            }
            Err(error.cause.into())
        }
    }
}

/// Takes a minor number back.
pub(crate) fn free_minor(number: u32, minor: u32, held: &mut rtnl::Held) {
    if let Some(major) = major(number, held) {
        major.minors.erase(minor as usize);
    }
}

/// Returns the device that a device number stands for.
fn find(number: DeviceNumber, held: &rtnl::Held) -> Option<ARef<TapDev>> {
    let major = major(number.major(), held)?;
    let mut minors = major.minors.lock();
    let handle = minors.load(number.minor() as usize)?;
    handle.get(held).map(ARef::from)
}

/// The character device.
pub(crate) struct Chardev;

impl Operations for Chardev {
    type Ptr = QueueRef;

    type OwnerModule = crate::LocalModule;

    const NOWAIT: bool = true;

    #[inline]
    fn open(number: DeviceNumber) -> Result<QueueRef> {
        let mut held = rtnl::lock();
        let device = find(number, &held).ok_or(ENODEV)?;
        let len = device.device().tx_queue_len();
        // Pages of any memory go out as they are.
        let zero_copy = device
            .device()
            .features()
            .contains(Features::HIGHDMA.with(Features::SG));
        let queue = Namespace::with_current(|namespace| {
            QueueRef::new(namespace, zero_copy, Queue::new(len))
        })?;
        device.attach(&queue, &mut held)?;
        Ok(queue)
    }

    #[inline]
    fn release(queue: QueueRef) {
        TapDev::detach(&queue, &mut rtnl::lock());
        // Packets keep their senders' sockets, which may be this one, or one whose ring has a
        // packet of this one: so what is not read must go now, and nothing may come after.
        queue.ring.close();
    }

    #[inline]
    fn read_iter(kiocb: &mut Kiocb<'_, QueueRef>, to: &mut IovIterDest<'_>) -> Result<usize> {
        let room = to.len();
        let queue = kiocb.file();
        let len = match read::read(&queue, to, kiocb.nonblock()) {
            Err(EAGAIN) => Err(queue.no_frame(kiocb.nowait())),
            result => result,
        }?
        .min(room);
        if len > 0 {
            *kiocb.ki_pos_mut() = len as i64;
        }
        Ok(len)
    }

    #[inline]
    fn write_iter(kiocb: &mut Kiocb<'_, QueueRef>, from: &mut IovIterSource<'_>) -> Result<usize> {
        transmit::write(&kiocb.file(), from, None, kiocb.nonblock())
    }

    #[inline]
    fn poll<'a>(queue: QueueBorrow<'a>, table: &PollTable<'a>) -> PollEvents {
        let queue = queue.get();
        table.register(queue.wait_queue());
        let mut events = PollEvents::NONE;
        if queue.poll_writable() {
            events = events.and(PollEvents::WRITABLE);
        }
        events = queue.notice.poll(events);
        // The last: its lock takes calls, across which less is to be kept then.
        if !queue.ring.is_empty() {
            events = events.and(PollEvents::READABLE);
        }
        events
    }

    #[inline]
    fn ioctl(queue: QueueBorrow<'_>, cmd: u32, arg: usize) -> Result {
        ioctl::ioctl(queue, cmd, arg)
    }
}
