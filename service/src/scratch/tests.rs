//! What was read is not read over while somebody keeps it.

use super::*;

/// Reads `count` bytes that are all `byte`; where they were read to, and what of them may be kept.
fn read(scratch: &mut Scratch, count: usize, byte: u8) -> (*const u8, Option<Bytes>) {
    let buffer = scratch.buffer();
    assert_eq!(buffer.len(), SIZE);
    buffer[..count].fill(byte);
    let place = buffer.as_ptr();
    match scratch.read(count) {
        Read::Copied(bytes, _) => {
            assert_eq!(bytes, vec![byte; count]);
            (place, None)
        }
        Read::Shared(bytes) => {
            assert_eq!(bytes, vec![byte; count]);
            (place, Some(bytes))
        }
    }
}

#[test]
fn what_is_given_back_in_time_is_read_into_again() {
    let mut scratch = Scratch::new();
    let (place, _) = read(&mut scratch, LARGE, 1);
    for byte in 2..9 {
        let (again, shared) = read(&mut scratch, LARGE, byte);
        assert!(again == place && shared.is_some());
    }
}

#[test]
fn what_is_small_is_not_shared() {
    assert!(read(&mut Scratch::new(), LARGE - 1, 1).1.is_none());
}

#[test]
fn what_is_kept_stays_as_it_is_and_the_next_reads_are_copied() {
    let mut scratch = Scratch::new();
    let (place, kept) = read(&mut scratch, SIZE, 1);
    let kept = kept.expect("nothing was kept before");
    for byte in 2..2 + COPIED {
        assert!(read(&mut scratch, 1, byte).1.is_none());
        let (other, shared) = read(&mut scratch, SIZE, byte);
        assert!(other != place && shared.is_none());
    }
    assert_eq!(kept, vec![1; SIZE]);
    assert!(read(&mut scratch, SIZE, 0).1.is_some());
}
