//! The one buffer of a thread that everything is read into.

use std::cell::RefCell;

/// As much as one read may bring.
const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Lends the thread's buffer to `act`; a fresh one, where it is already lent.
pub(crate) fn with<R>(act: impl FnOnce(&mut [u8]) -> R) -> R {
    BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => act(&mut buffer),
        Err(_) => act(&mut vec![0; SIZE]),
    })
}
