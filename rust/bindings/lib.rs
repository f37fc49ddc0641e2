// SPDX-License-Identifier: GPL-2.0

//! C declarations that the kernel's own Rust bindings lack, over all that they have.
//!
//! Only the abstractions under `rust/kernel` and the `extern "C"` boundary of a driver use this
//! crate.

#![allow(
    clippy::all,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

#[allow(dead_code)]
#[allow(clippy::arithmetic_side_effects)]
#[allow(clippy::as_underscore)]
#[allow(clippy::cast_lossless)]
#[allow(clippy::indexing_slicing)]
#[allow(clippy::ptr_as_ptr)]
#[allow(clippy::ref_as_ptr)]
#[allow(clippy::undocumented_unsafe_blocks)]
#[cfg_attr(not(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES), allow(unknown_lints))]
#[allow(unnecessary_transmutes)]
mod bindings_raw {
    use kernel::ffi;
    use pin_init::MaybeZeroable;

    // Blocklisted in favour of these, as in the kernel's own bindings.
    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    // Items of this module take precedence over those of a glob import.
    pub use kernel::bindings::*;
    include!(env!("MACVTAP_BINDINGS"));
    include!(env!("MACVTAP_BINDINGS_HELPERS"));
}

pub use bindings_raw::*;
