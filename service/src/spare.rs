//! What one request has done with, for the next one of the thread: an idle connection owns no memory, and a busy
//! thread asks for none.

use std::any::Any;
use std::cell::Cell;

thread_local! {
    /// An `Option<T>` of whatever `T` was last given.
    static SPARE: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
}

/// Takes what was last given, if that is a `T` and has not been taken.
pub(crate) fn take<T: 'static>() -> Option<T> {
    let mut spare = SPARE.take()?;
    let thing = spare.downcast_mut::<Option<T>>().and_then(Option::take);
    SPARE.set(Some(spare));
    thing
}

/// Gives a thing away, in the place of what was given before.
pub(crate) fn give<T: 'static>(thing: T) {
    let mut spare = SPARE.take();
    match spare.as_mut().and_then(|spare| spare.downcast_mut::<Option<T>>()) {
        Some(place) => *place = Some(thing),
        None => spare = Some(Box::new(Some(thing))),
    }
    SPARE.set(spare);
}
