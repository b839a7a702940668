//! What was last read, and what it became: the next is likely to be the same, and need not be read again.

use alloc::vec::Vec;

/// The last octets that were read, where there were at most `MOST`; `C` is what else their meaning depends on, `P` what
/// they became.
#[derive(Clone, Debug)]
pub(crate) struct Recent<C, P, const MOST: usize> {
    text: Vec<u8>,
    context: C,
    /// What the text became, once it has come twice: to share it costs more than to have it alone.
    became: Option<P>,
}

impl<C: Default, P, const MOST: usize> Default for Recent<C, P, MOST> {
    /// Nothing.
    fn default() -> Self {
        Self { text: Vec::new(), context: C::default(), became: None }
    }
}

impl<C: PartialEq, P: Clone, const MOST: usize> Recent<C, P, MOST> {
    /// What `text` becomes, where that is known.
    pub(crate) fn find(&self, text: &[u8], context: &C) -> Option<P> {
        let became = self.became.as_ref()?;
        self.is(text, context).then(|| became.clone())
    }

    /// What the beginning of `input` becomes that is known.
    pub(crate) fn find_first(&self, input: &[u8], context: &C) -> Option<P> {
        self.find(input.get(..self.text.len())?, context)
    }

    /// Takes note of what `text` has become.
    pub(crate) fn note(&mut self, text: &[u8], context: C, became: &P) {
        if self.is(text, &context) {
            self.became = Some(became.clone());
            return;
        }
        self.forget();
        if text.len() <= MOST {
            self.text.extend_from_slice(text);
            self.context = context;
        }
    }

    pub(crate) fn forget(&mut self) {
        self.text.clear();
        self.became = None;
    }

    fn is(&self, text: &[u8], context: &C) -> bool {
        self.text == text && self.context == *context
    }
}
