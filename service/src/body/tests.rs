//! What the channel of a body keeps, and whom it wakes.

use std::sync::Weak;
use std::task::Wake;

use super::*;

#[test]
fn crumbs_that_nobody_reads_are_kept_together() {
    let channel = Channel::new(BodyLength::Unknown);
    let crumbs = (0..10_000_u32).map(|at| Bytes::copy_from_slice(&[at.to_le_bytes()[0]]));
    crumbs.for_each(|crumb| channel.push(crumb, Waker::noop()));
    channel.push(Bytes::from(vec![7; 2 * JOINED]), Waker::noop());
    let state = channel.lock();
    assert_eq!(state.data.len(), 10_000_usize.div_ceil(JOINED) + 1);
    let all: Vec<u8> = state.data.iter().flatten().copied().collect();
    assert!(all[..10_000].iter().enumerate().all(|(at, byte)| *byte == at.to_le_bytes()[0]));
    assert_eq!(all[10_000..], [7; 2 * JOINED]);
}

#[test]
fn what_its_reader_leaves_keeps_no_block() {
    let channel = Channel::new(BodyLength::Unknown);
    let block = Bytes::from(vec![7; 5 * JOINED]);
    for _ in 0..3 {
        channel.push(block.slice(JOINED..3 * JOINED), Waker::noop());
        channel.push(block.slice(..2 * JOINED), Waker::noop());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(channel.poll_frame(&mut cx).is_ready());
        channel.look(Waker::noop());
        assert!(block.is_unique());
    }
    let state = channel.lock();
    assert_eq!(state.data.len(), 3);
    assert!(state.data.iter().all(|data| *data == [7; 2 * JOINED][..]));
}

/// A waker that keeps a body, as a task does that its executor has forgotten.
struct Forgotten(Mutex<Option<Body>>);

impl Wake for Forgotten {
    fn wake(self: Arc<Self>) {}
}

/// A body whose reader, which waits for it, lives only in its own waker.
fn forgotten() -> (Arc<Channel>, Weak<Forgotten>) {
    let channel = Channel::new(BodyLength::Unknown);
    let task = Arc::new(Forgotten(Mutex::new(None)));
    let mut body = Body::new(Some(Arc::clone(&channel)), None);
    let waker = Waker::from(Arc::clone(&task));
    let read = http_body::Body::poll_frame(Pin::new(&mut body), &mut Context::from_waker(&waker));
    assert!(read.is_pending());
    *task.0.lock().unwrap() = Some(body);
    (channel, Arc::downgrade(&task))
}

#[test]
fn a_reader_that_is_dropped_by_being_woken_leaves() {
    let wakes: [fn(&Channel); 3] = [
        |channel| channel.push(Bytes::from_static(b"hello"), Waker::noop()),
        |channel| channel.finish(None, Waker::noop()),
        |channel| channel.fail(CancelReason::BrokenOff),
    ];
    for wake in wakes {
        let (channel, task) = forgotten();
        wake(&channel);
        assert!(task.upgrade().is_none());
        assert_eq!(channel.look(Waker::noop()).interest, Interest::Left);
    }
}
