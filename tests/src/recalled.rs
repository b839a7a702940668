//! What a caller remembers of the last head makes no difference.

use lameduck_core::{Connection, Instant, Recall};

/// As often as a head has to come until it is remembered: once to be seen, once more to be kept, and then to be found.
pub const TIMES: usize = 3;

/// Takes `bytes` in, and checks that it would have come to the same, had the caller remembered what `recall` does.
///
/// # Panics
/// Where it would not.
pub fn handle_bytes(connection: &mut Connection, now: Instant, bytes: &[u8], recall: &mut Recall) {
    let before = connection.clone();
    connection.handle_bytes(now, bytes);
    check(&before, now, bytes, connection, recall);
}

/// Checks that `bytes` make `after` of `before` for who remembers what `recall` does, too. `recall` takes note of them.
///
/// # Panics
/// Where they do not.
pub fn check(before: &Connection, now: Instant, bytes: &[u8], after: &Connection, recall: &mut Recall) {
    let mut recalling = before.clone();
    recalling.handle_bytes_recalling(now, bytes, recall);
    assert_eq!(recalling, *after, "what is remembered makes a difference: {}", bytes.escape_ascii());
}
