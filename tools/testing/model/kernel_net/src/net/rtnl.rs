// SPDX-License-Identifier: GPL-2.0

//! RTNL: a mutex of the model's, and what the modules put behind it.

#[path = "../../../../../../rust/kernel/net/rtnl/cell.rs"]
mod cell;
#[path = "../../../../../../rust/kernel/net/rtnl/list.rs"]
mod list;

pub use cell::Cell;
pub use list::{
    Linked,
    Links,
    List, //
};

use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
};

/// Evidence that this thread holds RTNL.
pub struct Held(PhantomData<*mut ()>);

/// RTNL, released when this is dropped.
pub struct Guard {
    held: Held,
    _lock: imp::Lock,
}

/// Takes RTNL.
pub fn lock() -> Guard {
    Guard {
        held: Held(PhantomData),
        _lock: imp::lock(),
    }
}

impl Deref for Guard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

impl DerefMut for Guard {
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.held
    }
}

#[cfg(feature = "loom")]
mod imp {
    use loom::sync::{
        Mutex,
        MutexGuard, //
    };

    pub(super) type Lock = MutexGuard<'static, ()>;

    loom::lazy_static! {
        static ref RTNL: Mutex<()> = Mutex::new(());
    }

    pub(super) fn lock() -> Lock {
        let rtnl: &'static Mutex<()> = &RTNL;
        rtnl.lock().unwrap()
    }
}

#[cfg(not(feature = "loom"))]
mod imp {
    use core::cell::Cell;

    thread_local! {
        static HELD: Cell<bool> = const { Cell::new(false) };
    }

    /// There is one thread, which would wait for itself.
    pub(super) struct Lock;

    pub(super) fn lock() -> Lock {
        assert!(!HELD.replace(true), "a deadlock");
        Lock
    }

    impl Drop for Lock {
        fn drop(&mut self) {
            HELD.set(false);
        }
    }
}
