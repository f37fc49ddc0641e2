// SPDX-License-Identifier: GPL-2.0

//! The ioctls, with any command, any argument and any memory behind it, one after the other.

use super::cases;
use crate::{
    device::TapDev,
    ioctl::ioctl,
    world::{
        Step,
        World, //
    },
};
use kernel::{
    prelude::*,
    user_memory, //
};
use kernel_net::{
    compat::enolink,
    net::{
        rtnl,
        NetDevice, //
    },
};
use proptest::prelude::{
    any,
    prop_assert,
    prop_assert_eq,
    prop_oneof,
    proptest,
    Just,
    Strategy, //
};

// The numbers of `if_tun.h` and `sockios.h`.
const TUNSETIFF: u32 = 0x4004_54ca;
const TUNGETFEATURES: u32 = 0x8004_54cf;
const TUNSETOFFLOAD: u32 = 0x4004_54d0;
const TUNGETIFF: u32 = 0x8004_54d2;
const TUNSETSNDBUF: u32 = 0x4004_54d4;
const TUNGETVNETHDRSZ: u32 = 0x8004_54d7;
const TUNSETVNETHDRSZ: u32 = 0x4004_54d8;
const TUNSETQUEUE: u32 = 0x4004_54d9;
const TUNSETVNETLE: u32 = 0x4004_54dc;
const TUNGETVNETLE: u32 = 0x8004_54dd;
const TUNSETVNETBE: u32 = 0x4004_54de;
const TUNGETVNETBE: u32 = 0x8004_54df;
const SIOCGIFHWADDR: u32 = 0x8927;
const SIOCSIFHWADDR: u32 = 0x8924;

const COMMANDS: [u32; 14] = [
    TUNSETIFF,
    TUNGETFEATURES,
    TUNSETOFFLOAD,
    TUNGETIFF,
    TUNSETSNDBUF,
    TUNGETVNETHDRSZ,
    TUNSETVNETHDRSZ,
    TUNSETQUEUE,
    TUNSETVNETLE,
    TUNGETVNETLE,
    TUNSETVNETBE,
    TUNGETVNETBE,
    SIOCGIFHWADDR,
    SIOCSIFHWADDR,
];

/// `IFF_VNET_HDR` and `IFF_MULTI_QUEUE`.
const FEATURES: u16 = 0x4100;
/// `IFF_TAP` and `IFF_NO_PI`.
const FIXED: u16 = 0x1002;

/// A user's memory, once more.
struct User {
    address: usize,
    bytes: Vec<u8>,
    writable: bool,
}

impl User {
    /// Returns where in the bytes an address is, and how many of `len` there are from there.
    fn find(&self, address: usize, len: usize) -> (usize, usize) {
        let start = address.wrapping_sub(self.address);
        if start >= self.bytes.len() {
            return (0, 0);
        }
        (start, len.min(self.bytes.len() - start))
    }

    fn get<const N: usize>(&self, address: usize) -> Result<[u8; N]> {
        let (start, len) = self.find(address, N);
        self.bytes[start..start + len]
            .try_into()
            .map_err(|_| EFAULT)
    }

    fn get_int(&self, address: usize) -> Result<i32> {
        self.get(address).map(i32::from_ne_bytes)
    }

    fn put(&mut self, address: usize, bytes: &[u8]) -> Result {
        let (start, len) = self.find(address, bytes.len());
        if len < bytes.len() || !self.writable {
            return Err(EFAULT);
        }
        self.bytes[start..start + len].copy_from_slice(bytes);
        Ok(())
    }

    /// Unlike `put`, this writes what it can.
    fn copy_to(&mut self, address: usize, bytes: &[u8]) -> Result {
        let (_, len) = self.find(address, bytes.len());
        self.put(address, &bytes[..len])?;
        if len < bytes.len() {
            return Err(EFAULT);
        }
        Ok(())
    }
}

/// A queue as `tap.c` has it, and what it knows of the device.
struct InC {
    flags: u16,
    vnet_le: bool,
    vnet_be: bool,
    vnet_hdr_sz: i32,
    sndbuf: i32,
    attached: bool,
    enabled: bool,
    offload: usize,
    address: [u8; 16],
}

impl InC {
    fn tap(&self) -> Result {
        if self.attached {
            Ok(())
        } else {
            Err(enolink())
        }
    }

    fn set_queue(&mut self, flags: u16) -> Result {
        let enable = match flags {
            _ if !self.attached => return Err(EINVAL),
            flags if flags & 0x200 != 0 => true,
            flags if flags & 0x400 != 0 => false,
            _ => return Err(EINVAL),
        };
        if self.enabled == enable {
            return Err(EINVAL);
        }
        self.enabled = enable;
        Ok(())
    }

    /// As `tap_ioctl()` and `tun_vnet_ioctl()`.
    fn ioctl(&mut self, cmd: u32, arg: usize, user: &mut User) -> Result {
        let data = arg.wrapping_add(16);
        let cross_le = cfg!(CONFIG_TUN_VNET_CROSS_LE);
        match cmd {
            TUNSETIFF => {
                let flags = u16::from_ne_bytes(user.get(data)?);
                if flags & !FEATURES != FIXED {
                    return Err(EINVAL);
                }
                self.flags = flags;
            }
            TUNGETIFF => {
                self.tap()?;
                user.copy_to(arg, &NetDevice::NAME)?;
                user.put(data, &self.flags.to_ne_bytes())?;
            }
            TUNSETQUEUE => {
                let flags = u16::from_ne_bytes(user.get(data)?);
                self.set_queue(flags)?;
            }
            TUNGETFEATURES => user.put(arg, &u32::from(FEATURES | FIXED).to_ne_bytes())?,
            TUNSETSNDBUF => {
                let size = user.get_int(arg)?;
                if size <= 0 {
                    return Err(EINVAL);
                }
                self.sndbuf = size;
            }
            TUNSETOFFLOAD => {
                if arg & !0x7f != 0 {
                    return Err(EINVAL);
                }
                self.tap()?;
                self.offload = arg;
            }
            SIOCGIFHWADDR => {
                self.tap()?;
                user.copy_to(arg, &NetDevice::NAME)?;
                let address = self.address;
                user.copy_to(data, &address)?;
            }
            SIOCSIFHWADDR => {
                let address = user.get(data)?;
                self.tap()?;
                self.address = address;
            }
            TUNGETVNETHDRSZ => user.put(arg, &self.vnet_hdr_sz.to_ne_bytes())?,
            TUNSETVNETHDRSZ => {
                let size = user.get_int(arg)?;
                if size < 10 {
                    return Err(EINVAL);
                }
                self.vnet_hdr_sz = size;
            }
            TUNGETVNETLE => user.put(arg, &i32::from(self.vnet_le).to_ne_bytes())?,
            TUNSETVNETLE => self.vnet_le = user.get_int(arg)? != 0,
            TUNGETVNETBE if cross_le => user.put(arg, &i32::from(self.vnet_be).to_ne_bytes())?,
            TUNSETVNETBE if cross_le => self.vnet_be = user.get_int(arg)? != 0,
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}

/// A call, with the memory that the user has then.
#[derive(Clone, Debug)]
struct Call {
    cmd: u32,
    arg: usize,
    address: usize,
    bytes: Vec<u8>,
    writable: bool,
    /// Whether the link is deleted before it.
    link_goes: bool,
}

fn call() -> impl Strategy<Value = Call> {
    let cmd = prop_oneof![
        20 => (0..COMMANDS.len()).prop_map(|index| COMMANDS[index]),
        1 => (0..COMMANDS.len(), 0..32).prop_map(|(index, bit)| COMMANDS[index] ^ (1u32 << bit)),
        1 => any::<u32>(),
    ];
    // At the ends of the address space, too.
    let address = prop_oneof![
        8 => Just(0x7fff_0000_0000usize),
        1 => Just(1usize),
        1 => Just(usize::MAX - 60),
    ];
    // From where in the memory, before it or behind it; or what is none at all.
    let arg = prop_oneof![
        8 => Just(Ok(0)),
        4 => (-50..50isize).prop_map(Ok),
        2 => (0..0x100usize).prop_map(Err),
        1 => any::<usize>().prop_map(Err),
    ];
    let int = prop_oneof![any::<i32>(), -1..30i32, Just(i32::MIN), Just(i32::MAX),];
    let flags = prop_oneof![
        Just(FIXED),
        Just(FIXED | 0x100),
        Just(FIXED | FEATURES),
        Just(0x200),
        Just(0x400),
        Just(0x600),
        any::<u16>(),
    ];
    let rest = proptest::collection::vec(any::<u8>(), 40);
    let len = prop_oneof![4 => Just(40usize), 1 => 0..40usize];
    (
        cmd,
        arg,
        address,
        int,
        flags,
        rest,
        len,
        any::<bool>(),
        0..40,
    )
        .prop_map(
            |(cmd, arg, address, int, flags, mut bytes, len, readonly, when)| {
                bytes[..4].copy_from_slice(&int.to_ne_bytes());
                bytes[16..18].copy_from_slice(&flags.to_ne_bytes());
                bytes.truncate(len);
                Call {
                    cmd,
                    arg: arg.map_or_else(|arg| arg, |offset| address.wrapping_add_signed(offset)),
                    address,
                    bytes,
                    writable: !readonly || when % 2 == 0,
                    link_goes: when == 1,
                }
            },
        )
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn calls_do_what_they_do_in_c(calls in proptest::collection::vec(call(), 1..30)) {
        let mut world = World::new();
        world.step(Step::Open(0), &mut rtnl::lock()).unwrap();
        let mut in_c = InC {
            flags: FIXED | 0x4000,
            vnet_le: false,
            vnet_be: false,
            vnet_hdr_sz: 10,
            sndbuf: 0,
            attached: true,
            enabled: true,
            offload: 0,
            address: [0; 16],
        };
        for call in calls {
            if call.link_goes {
                world.step(Step::DetachAll, &mut rtnl::lock()).unwrap();
                in_c.attached = false;
                in_c.enabled = false;
            }
            user_memory::set(call.address, &call.bytes, call.writable);
            let mut user = User {
                address: call.address,
                bytes: call.bytes.clone(),
                writable: call.writable,
            };
            let queue = world.file(0);
            prop_assert_eq!(
                ioctl(queue.borrow(), call.cmd, call.arg),
                in_c.ioctl(call.cmd, call.arg, &mut user),
                "{:x?}", call
            );
            prop_assert_eq!(user_memory::get(), user.bytes, "{:x?}", call);

            let settings = &queue.settings;
            prop_assert_eq!(settings.iff_flags(), in_c.flags);
            prop_assert_eq!(settings.has_vnet_hdr(), in_c.flags & 0x4000 != 0);
            prop_assert_eq!(settings.vnet_le(), in_c.vnet_le);
            prop_assert_eq!(settings.vnet_be().unwrap_or(false), in_c.vnet_be);
            prop_assert_eq!(settings.vnet_hdr_size(), in_c.vnet_hdr_sz);
            prop_assert_eq!(queue.send_buffer(), in_c.sndbuf);
            {
                let held = rtnl::lock();
                prop_assert_eq!(queue.index.get(&held).is_some(), in_c.enabled);
                prop_assert_eq!(queue.device.get(&held).is_some(), in_c.attached);
                prop_assert_eq!(world.device().mac_address(&held), in_c.address);
            }
            let offloads = crate::offload::Offloads::try_from(in_c.offload).unwrap();
            prop_assert!(TapDev::offload(world.tap()) == offloads.features());
        }
        world.end();
    }

    /// Commands that are not known look at nothing.
    #[test]
    fn other_commands_are_refused(cmd: u32, arg: usize) {
        if !COMMANDS.contains(&cmd) {
            let mut world = World::new();
            world.step(Step::Open(0), &mut rtnl::lock()).unwrap();
            let result = ioctl(world.file(0).borrow(), cmd, arg);
            world.end();
            prop_assert_eq!(result, Err(EINVAL));
        }
    }
}
