//! The last request of a thread, as it was described: the next one is likely to ask for the same in the same words, and
//! is not read again.

use std::cell::Cell;

use http::Request;
use lameduck_core::RequestHead;

use crate::head::{self, Form};

/// A longer head is not kept.
const MOST: usize = 1024;

thread_local! {
    static RECENT: Cell<Option<Box<Recent>>> = const { Cell::new(None) };
}

/// What has come twice in a row is kept: to keep a description costs more than to make it.
#[derive(Default)]
struct Recent {
    kept: Option<Kept>,
    /// The last head, where that was another.
    other: Option<RequestHead>,
}

struct Kept {
    head: RequestHead,
    request: Request<()>,
    form: Form,
}

/// Makes `request`, which is new, the one that `head` describes; `None`, where `http` cannot express it.
pub(crate) fn describe<B>(request: &mut Request<B>, head: &RequestHead) -> Option<Form> {
    let mut recent = RECENT.take().unwrap_or_default();
    let form = recent.describe(request, head);
    RECENT.set(Some(recent));
    form
}

impl Recent {
    fn describe<B>(&mut self, request: &mut Request<B>, head: &RequestHead) -> Option<Form> {
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.head == *head) {
            self.other = None;
            head::copy(&kept.request, request);
            return Some(kept.form);
        }
        let form = head::describe(request, head)?;
        self.note(head, request, form);
        Some(form)
    }

    fn note<B>(&mut self, head: &RequestHead, request: &Request<B>, form: Form) {
        let Some(head) = self.other.take_if(|other| other == head) else {
            self.other = (head.as_bytes().len() <= MOST).then(|| head.clone());
            return;
        };
        let mut copy = Request::new(());
        head::copy(request, &mut copy);
        self.kept = Some(Kept { head, request: copy, form });
    }
}

#[cfg(test)]
mod tests;
