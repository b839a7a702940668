//! Handlers as tasks of the runtime.

use lameduck_service::Spawn;
use tokio::runtime::{Handle, RuntimeFlavor};

/// The runtime that a connection's task runs on.
pub(crate) struct Runtime;

impl<T> Spawn<T> for Runtime
where
    T: Future<Output = ()> + Send + 'static,
{
    /// Where the runtime has one thread, a task of its own would only cost.
    fn spawner(&self) -> Option<impl FnOnce(T)> {
        let runtime = Handle::current();
        let threads = match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread => runtime.metrics().num_workers(),
            _ => 1,
        };
        (threads > 1).then_some(move |task| drop(runtime.spawn(task)))
    }
}
