// SPDX-License-Identifier: GPL-2.0

//! RCU, a model.
//!
//! Each thread that reads has a mutex, which it holds in its read-side critical sections; a grace
//! period takes all of them, one after the other. That is what RCU promises, and nothing else: what
//! was done in a section that had begun happens before the grace period's end, and what was done
//! before its start happens before a section that begins later. Two readers tell each other nothing.

#[cfg(feature = "loom")]
mod imp {
    use core::cell::{
        Cell,
        RefCell, //
    };
    use loom::sync::{
        Mutex,
        MutexGuard, //
    };

    /// How many threads there can be.
    const THREADS: usize = 3;

    /// Following a pointer that has changed takes some loads more than once. Who loads more than so
    /// often, though, waits for something that nobody has promised.
    const MAX_LOADS: usize = 16;

    /// The environment variable that lets `call_rcu()` not wait: then some test should fail.
    pub const NO_GRACE_PERIOD: &str = "MODEL_NO_GRACE_PERIOD";

    /// Something to be done after a grace period.
    pub(super) type Callback = Box<dyn FnOnce()>;

    struct Rcu {
        readers: [Mutex<()>; THREADS],
        callbacks: RefCell<Vec<Callback>>,
    }

    // SAFETY: The threads of an exploration take turns.
    unsafe impl Sync for Rcu {}
    // SAFETY: As above.
    unsafe impl Send for Rcu {}

    loom::lazy_static! {
        static ref RCU: Rcu = Rcu {
            readers: core::array::from_fn(|_| Mutex::new(())),
            callbacks: RefCell::new(Vec::new()),
        };
    }

    loom::thread_local! {
        static THREAD: Cell<usize> = Cell::new(0);
        static DEPTH: Cell<usize> = Cell::new(0);
        static LOADS: Cell<usize> = Cell::new(0);
        static SECTION: RefCell<Option<MutexGuard<'static, ()>>> = RefCell::new(None);
    }

    /// Tells which thread this is: 0, which is the first one if it says nothing, 1, 2.
    pub fn set_thread(number: usize) {
        THREAD.with(|thread| thread.set(number));
    }

    /// Makes everything known to the threads that start from here on.
    pub fn touch() {
        let _ = &RCU.readers;
    }

    pub(super) fn enter() {
        if DEPTH.with(|depth| depth.replace(depth.get() + 1)) == 0 {
            let rcu: &'static Rcu = &RCU;
            let section = rcu.readers[THREAD.with(Cell::get)].lock().unwrap();
            SECTION.with(|place| place.replace(Some(section)));
            LOADS.with(|loads| loads.set(0));
        }
    }

    pub(super) fn leave() {
        if DEPTH.with(|depth| depth.replace(depth.get() - 1)) == 1 {
            let section = SECTION.with(RefCell::take);
            drop(section);
        }
    }

    pub(crate) fn count_load() {
        if DEPTH.with(Cell::get) == 0 {
            return;
        }
        let loads = LOADS.with(|loads| loads.replace(loads.get() + 1));
        assert!(loads < MAX_LOADS, "a reader waits for a writer");
    }

    pub(super) fn synchronize_rcu() {
        let this = THREAD.with(Cell::get);
        for (number, reader) in RCU.readers.iter().enumerate() {
            if number != this {
                drop(reader.lock().unwrap());
            }
        }
    }

    /// Lets something be done after a grace period.
    ///
    /// # Safety
    ///
    /// What is borrowed in there must live until then.
    pub unsafe fn call_rcu(callback: impl FnOnce()) {
        if std::env::var_os(NO_GRACE_PERIOD).is_some() {
            callback();
            return;
        }
        let callback: Box<dyn FnOnce() + '_> = Box::new(callback);
        // SAFETY: By the safety requirements of this function.
        let callback =
            unsafe { core::mem::transmute::<Box<dyn FnOnce() + '_>, Callback>(callback) };
        RCU.callbacks.borrow_mut().push(callback);
    }

    pub(super) fn take_callbacks() -> Vec<Callback> {
        RCU.callbacks.take()
    }
}

#[cfg(not(feature = "loom"))]
mod imp {
    use core::cell::{
        Cell,
        RefCell, //
    };

    pub(super) type Callback = Box<dyn FnOnce()>;

    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
        static CALLBACKS: RefCell<Vec<Callback>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn enter() {
        DEPTH.set(DEPTH.get() + 1);
    }

    pub(super) fn leave() {
        DEPTH.set(DEPTH.get() - 1);
    }

    pub(super) fn synchronize_rcu() {
        assert_eq!(DEPTH.get(), 0, "in a read-side critical section");
    }

    /// Lets something be done after a grace period.
    ///
    /// # Safety
    ///
    /// What is borrowed in there must live until then.
    pub unsafe fn call_rcu(callback: impl FnOnce()) {
        let callback: Box<dyn FnOnce() + '_> = Box::new(callback);
        // SAFETY: By the safety requirements of this function.
        let callback =
            unsafe { core::mem::transmute::<Box<dyn FnOnce() + '_>, Callback>(callback) };
        CALLBACKS.with_borrow_mut(|callbacks| callbacks.push(callback));
    }

    pub(super) fn take_callbacks() -> Vec<Callback> {
        CALLBACKS.take()
    }
}

#[cfg(feature = "loom")]
pub(crate) use imp::count_load;
pub use imp::*;

use core::marker::PhantomData;

/// Waits for a grace period, and does what there is to be done after it.
pub fn grace_period() {
    let callbacks = imp::take_callbacks();
    imp::synchronize_rcu();
    for callback in callbacks {
        callback();
    }
}

/// Evidence of a read-side critical section.
pub struct Guard(PhantomData<*mut ()>);

/// Begins a read-side critical section.
pub fn read_lock() -> Guard {
    imp::enter();
    Guard(PhantomData)
}

impl Drop for Guard {
    fn drop(&mut self) {
        imp::leave();
    }
}
