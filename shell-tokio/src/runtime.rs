//! Handlers as tasks of the runtime.

use lameduck_service::Spawn;
use tokio::runtime::{Handle, RuntimeFlavor};

/// The runtime that a connection's task runs on.
#[derive(Clone, Copy)]
pub(crate) enum Runtime {
    /// A task of its own would only cost.
    OneThread,
    Threads,
}

impl Runtime {
    /// The one that this is called on.
    pub(crate) fn current() -> Self {
        let runtime = Handle::current();
        match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread if runtime.metrics().num_workers() > 1 => Self::Threads,
            _ => Self::OneThread,
        }
    }
}

impl<T> Spawn<T> for Runtime
where
    T: Future<Output = ()> + Send + 'static,
{
    fn spawner(&self) -> Option<impl FnOnce(T)> {
        match self {
            Self::OneThread => None,
            Self::Threads => Some(|task| drop(tokio::spawn(task))),
        }
    }
}
