// SPDX-License-Identifier: GPL-2.0
//! ioctl() as a 32-bit program calls it: through the kernel's 32-bit entry,
//! which 64-bit programs can take as well.

use std::arch::asm;

use nix::errno::Errno;

const NR_IOCTL_32: i32 = 54;

pub fn ioctl(fd: i32, request: u64, argument: usize) -> nix::Result<()> {
    let argument = u32::try_from(argument).expect("an address below 4 GiB");
    let mut result = NR_IOCTL_32;
    // SAFETY: The entry keeps every register that it does not return in but
    // r8 to r11; the compiler itself uses rbx, which is swapped in and out.
    unsafe {
        asm!(
            "xchg {fd:r}, rbx",
            "int 0x80",
            "xchg {fd:r}, rbx",
            fd = inout(reg) fd as u64 => _,
            inout("eax") result,
            in("ecx") request as u32,
            in("edx") argument,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    match result {
        0.. => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}
