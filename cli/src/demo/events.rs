//! Server-sent events that hear of the drain.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use lameduck_service::{DrainNotice, Started};
use tokio::time::{Interval, MissedTickBehavior, Sleep};

/// How long the stream lasts after it has told of the drain.
const FAREWELL: Duration = Duration::from_millis(100);

/// An event a second, until the server drains: then one that says so, and the end.
pub(crate) struct Events {
    notice: DrainNotice,
    stage: Stage,
}

enum Stage {
    Counting { count: u64, ticks: Interval, drain: Started },
    Leaving(Pin<Box<Sleep>>),
}

impl Events {
    pub(crate) fn new(notice: DrainNotice) -> Self {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let drain = notice.started();
        Self { notice, stage: Stage::Counting { count: 0, ticks, drain } }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match &mut self.stage {
            Stage::Counting { count, ticks, drain } => {
                if Pin::new(drain).poll(cx).is_ready() {
                    self.stage = Stage::Leaving(Box::pin(tokio::time::sleep(FAREWELL)));
                    return Poll::Ready(Some(farewell(self.notice.deadline())));
                }
                ready!(ticks.poll_tick(cx));
                *count += 1;
                Poll::Ready(Some(Bytes::from(format!("event: tick\ndata: {count}\n\n"))))
            }
            Stage::Leaving(pause) => pause.as_mut().poll(cx).map(|()| None),
        }
    }
}

/// Tells a client when it would be cut, did it not end before.
fn farewell(deadline: Option<Instant>) -> Bytes {
    let left = deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
    let at = httpdate::fmt_http_date(SystemTime::now() + left);
    let left = left.as_secs_f64();
    Bytes::from(format!("event: drain\ndata: {{\"deadline\":\"{at}\",\"seconds_left\":{left:.1}}}\n\n"))
}
