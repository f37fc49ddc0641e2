// SPDX-License-Identifier: GPL-2.0

//! Additions to the `kernel` crate's maple trees.
//!
//! Unsafe: says that a tree may be shared, which the `kernel` crate does not.
//!
//! C header: [`include/linux/maple_tree.h`](srctree/include/linux/maple_tree.h)

use core::ops::Deref;
use kernel::{
    maple_tree::MapleTreeAlloc,
    prelude::*,
    types::ForeignOwnable, //
};

/// A maple tree that can be shared between threads, which the `kernel` crate's does not say of
/// itself.
pub struct SharedMapleTree<T: ForeignOwnable>(Pin<KBox<MapleTreeAlloc<T>>>);

// SAFETY: A maple tree owns its entries, and does not care on which thread it is used.
unsafe impl<T: ForeignOwnable + Send> Send for SharedMapleTree<T> {}
// SAFETY: A maple tree has a lock, which all of its methods take. What they hand out while it is
// held is exclusive, so an entry is on one thread at a time.
unsafe impl<T: ForeignOwnable + Send> Sync for SharedMapleTree<T> {}

impl<T: ForeignOwnable> SharedMapleTree<T> {
    /// Creates an empty tree.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        Ok(Self(KBox::pin_init(MapleTreeAlloc::new(), GFP_KERNEL)?))
    }
}

impl<T: ForeignOwnable> Deref for SharedMapleTree<T> {
    type Target = MapleTreeAlloc<T>;

    fn deref(&self) -> &MapleTreeAlloc<T> {
        &self.0
    }
}
