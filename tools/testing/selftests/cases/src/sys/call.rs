// SPDX-License-Identifier: GPL-2.0
//! System calls that no library knows, or not with arguments that are wrong.

use nix::errno::Errno;

/// The tests pass numbers, and addresses of buffers of their own that outlive
/// the call.
pub fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> nix::Result<usize> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: As the tests promise.
    let done = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    Errno::result(done).map(|done| done as usize)
}
