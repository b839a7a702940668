//! The ticks of the clock, and the date.

use std::time::SystemTime;

use super::*;

#[test]
fn the_last_tick_is_never_ahead_and_follows() {
    let clock = Clock::start();
    let first = clock.last_tick();
    while clock.last_tick() == first {
        assert!(clock.last_tick() <= clock.now());
    }
    assert!(clock.last_tick() > first);
}

#[test]
fn the_date_is_that_of_the_wall_clock() {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let dates = |from: u64, to: u64| (from..=to).map(|at| UNIX_EPOCH + Duration::from_secs(at));
    // A tick may be a second behind, where it was just before the next one began.
    let before = second() - 1;
    let date = format!("{:?}", date().unwrap());
    assert!(dates(before, second()).any(|at| httpdate::fmt_http_date(at) == date), "{date}");
}
