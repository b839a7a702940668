//! PUSH_PROMISE (RFC 9113 section 6.6).

use super::{Fault, FrameError};

/// A client cannot push: whatever it says in one, that ends the connection (section 8.4).
pub(super) const fn refuse() -> FrameError {
    FrameError::connection(Fault::Push)
}
