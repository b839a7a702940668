//! Who waits for the drain, and goes.

use std::task::Wake;

use super::*;

/// What a task is made of that waits for the drain and that nobody has but its waker.
struct Task(Mutex<Option<Pin<Box<Started>>>>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn a_waker_that_goes_may_take_its_task_along() {
    let notice = DrainNotice(Arc::new(Board::new(Clock::start())));
    let waits = |waker: &Waker| {
        let mut started = Box::pin(notice.started());
        assert!(started.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        started
    };
    let task = || Waker::from(Arc::new(Task(Mutex::new(Some(waits(Waker::noop()))))));
    let mut started = waits(&task());
    assert_eq!(notice.0.wakers().len(), 2);
    assert!(started.as_mut().poll(&mut Context::from_waker(&task())).is_pending());
    assert_eq!(notice.0.wakers().len(), 2);
    drop(started);
    assert_eq!(notice.0.wakers().len(), 0);
}
