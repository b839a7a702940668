//! What the operator's signals do.

use std::io;
use std::thread;

use lameduck_service::{DrainHandle, Reason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals as Pending;
use signal_hook::low_level::signal_name;

/// The signals that are no longer left to their defaults.
pub(crate) struct Signals(Pending);

impl Signals {
    /// Takes the signals over. What comes before [`obey`](Self::obey) is kept until then.
    pub(crate) fn take() -> io::Result<Self> {
        Pending::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP]).map(Self)
    }

    /// Does what they say to a server, on a thread of its own.
    pub(crate) fn obey(mut self, server: DrainHandle) -> io::Result<()> {
        let work = move || {
            let mut is_asked = false;
            for signal in self.0.forever() {
                let name = signal_name(signal).unwrap_or("a signal");
                match signal {
                    SIGHUP => tracing::info!("{name}: ignored, there is nothing to roll"),
                    _ if is_asked => {
                        tracing::warn!("{name}, again: cutting what is left");
                        server.force();
                    }
                    _ => {
                        tracing::info!("{name}: ending; another one cuts what is left");
                        is_asked = true;
                        server.begin_for(Reason(name));
                    }
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(work).map(drop)
    }
}
