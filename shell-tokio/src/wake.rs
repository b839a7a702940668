//! The hub's wake-ups, awaited.

use std::sync::Arc;
use std::task::{Wake, Waker};

use lameduck_service::{Hub, Watch};
use tokio::sync::Notify;

/// Completes once for the changes of a hub since it last did.
pub(crate) struct Changes {
    signal: Arc<Signal>,
    _watch: Watch,
}

struct Signal(Notify);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Changes {
    pub(crate) fn of(hub: &Arc<Hub>) -> Self {
        let signal = Arc::new(Signal(Notify::new()));
        let watch = hub.watch(Waker::from(Arc::clone(&signal)));
        Self { signal, _watch: watch }
    }

    pub(crate) async fn next(&self) {
        self.signal.0.notified().await;
    }
}
