// SPDX-License-Identifier: GPL-2.0

//! Types that are bytes.

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

/// Types all of whose bytes are initialised.
///
/// # Safety
///
/// They must be.
pub unsafe trait AsBytes {
    /// Returns the bytes of a value.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: By the safety requirements of this trait.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), size_of_val(self)) }
    }
}

// SAFETY: An integer has no padding.
unsafe impl AsBytes for u16 {}

// SAFETY: There is no padding between the elements.
unsafe impl<T: AsBytes, const N: usize> AsBytes for [T; N] {}
