// SPDX-License-Identifier: GPL-2.0

//! Types of which any bytes are a value.

/// Types of which any bytes are a value.
///
/// # Safety
///
/// They must be.
pub unsafe trait FromBytes {}

macro_rules! from_bytes {
    ($($type:ty)*) => {
        // SAFETY: Any bytes are an integer.
        $(unsafe impl FromBytes for $type {})*
    };
}

from_bytes! { u8 u16 u32 u64 i8 i16 i32 i64 }

// SAFETY: There is no padding between the elements.
unsafe impl<T: FromBytes, const N: usize> FromBytes for [T; N] {}
