//! How often and how much the process allocates, counted only while it is asked for.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; every call goes to the system's as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// The system's allocator, with two counters that cost a load while they are off. The crates that
/// offer such a thing either count always or do not count both calls and bytes.
pub(crate) struct CountingAllocator;

static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// What was allocated while it was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocated {
    /// Allocations, and growths of one.
    pub(crate) calls: u64,
    /// Bytes that are still allocated; less than 0 if more was freed.
    pub(crate) bytes: i64,
}

pub(crate) fn start_counting() {
    CALLS.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
}

pub(crate) fn stop_counting() -> Allocated {
    COUNTING.store(false, Relaxed);
    Allocated {
        calls: CALLS.load(Relaxed),
        bytes: BYTES.load(Relaxed),
    }
}

fn count(calls: u64, bytes: i64) {
    if COUNTING.load(Relaxed) {
        CALLS.fetch_add(calls, Relaxed);
        BYTES.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: all four only pass on to `System`, whose contract is the same; counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as for this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as for this function.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}
