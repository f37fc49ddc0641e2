// SPDX-License-Identifier: GPL-2.0

//! The `TUN*` ioctls, and those of the link-layer address.

use crate::{
    device::TapDev,
    offload::{
        self,
        Offloads, //
    },
    queue::{
        QueueBorrow,
        QueueSock,
        IFF_FIXED,
        IFF_SETTABLE, //
    },
};
use bindings_net as bindings;
use core::mem::offset_of;
use kernel::{
    prelude::*,
    sync::aref::ARef,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};
use kernel_net::{
    compat::enolink,
    net::{device::SOCKADDR_SIZE, rtnl},
    uaccess::{
        copy_to_user,
        GetUser,
        PutUser, //
    },
};

/// A value in user space.
#[derive(Clone, Copy)]
struct User(usize);

impl User {
    /// Reads it (`get_user()`).
    fn get<T: GetUser>(self) -> Result<T> {
        T::get_user(self.0)
    }

    /// Reads bytes (`copy_from_user()`).
    fn get_bytes<const N: usize>(self) -> Result<[u8; N]> {
        UserSlice::new(UserPtr::from_addr(self.0), N)
            .reader()
            .read()
    }

    /// Writes it (`put_user()`).
    fn put<T: PutUser>(self, value: T) -> Result {
        value.put_user(self.0)
    }

    /// Writes bytes (`copy_to_user()`).
    fn put_bytes(self, bytes: &[u8]) -> Result {
        copy_to_user(self.0, bytes)
    }

    /// Returns what comes behind the name in a `struct ifreq`.
    fn ifreq_data(self) -> User {
        // The user's number: it may be anything.
        User(self.0.wrapping_add(offset_of!(bindings::ifreq, ifr_ifru)))
    }
}

/// What is wanted, with what the user gave for it.
enum Request {
    SetInterface { flags: u16 },
    GetInterface { to: User },
    SetQueue { flags: u16 },
    GetFeatures { to: User },
    SetSendBuffer { bytes: i32 },
    SetOffload(Offloads),
    GetMacAddress { to: User },
    SetMacAddress([u8; SOCKADDR_SIZE]),
    GetVnetHdrSize { to: User },
    SetVnetHdrSize { bytes: i32 },
    GetVnetLe { to: User },
    SetVnetLe(bool),
    GetVnetBe { to: User },
    SetVnetBe { from: User },
}

impl Request {
    /// # Errors
    ///
    /// `EINVAL` for an unknown command, `EFAULT` if what comes with it cannot be read.
    fn decode(cmd: u32, arg: usize) -> Result<Self> {
        let user = User(arg);
        Ok(match cmd {
            bindings::TUNSETIFF => Self::SetInterface {
                flags: user.ifreq_data().get()?,
            },
            bindings::TUNGETIFF => Self::GetInterface { to: user },
            bindings::TUNSETQUEUE => Self::SetQueue {
                flags: user.ifreq_data().get()?,
            },
            bindings::TUNGETFEATURES => Self::GetFeatures { to: user },
            bindings::TUNSETSNDBUF => Self::SetSendBuffer { bytes: user.get()? },
            // The argument is the value itself.
            bindings::TUNSETOFFLOAD => Self::SetOffload(arg.try_into()?),
            bindings::SIOCGIFHWADDR => Self::GetMacAddress { to: user },
            bindings::SIOCSIFHWADDR => Self::SetMacAddress(user.ifreq_data().get_bytes()?),
            bindings::TUNGETVNETHDRSZ => Self::GetVnetHdrSize { to: user },
            bindings::TUNSETVNETHDRSZ => Self::SetVnetHdrSize { bytes: user.get()? },
            bindings::TUNGETVNETLE => Self::GetVnetLe { to: user },
            bindings::TUNSETVNETLE => Self::SetVnetLe(user.get::<i32>()? != 0),
            bindings::TUNGETVNETBE => Self::GetVnetBe { to: user },
            bindings::TUNSETVNETBE => Self::SetVnetBe { from: user },
            _ => return Err(EINVAL),
        })
    }
}

/// Handles an ioctl.
///
/// # Errors
///
/// `EINVAL` for an unknown command or an invalid argument, `EFAULT` for a bad pointer, `ENOLINK` if
/// the device is needed and gone; and those that the request says.
pub(crate) fn ioctl(queue: QueueBorrow<'_>, cmd: u32, arg: usize) -> Result {
    match Request::decode(cmd, arg)? {
        Request::SetInterface { flags } => set_interface(&queue, flags.into()),
        Request::GetInterface { to } => get_interface(&queue, to),
        Request::SetQueue { flags } => set_queue(queue, flags.into()),
        Request::GetFeatures { to } => to.put(IFF_FIXED | IFF_SETTABLE),
        Request::SetSendBuffer { bytes } => {
            if bytes <= 0 {
                return Err(EINVAL);
            }
            queue.set_send_buffer(bytes);
            Ok(())
        }
        Request::SetOffload(offloads) => {
            let mut held = rtnl::lock();
            let device = attached_device(&queue, &held)?;
            offload::set(&device, offloads, &mut held);
            Ok(())
        }
        Request::GetMacAddress { to } => get_mac_address(&queue, to),
        Request::SetMacAddress(address) => {
            let mut held = rtnl::lock();
            let device = attached_device(&queue, &held)?;
            device.device().set_mac_address(address, &mut held)
        }
        Request::GetVnetHdrSize { to } => to.put(queue.settings.vnet_hdr_size()),
        Request::SetVnetHdrSize { bytes } => queue.settings.set_vnet_hdr_size(bytes),
        Request::GetVnetLe { to } => to.put(i32::from(queue.settings.vnet_le())),
        Request::SetVnetLe(on) => {
            queue.settings.set_vnet_le(on);
            Ok(())
        }
        Request::GetVnetBe { to } => to.put(i32::from(queue.settings.vnet_be()?)),
        Request::SetVnetBe { from } => {
            // Whether it is supported comes before whether the pointer is good.
            queue.settings.vnet_be()?;
            queue.settings.set_vnet_be(from.get::<i32>()? != 0)
        }
    }
}

/// Returns the device that a queue is attached to.
///
/// # Errors
///
/// `ENOLINK` if that is gone.
fn attached_device(queue: &QueueSock, held: &rtnl::Held) -> Result<ARef<TapDev>> {
    queue.device.get(held).ok_or_else(enolink)
}

/// tun makes a device with this. Here it only says whether frames come with a virtio-net header.
fn set_interface(queue: &QueueSock, flags: u32) -> Result {
    if flags & !IFF_SETTABLE != IFF_FIXED {
        return Err(EINVAL);
    }
    queue.settings.set_iff_flags(flags);
    Ok(())
}

fn get_interface(queue: &QueueSock, to: User) -> Result {
    let name = {
        let held = rtnl::lock();
        let device = queue.device.as_ref(&held).ok_or_else(enolink)?;
        device.device().name(&held)
    };
    // Without RTNL: user space may be slow.
    to.put_bytes(&name)?;
    to.ifreq_data().put(queue.settings.iff_flags())
}

fn get_mac_address(queue: &QueueSock, to: User) -> Result {
    let (name, address) = {
        let held = rtnl::lock();
        let device = queue.device.as_ref(&held).ok_or_else(enolink)?;
        let device = device.device();
        (device.name(&held), device.mac_address(&held))
    };
    // Without RTNL: user space may be slow.
    to.put_bytes([name, address].as_flattened())
}

/// Lets a queue get frames, or no more.
fn set_queue(queue: QueueBorrow<'_>, flags: u32) -> Result {
    let mut held = rtnl::lock();
    // Not `ENOLINK`, as elsewhere, but C's users know this one.
    let device = attached_device(&queue, &held).map_err(|_| EINVAL)?;
    if flags & bindings::IFF_ATTACH_QUEUE != 0 {
        device.enable(queue.to_owned(), &mut held)
    } else if flags & bindings::IFF_DETACH_QUEUE != 0 {
        device.disable(&queue, &mut held)
    } else {
        Err(EINVAL)
    }
}
