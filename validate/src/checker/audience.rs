//! Who hears of findings, and how often.

use crate::Finding;
use crate::finding::Outcome;
use core::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Something to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A finding, with the number of times that its rule spoke at its place.
    Finding(&'a Finding),
    /// The last one of this rule at this place that is told; later ones are only counted.
    LastOfItsKind {
        /// The finding.
        finding: &'a Finding,
        /// The limit that was reached.
        limit: u64,
    },
    /// CUDA answered something else than we predicted: a bug of ours.
    Unexpected {
        /// The call.
        call: &'a str,
        /// What we predicted.
        predicted: &'a Outcome,
        /// What CUDA answered.
        answered: &'a Outcome,
    },
}

thread_local! {
    /// Whether this thread is telling somebody something.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// The time during which somebody is told something, ended by a panic too.
struct Telling;

impl Telling {
    /// Nothing where this thread is telling already.
    fn begin() -> Option<Self> {
        (!TELLING.replace(true)).then_some(Self)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        TELLING.set(false);
    }
}

type Hearer = dyn Fn(&Event<'_>) + Send + Sync;

/// A function that hears of findings, with a limit for each rule at each place.
#[derive(Clone)]
pub struct Audience {
    hearer: Option<Arc<Hearer>>,
    limit: u64,
    seen: Arc<Mutex<HashMap<(&'static str, String), u64>>>,
}

impl core::fmt::Debug for Audience {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Audience")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            hearer: None,
            limit: 10,
            seen: Arc::default(),
        }
    }
}

impl Audience {
    /// An audience that hears of each rule at each place ten times.
    ///
    /// The function is called in the thread that makes the call, from several threads at once where
    /// several make calls, and with no lock held: it may itself make checked calls. What is found in
    /// those is counted and not told, so that nobody hears of his own hearing. A panic in it travels
    /// to whoever made the call.
    #[must_use]
    pub fn new(hearer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self {
            hearer: Some(Arc::new(hearer)),
            ..Self::default()
        }
    }

    /// The same with another limit.
    #[must_use]
    pub fn up_to(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// How often each rule spoke at each place.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, String, u64)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = seen
            .iter()
            .map(|((rule, at), count)| (*rule, at.clone(), *count));
        let mut counts: Vec<_> = counts.collect();
        counts.sort();
        counts
    }

    /// Counts a finding and tells it, unless it was told often enough.
    pub(super) fn tell(&self, finding: &mut Finding) {
        let key = (finding.rule, finding.at.clone().unwrap_or_default());
        let count = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let count = seen.entry(key).or_insert(0);
            *count += 1;
            *count
        };
        finding.seen = count;
        let limit = self.limit;
        match count.cmp(&limit) {
            core::cmp::Ordering::Less => self.hear(&Event::Finding(finding)),
            core::cmp::Ordering::Equal => self.hear(&Event::LastOfItsKind { finding, limit }),
            core::cmp::Ordering::Greater => {}
        }
    }

    pub(super) fn hear(&self, event: &Event<'_>) {
        let Some(hearer) = &self.hearer else {
            return;
        };
        if let Some(_telling) = Telling::begin() {
            hearer(event);
        }
    }
}
