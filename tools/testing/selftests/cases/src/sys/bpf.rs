// SPDX-License-Identifier: GPL-2.0
//! BPF programs: one on the ingress of links that gives every frame a hash, and one in
//! the place of the flow dissector.
//!
//! The kernel's own flow hash has a key that is another one after every boot,
//! and it decides which queue of a link gets a frame.

use std::fs::File;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::link::Link;

const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const PROG_TYPE_SCHED_CLS: u32 = 3;
const PROG_TYPE_FLOW_DISSECTOR: u32 = 22;
const FLOW_DISSECTOR: u32 = 17;
const TCX_INGRESS: u32 = 46;

/// `struct bpf_insn`.
#[repr(C)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, registers: u8, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers,
        offset: 0,
        immediate,
    }
}

const fn with_offset(instruction: Instruction, offset: i16) -> Instruction {
    Instruction {
        offset,
        ..instruction
    }
}

/// Where the transport header is, whatever the packet.
pub const DISSECTED: u16 = 40;

const FIXED_OFFSET: [Instruction; 4] = [
    // r1 = r1->flow_keys, of `struct __sk_buff`
    with_offset(instruction(0x79, 0x11, 0), 144),
    // r1->thoff = DISSECTED
    with_offset(instruction(0x6a, 0x01, DISSECTED as i32), 2),
    instruction(0xb7, 0x00, 0), // r0 = BPF_OK
    instruction(0x95, 0x00, 0), // exit
];

/// The hash is the length's last three bits: now and then 0, which means none.
const HASH_OF_LENGTH: [Instruction; 5] = [
    instruction(0x61, 0x12, 0),  // r2 = *(u32 *)(r1 + 0), the frame's length
    instruction(0x57, 0x02, 7),  // r2 &= 7
    instruction(0x85, 0x00, 48), // bpf_set_hash(r1, r2)
    instruction(0xb7, 0x00, -1), // r0 = TCX_NEXT
    instruction(0x95, 0x00, 0),  // exit
];

/// That of the kernel; the function is for such programs only.
const LICENSE: &[u8] = b"GPL\0";

/// The beginning of `union bpf_attr`, for loading a program.
#[repr(C)]
struct Load {
    program_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    rest: [u64; 16],
}

/// The same, for attaching one.
#[repr(C)]
struct Attach {
    program: u32,
    /// An interface, or the descriptor of a namespace.
    target: u32,
    place: u32,
    flags: u32,
    rest: [u64; 16],
}

pub struct Steering(OwnedFd);

impl Steering {
    pub fn load() -> Steering {
        Steering(load(PROG_TYPE_SCHED_CLS, &HASH_OF_LENGTH))
    }

    /// Lasts until the descriptor is closed or the link deleted.
    pub fn attach(&self, link: &Link) -> OwnedFd {
        attach(&self.0, link.index, TCX_INGRESS)
    }
}

/// Has a program tell [`DISSECTED`] of all packets of this network namespace, until the
/// descriptor is closed.
pub fn dissect_flows() -> OwnedFd {
    let namespace = File::open("/proc/self/ns/net").expect("the network namespace");
    let program = load(PROG_TYPE_FLOW_DISSECTOR, &FIXED_OFFSET);
    attach(&program, namespace.as_raw_fd() as u32, FLOW_DISSECTOR)
}

fn load(program_type: u32, instructions: &[Instruction]) -> OwnedFd {
    let load = Load {
        program_type,
        instructions: instructions.len() as u32,
        code: instructions.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        rest: [0; 16],
    };
    bpf(PROG_LOAD, &load).expect("a BPF program")
}

fn attach(program: &OwnedFd, target: u32, place: u32) -> OwnedFd {
    let attach = Attach {
        program: program.as_raw_fd() as u32,
        target,
        place,
        flags: 0,
        rest: [0; 16],
    };
    bpf(LINK_CREATE, &attach).expect("a BPF link")
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> nix::Result<OwnedFd> {
    // SAFETY: Both commands take attributes that begin as these do, end in
    // zeroes, and point to what outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes as *const T,
            mem::size_of::<T>(),
        )
    };
    let fd = Errno::result(fd)?;
    // SAFETY: The descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
