//! What is wanted of sites beyond their class: a condition, a text that stands for it, and what it costs to ask.

use std::fmt;
use std::sync::Arc;

use super::entry::Subject;

/// What it costs a selection to hold a site that changes, in terms asked of it: measured at 0.4 to 0.7 microseconds,
/// where a term takes some 0.03.
const HOLDING_TERMS: u32 = 16;

type Condition = Arc<dyn Fn(&Subject<'_>) -> bool + Send + Sync>;

/// A condition on sites. A clone shares it.
#[derive(Clone)]
pub struct Wants {
    key: Arc<str>,
    terms: u32,
    condition: Condition,
    is_assignment: bool,
}

impl fmt::Debug for Wants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wants").field(&self.key).finish()
    }
}

impl Wants {
    /// A condition of so many terms, each of which may have to be asked of a site. Equal keys must mean equal conditions.
    pub fn new(
        key: impl Into<Arc<str>>,
        terms: usize,
        condition: impl Fn(&Subject<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let terms = u32::try_from(terms).unwrap_or(u32::MAX);
        Self { key: key.into(), terms, condition: Arc::new(condition), is_assignment: false }
    }

    /// The same as what is assigned to somebody, which all that they ask rests on: no filter that somebody typed makes room of its
    /// selection.
    #[must_use]
    pub fn of_assignment(self) -> Self {
        Self { is_assignment: true, ..self }
    }

    /// Whether it is what is assigned to somebody.
    pub(super) fn is_assignment(&self) -> bool {
        self.is_assignment
    }

    /// The text that stands for it.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// What a selection of these costs at most where it looks at a site and takes it in, in terms asked of a site; never 0.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.terms.saturating_add(HOLDING_TERMS)
    }

    /// Whether the site is wanted.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        (self.condition)(subject)
    }
}
