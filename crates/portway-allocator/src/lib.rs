//! The memory allocator of the process.
//!
//! It is a crate of its own since what it does beyond the standard interface is unsafe to call, which the other crates
//! may not.

/// mimalloc: faster than the system's allocator. Set it as `#[global_allocator]`.
pub use mimalloc::MiMalloc as Allocator;

/// Gives back to the system what this thread has freed.
///
/// The allocator does so by itself while it is being used, some time after memory was freed. A thread that works hard
/// now and then, such as the one that reads manifests, and sleeps in between would hold on to all that its last work
/// took. This takes milliseconds: call it after such work, and where requests are served after a peak of them.
pub fn give_back() {
    // SAFETY: the function has no precondition; it may be called by any thread at any time.
    #[allow(unsafe_code, reason = "a function of the C library, which has no safe interface")]
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
