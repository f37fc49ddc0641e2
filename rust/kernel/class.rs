// SPDX-License-Identifier: GPL-2.0

//! Classes of devices that belong to network devices.
//!
//! Unsafe: calls of the driver core and of sysfs, and a callback that follows a pointer.
//!
//! C headers: [`include/linux/device/class.h`](srctree/include/linux/device/class.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use crate::{
    cdev::DeviceNumber,
    net::{
        rtnl,
        NetDevice, //
    },
};
use bindings_net as bindings;
use core::{
    fmt::Write,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        CStr,
        NullTerminatedFormatter, //
    },
    sync::Arc,
    types::Opaque, //
};

/// A class whose devices are children of network devices, and seen in their network namespaces
/// (`struct class`). Declare it as a `static`.
#[repr(transparent)]
pub struct NetClass(Opaque<bindings::class>);

// SAFETY: A class is constant but for what the driver core keeps of it elsewhere.
unsafe impl Sync for NetClass {}

impl NetClass {
    /// Creates a class.
    pub const fn new(name: &'static CStr) -> Self {
        let mut class: bindings::class = pin_init::zeroed();
        class.name = as_char_ptr_in_const_context(name);
        class.ns_type = &raw const bindings::net_ns_type_operations;
        class.namespace = Some(namespace);
        class.devnode = Some(devnode);
        Self(Opaque::new(class))
    }
}

/// Returns the network namespace of a class device's parent.
///
/// Who writes to `uevent` in sysfs comes here without RTNL.
///
/// # Safety
///
/// `dev` must be valid and not be removed meanwhile, and its parent that of a network device.
unsafe extern "C" fn namespace(dev: *const bindings::device) -> *const bindings::ns_common {
    // SAFETY: By the safety requirements of this function; a class device keeps its parent. That
    // stays in its namespace, and that alive, until [`Device`] has removed the class device, which
    // waits for those who use its files in sysfs.
    unsafe {
        let parent = bindings::to_net_dev((*dev).parent);
        bindings::net_ns_common(bindings::dev_net(parent))
    }
}

/// Returns the name of a class device's node, which the caller frees, or null if it is the device's.
///
/// # Safety
///
/// `dev` must be valid, and created by [`Device::new`].
unsafe extern "C" fn devnode(
    dev: *const bindings::device,
    _mode: *mut bindings::umode_t,
) -> *mut c_char {
    // Must not fail: when the device is removed, the driver core would look for the node by the
    // device's name, and this one would stay.
    const GFP: bindings::gfp_t = bindings::GFP_KERNEL_NOFAIL;

    // SAFETY: By the safety requirements of this function.
    match unsafe { node_name(dev) } {
        // SAFETY: The name ends with a NUL.
        Some(name) => unsafe { bindings::kstrdup(name.as_char_ptr(), GFP) },
        None => ptr::null_mut(),
    }
}

/// Returns the name of a class device's node, if it is not the device's.
///
/// # Safety
///
/// `dev` must be created by [`Device::new`] and not be removed during `'a`. The driver core asks
/// for the names of others' nodes only then: while a device is added or removed, and by its files in
/// sysfs.
unsafe fn node_name<'a>(dev: *const bindings::device) -> Option<&'a Name> {
    // SAFETY: By the safety requirements of this function, this is null or the name that
    // [`Device`] keeps until the device is removed.
    unsafe { (*dev).driver_data.cast::<Name>().as_ref() }
}

/// Returns whether the node of a class device is called so.
///
/// # Safety
///
/// As for [`node_name`]; `name` must be a string.
unsafe extern "C" fn has_node_name(dev: *mut bindings::device, name: *const c_void) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let node = match unsafe { node_name(dev) } {
        Some(node) => node.as_char_ptr(),
        // SAFETY: As above; the field is valid.
        None => unsafe { (*dev).kobj.name },
    };
    // SAFETY: A device that is registered has a name, and `name` is a string.
    (unsafe { bindings::strcmp(node, name.cast()) } == 0).into()
}

/// A name.
///
/// # Invariants
///
/// It ends with a NUL.
pub struct Name([u8; NAME_SIZE]);

/// Space for the name of a class device, with its final NUL.
const NAME_SIZE: usize = crate::net::device::NAME_SIZE;

impl Name {
    /// Formats a name.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is too long.
    pub fn new(name: core::fmt::Arguments<'_>) -> Result<Self> {
        let mut buffer = [0; NAME_SIZE];
        let mut formatter = NullTerminatedFormatter::new(&mut buffer).ok_or(EINVAL)?;
        formatter.write_fmt(name).map_err(|_| EINVAL)?;
        // INVARIANT: The formatter has ended it with one.
        Ok(Self(buffer))
    }

    fn as_char_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// A registered class, which is unregistered when this and its last device are dropped.
///
/// # Invariants
///
/// The class is registered.
pub struct Registration(&'static NetClass);

impl Registration {
    /// Registers a class.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one of that name, `ENOMEM`.
    pub fn new(class: &'static NetClass) -> Result<Arc<Self>> {
        // SAFETY: The class is static and initialised.
        to_result(unsafe { bindings::class_register(class.0.get()) })?;
        // INVARIANT: It is registered now.
        Ok(Arc::new(Self(class), GFP_KERNEL)?)
    }

    /// Returns whether a device of the class, in whatever namespace, has a node of this name.
    pub fn has_node(&self, name: &Name, _held: &rtnl::Held) -> bool {
        // SAFETY: By the type invariants, the class is registered, and [`Device`] makes and removes
        // its devices under RTNL, which is held. The name is a string.
        let device = unsafe {
            bindings::class_find_device(
                self.0 .0.get(),
                ptr::null(),
                name.as_char_ptr().cast(),
                Some(has_node_name),
            )
        };
        if device.is_null() {
            return false;
        }
        // SAFETY: It was found with a reference.
        unsafe { bindings::put_device(device) };
        true
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::class_unregister(self.0 .0.get()) };
    }
}

/// A device of a class, with a node under `/dev`, and a link to it in its network device's
/// directory in sysfs. Dropping it removes them.
///
/// # Invariants
///
/// `device` is registered, this is the only one that unregisters it, and its parent's directory
/// has a link `name`.
pub(crate) struct Device {
    device: NonNull<bindings::device>,
    name: Name,
    // Behind the device's driver data.
    _node: Option<KBox<Name>>,
    _class: Arc<Registration>,
}

// SAFETY: Devices may be used on any thread.
unsafe impl Send for Device {}

impl Device {
    /// Creates a device for a network device. Its node below `/dev`, which is the same for all
    /// namespaces, is called `node`, or as the device is.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the class has a device of that name, or of that number, in this namespace;
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The network device must be in a namespace, and the device dropped, under RTNL, before it is
    /// in none: who writes to `uevent` in sysfs looks at the namespace.
    pub(crate) unsafe fn new(
        class: Arc<Registration>,
        parent: &NetDevice,
        number: DeviceNumber,
        name: Name,
        node: Option<Name>,
        _held: &mut rtnl::Held,
    ) -> Result<Self> {
        let node = node.map(|node| KBox::new(node, GFP_KERNEL)).transpose()?;
        let driver_data = node.as_deref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: By the invariants of `NetDevice`, its embedded device is valid.
        let parent_device = unsafe { &raw mut (*parent.as_raw()).dev };
        // SAFETY: The class is registered, the parent is valid, the format takes one string. The
        // driver data, which is not changed, lives until the device is removed.
        let device = from_err_ptr(unsafe {
            bindings::device_create(
                class.0 .0.get(),
                parent_device,
                number.as_raw(),
                driver_data.cast_mut().cast(),
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })?;
        // SAFETY: Both are registered, and `name` ends with a NUL.
        let linked = to_result(unsafe {
            bindings::sysfs_create_link(
                &raw mut (*parent_device).kobj,
                &raw mut (*device).kobj,
                name.as_char_ptr(),
            )
        });
        if let Err(error) = linked {
            // SAFETY: It was registered just now.
            unsafe { bindings::device_unregister(device) };
            return Err(error);
        }
        // INVARIANT: The device and the link are there.
        Ok(Self {
            // SAFETY: `device_create()` returns an error or a valid pointer.
            device: unsafe { NonNull::new_unchecked(device) },
            name,
            _node: node,
            _class: class,
        })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let device = self.device.as_ptr();
        // SAFETY: By the type invariants, the device and the link are there, and a registered
        // device has a reference of its parent.
        unsafe {
            bindings::sysfs_remove_link(&raw mut (*(*device).parent).kobj, self.name.as_char_ptr());
            bindings::device_unregister(device);
        }
    }
}
