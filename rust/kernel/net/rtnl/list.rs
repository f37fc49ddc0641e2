// SPDX-License-Identifier: GPL-2.0

//! A list that RTNL protects.
//!
//! Unsafe: a circular list of pointers, in C's layout.
//!
//! C header: [`include/linux/list.h`](srctree/include/linux/list.h)

use super::Held;
use crate::sync::Reference;
use core::{
    cell::UnsafeCell,
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::bindings;

/// Links an object into one [`List`].
///
/// # Invariants
///
/// Both pointers are null while the object is on no list; otherwise the links are part of a valid
/// circular list whose other entries are the links of its list's other objects and the list head.
/// Accessed under RTNL only.
#[repr(transparent)]
pub struct Links {
    inner: UnsafeCell<bindings::list_head>,
    _pin: PhantomPinned,
}

// SAFETY: Links are accessed with evidence of RTNL only.
unsafe impl Send for Links {}
// SAFETY: As above.
unsafe impl Sync for Links {}

impl Links {
    /// Creates links that are on no list.
    pub const fn new() -> Self {
        // INVARIANT: Both pointers are null.
        Self {
            inner: UnsafeCell::new(bindings::list_head {
                next: ptr::null_mut(),
                prev: ptr::null_mut(),
            }),
            _pin: PhantomPinned,
        }
    }
}

impl Default for Links {
    fn default() -> Self {
        Self::new()
    }
}

/// Objects that can be on a [`List`].
///
/// # Safety
///
/// `links` must always return the same field of the object, which must not move while the object
/// is referenced, and `from_links` must be its inverse.
pub unsafe trait Linked: Sized {
    /// What lists own of an object.
    type Ref: Reference<Target = Self>;

    /// Returns the links of an object, by a pointer that is good for the whole object.
    ///
    /// # Safety
    ///
    /// `object` must point to a valid object.
    unsafe fn links(object: NonNull<Self>) -> *mut Links;

    /// Returns the object that embeds `links`.
    ///
    /// # Safety
    ///
    /// `links` must be what [`links`](Self::links) has returned for a valid object.
    unsafe fn from_links(links: *mut Links) -> NonNull<Self>;
}

/// A list that owns a reference of each object on it.
///
/// It has the layout of `struct list_head`, and may stand for one in a C structure.
///
/// # Invariants
///
/// The head is initialised; it and the [`Links`] of the objects on the list form a valid circular
/// list, and the list owns a reference of each of them. Accessed under RTNL only.
#[repr(transparent)]
pub struct List<T: Linked> {
    head: UnsafeCell<bindings::list_head>,
    _owner: PhantomData<T::Ref>,
    _pin: PhantomPinned,
}

// SAFETY: The list is accessed with evidence of RTNL only; its objects may be on any thread.
unsafe impl<T: Linked + Sync> Send for List<T> where T::Ref: Send {}
// SAFETY: As above; others may use one at the same time by references of their own.
unsafe impl<T: Linked + Sync> Sync for List<T> where T::Ref: Send {}

impl<T: Linked> List<T> {
    /// Appends an object. Gives it back if it is on a list already.
    pub fn push_back(&self, object: T::Ref, _held: &mut Held) -> Result<(), T::Ref> {
        let object = object.into_raw();
        // SAFETY: The reference that was just given up keeps the object valid. `Links` is
        // transparent.
        let links = unsafe { T::links(object) }.cast::<bindings::list_head>();
        // SAFETY: The evidence is exclusive, so nothing else accesses the links.
        if !unsafe { (*links).next }.is_null() {
            // SAFETY: It was given up above, and is taken back.
            return Err(unsafe { T::Ref::from_raw(object) });
        }
        let head = self.head.get();
        // SAFETY: By the type invariants, the head and the last entry are valid. The evidence is
        // exclusive, so nothing else accesses them or `links`.
        unsafe {
            let last = (*head).prev;
            (*links).next = head;
            (*links).prev = last;
            (*last).next = links;
            (*head).prev = links;
        }
        // INVARIANT: The reference is owned by the list from here on.
        Ok(())
    }

    /// Takes an object off the list it is on, if any.
    pub fn remove(object: &T, _held: &mut Held) -> Option<T::Ref> {
        let object = NonNull::from(object);
        // SAFETY: The object is borrowed. `Links` is transparent.
        let links = unsafe { T::links(object) }.cast::<bindings::list_head>();
        // SAFETY: The evidence is exclusive, so nothing else accesses the links. By their
        // invariants, they are on no list or their neighbours are valid.
        unsafe {
            let (next, prev) = ((*links).next, (*links).prev);
            if next.is_null() {
                return None;
            }
            (*prev).next = next;
            (*next).prev = prev;
            (*links).next = ptr::null_mut();
            (*links).prev = ptr::null_mut();
        }
        // SAFETY: The list owned a reference of the object, and does so no more.
        Some(unsafe { T::Ref::from_raw(object) })
    }

    /// Takes the first object off the list.
    pub fn pop_front(&self, held: &mut Held) -> Option<T::Ref> {
        let first = self.iter(held).next().map(ptr::from_ref)?;
        // SAFETY: The list owns a reference of the object, so it is valid; `remove` hands that
        // reference over.
        Self::remove(unsafe { &*first }, held)
    }

    /// Iterates over the objects.
    pub fn iter<'a>(&'a self, _held: &'a Held) -> Iter<'a, T> {
        let head = self.head.get();
        Iter {
            head,
            // SAFETY: By the type invariants, the head is initialised; nothing writes to it while
            // the evidence is borrowed.
            next: unsafe { (*head).next },
            _list: PhantomData,
        }
    }
}

/// Iterator over the objects of a [`List`].
///
/// # Invariants
///
/// `next` is `head`, or the links of an object that is on the list. The list does not change
/// during `'a`.
pub struct Iter<'a, T: Linked> {
    head: *mut bindings::list_head,
    next: *mut bindings::list_head,
    _list: PhantomData<&'a T>,
}

impl<'a, T: Linked> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.next == self.head {
            return None;
        }
        // SAFETY: By the type invariants, these are the links of a valid object, and `Links` is
        // transparent.
        let object = unsafe { T::from_links(self.next.cast()) };
        // INVARIANT: The next entry of a valid list.
        // SAFETY: By the type invariants, the entry is valid and does not change.
        self.next = unsafe { (*self.next).next };
        // SAFETY: The list owns a reference of the object, and keeps it during `'a`.
        Some(unsafe { object.as_ref() })
    }
}
