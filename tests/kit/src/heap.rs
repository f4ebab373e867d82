//! Counting allocations.
//!
//! ```
//! use aitcp_testkit::heap::{CountingAllocator, Meter};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let meter = Meter::start();
//! let bytes = vec![0_u8; 1000];
//! assert_eq!((meter.held(), meter.allocations()), (1000, 1));
//! drop(bytes);
//! assert_eq!((meter.held(), meter.peak()), (0, 1000));
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator with counters, for each thread its own. Tests run in threads of their own.
#[derive(Debug)]
pub struct CountingAllocator;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// What a thread has allocated since the meter was started.
#[derive(Debug)]
pub struct Meter {
    held: isize,
    allocations: u64,
}

impl Meter {
    /// Starts counting. The peak is counted from here, too, so only the last meter started tells it.
    #[must_use]
    pub fn start() -> Self {
        let held = HELD.get();
        PEAK.set(held);
        Self { held, allocations: ALLOCATIONS.get() }
    }

    /// Bytes allocated and not freed; negative if older ones were freed.
    #[must_use]
    pub fn held(&self) -> isize {
        HELD.get() - self.held
    }

    /// The most bytes that were held at a time.
    #[must_use]
    pub fn peak(&self) -> isize {
        PEAK.get() - self.held
    }

    /// How many times memory was asked for.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        ALLOCATIONS.get() - self.allocations
    }
}

fn count(bytes: isize, allocations: u64) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
}

fn size(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: every call is handed to the system's allocator as it is; counting in thread-local cells that need no destructor neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(size(new_size) - size(layout.size()), 1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-size(layout.size()), 0);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
