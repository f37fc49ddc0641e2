// SPDX-License-Identifier: GPL-2.0

//! Atomics, a model: those of loom, which explores what the memory model lets them do, or with one
//! thread, values.
//!
//! The environment variable `MODEL_WEAKEN` makes the ordering at one place in the sources relaxed:
//! then some test should fail.

use core::cell::UnsafeCell;

/// The ordering of a load after which comes what follows it.
pub struct Acquire;

/// An ordering that orders nothing.
pub struct Relaxed;

/// The ordering of a store before which comes what precedes it.
pub struct Release;

/// Types that atomics have. Zero is what C code has zeroed.
pub trait AtomicType: Copy {
    fn to_bits(self) -> u64;
    fn from_bits(bits: u64) -> Self;
}

macro_rules! atomic_type {
    ($($type:ty)*) => {
        $(impl AtomicType for $type {
            fn to_bits(self) -> u64 {
                self as u64
            }

            fn from_bits(bits: u64) -> Self {
                bits as Self
            }
        })*
    };
}

atomic_type! { u32 i32 u64 }

impl<T> AtomicType for *mut T {
    fn to_bits(self) -> u64 {
        self.expose_provenance() as u64
    }

    fn from_bits(bits: u64) -> Self {
        core::ptr::with_exposed_provenance_mut(bits as usize)
    }
}

pub use imp::Atomic;

#[cfg(feature = "loom")]
mod imp {
    use super::{
        weaken::Place,
        *, //
    };
    use core::{
        panic::Location,
        ptr, //
    };
    use loom::sync::atomic::{
        AtomicU64,
        Ordering, //
    };

    /// Orderings that loads may have.
    pub trait ForLoad: Place {}
    impl ForLoad for Acquire {}
    impl ForLoad for Relaxed {}

    /// Orderings that stores may have.
    pub trait ForStore: Place {}
    impl ForStore for Release {}
    impl ForStore for Relaxed {}

    /// An atomic. All zeroes are a valid one.
    ///
    /// loom's can be created while it explores only, and not in constants, so that is done when it
    /// is used for the first time. Threads that come later must find it there: see `touch`.
    #[repr(C)]
    pub struct Atomic<T: AtomicType> {
        initial: UnsafeCell<T>,
        state: UnsafeCell<*mut AtomicU64>,
    }

    // SAFETY: The threads of an exploration take turns.
    unsafe impl<T: AtomicType> Send for Atomic<T> {}
    // SAFETY: As above.
    unsafe impl<T: AtomicType> Sync for Atomic<T> {}

    impl<T: AtomicType> Atomic<T> {
        pub const fn new(value: T) -> Self {
            Self {
                initial: UnsafeCell::new(value),
                state: UnsafeCell::new(ptr::null_mut()),
            }
        }

        fn state(&self) -> &AtomicU64 {
            // SAFETY: The threads of an exploration take turns, and none is preempted in here. The
            // pointer is null, or that of a box which goes away with `self`.
            unsafe {
                let state = self.state.get();
                if (*state).is_null() {
                    let new = AtomicU64::new((*self.initial.get()).to_bits());
                    *state = Box::into_raw(Box::new(new));
                }
                &**state
            }
        }

        /// Makes the atomic known to the threads that start from here on.
        pub fn touch(&self) {
            self.state();
        }

        /// Returns the value. There must be no other thread that may change it.
        pub fn peek(&self) -> T {
            // SAFETY: By the above, and loom looks if it is true.
            T::from_bits(unsafe { self.state().unsync_load() })
        }

        /// Says that the memory is freed: nobody may use it any more.
        pub fn retire(&self) {
            self.touch();
            // SAFETY: `touch` has set it. Whether others use it now is what loom looks at.
            unsafe { (**self.state.get()).with_mut(|_| ()) };
        }

        #[track_caller]
        pub fn load<O: ForLoad>(&self, _: O) -> T {
            crate::sync::rcu::count_load();
            T::from_bits(self.state().load(O::at(Location::caller())))
        }

        #[track_caller]
        pub fn store<O: ForStore>(&self, value: T, _: O) {
            let ordering = O::at(Location::caller());
            self.state().store(value.to_bits(), ordering);
        }

        /// Stores `new` if the value is `old`, and gives back what it is if not.
        pub fn cmpxchg(&self, old: T, new: T, _: Relaxed) -> Result<T, T> {
            self.state()
                .compare_exchange(
                    old.to_bits(),
                    new.to_bits(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .map(T::from_bits)
                .map_err(T::from_bits)
        }

        /// Returns the value, for who owns it. What is written to it is lost.
        pub fn get_mut(&mut self) -> &mut T {
            let value = self.peek();
            let initial = self.initial.get_mut();
            *initial = value;
            initial
        }
    }

    impl<T: AtomicType> Drop for Atomic<T> {
        fn drop(&mut self) {
            let state = *self.state.get_mut();
            if !state.is_null() {
                // SAFETY: It is a box, see `state`.
                drop(unsafe { Box::from_raw(state) });
            }
        }
    }
}

#[cfg(not(feature = "loom"))]
mod imp {
    use super::*;

    /// An atomic. All zeroes are a valid one.
    #[repr(transparent)]
    pub struct Atomic<T: AtomicType>(UnsafeCell<T>);

    impl<T: AtomicType> Atomic<T> {
        pub const fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        pub fn touch(&self) {}

        pub fn peek(&self) -> T {
            self.load(Relaxed)
        }

        pub fn load<O>(&self, _: O) -> T {
            // SAFETY: This is not `Sync`, and nobody has a reference of the value.
            unsafe { *self.0.get() }
        }

        pub fn store<O>(&self, value: T, _: O) {
            // SAFETY: As above.
            unsafe { *self.0.get() = value };
        }

        /// Stores `new` if the value is `old`, and gives back what it is if not.
        pub fn cmpxchg(&self, old: T, new: T, _: Relaxed) -> Result<T, T> {
            let current = self.load(Relaxed);
            if current.to_bits() != old.to_bits() {
                return Err(current);
            }
            self.store(new, Relaxed);
            Ok(current)
        }

        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }
}

/// Which orderings there are, and which of them is relaxed to see that something fails.
#[cfg(feature = "loom")]
pub mod weaken {
    use super::{
        Acquire,
        Relaxed,
        Release, //
    };
    use core::panic::Location;
    use loom::sync::atomic::Ordering;
    use std::{
        collections::BTreeSet,
        sync::{
            Mutex,
            OnceLock, //
        },
    };

    /// The environment variable that names the place.
    pub const VARIABLE: &str = "MODEL_WEAKEN";

    static PLACES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    /// Returns where in the sources there was an ordering that is not relaxed.
    pub fn places() -> Vec<String> {
        PLACES.lock().unwrap().iter().cloned().collect()
    }

    fn weakened() -> Option<&'static str> {
        static WEAKENED: OnceLock<Option<String>> = OnceLock::new();
        WEAKENED
            .get_or_init(|| std::env::var(VARIABLE).ok())
            .as_deref()
    }

    fn at(place: &Location<'_>, ordering: Ordering) -> Ordering {
        let place = place.to_string();
        if weakened() == Some(&place) {
            return Ordering::Relaxed;
        }
        PLACES.lock().unwrap().insert(place);
        ordering
    }

    /// An ordering, at a place in the sources.
    pub trait Place {
        fn at(place: &Location<'_>) -> Ordering;
    }

    impl Place for Acquire {
        fn at(place: &Location<'_>) -> Ordering {
            at(place, Ordering::Acquire)
        }
    }

    impl Place for Release {
        fn at(place: &Location<'_>) -> Ordering {
            at(place, Ordering::Release)
        }
    }

    impl Place for Relaxed {
        fn at(_: &Location<'_>) -> Ordering {
            Ordering::Relaxed
        }
    }
}
