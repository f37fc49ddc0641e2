// SPDX-License-Identifier: GPL-2.0
//! Choices.

use fastrand::Rng;

/// One of them.
pub fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())].clone()
}

/// One of them, each as often as its weight says.
pub fn weighted<T: Copy>(rng: &mut Rng, from: &[(u32, T)]) -> T {
    let sum: u32 = from.iter().map(|(weight, _)| weight).sum();
    let mut left = rng.u32(..sum);
    for &(weight, choice) in from {
        if left < weight {
            return choice;
        }
        left -= weight;
    }
    unreachable!("more than the sum of all weights");
}

/// Whether it happens: `percent` times of a hundred.
pub fn happens(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

/// For the log, where whole frames would be too long. FNV-1a's steps, but of
/// eight bytes each: an emulated machine is slow.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word))
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(23)
    })
}
