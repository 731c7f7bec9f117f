//! What the worker itself inherited from whoever started it.

use std::{fs, os::fd::BorrowedFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Where the standard input, output and error end.
const FIRST: i32 = 3;

/// Keeps files and sockets that the worker inherited from its own children; what it opens itself they never get.
#[expect(
    unsafe_code,
    reason = "a number that was read is no descriptor for Rust; see what is done with it"
)]
pub(crate) fn keep_inherited() {
    let listed = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| *number >= FIRST) {
        // SAFETY: the descriptor is used for this one call, which for one that was closed meanwhile fails, and for one that
        // was opened meanwhile changes nothing: it closes with an exec already.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        // What lists them is among them, and may be gone.
        let _closed = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
    }
}
