//! What this process allocated and freed, as far as somebody told us.
//!
//! [`Registry::lookup`] takes no lock and costs the same whatever is alive (see `tree`); writers
//! take one lock. Allocations are rare beside copies, and the driver itself serialises them, so
//! one writer at a time is no limit; readers meet writers in no shared cache line but that of the
//! slots that change. A child that was forked reads on, and writes on (see `lock`).
//!
//! The registry may let a call pass. It never accuses alone: code that it did not see may have
//! freed or reused an address, so the driver confirms before a finding is made - except after a
//! free in stream order, when asking is undefined.

mod book;
mod grown;
mod handles;
mod lock;
mod numbers;
mod page;
mod record;
mod slot;
mod tree;
mod word;

pub(crate) use tree::Unclear;
pub use word::Hit;

use crate::facts::{End, Owner};
use crate::{Class, Site, Span};
use book::Book;
use grown::Grown;
use handles::{Ends, Handles};
use lock::Lock;
use tree::Tree;

/// What the registry knows of an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// It lies in memory that is alive.
    Live(Owner),
    /// It lies in memory that was freed.
    Dead(Owner),
}

/// How memory went away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freed {
    /// The C function that was called.
    pub call: &'static str,
    /// Where.
    pub site: Site,
    /// The stream in whose order it was freed, where it was.
    pub in_order_of: Option<u64>,
}

/// What the registry knew of memory that somebody freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was alive, and is dead now.
    Live,
    /// It was dead already.
    Dead,
    /// It is not known.
    Not,
}

/// A map of live allocations and registrations, and of a bounded number of dead ones.
#[derive(Debug)]
pub struct Registry {
    tree: Tree,
    book: Lock<Book>,
    /// Apart from arrays: where one was destroyed the other may be created, at the same address.
    streams: Objects,
    arrays: Objects,
    limit: usize,
    process: u32,
}

/// How many dead allocations are remembered unless somebody says otherwise.
pub const TOMBSTONES: usize = 4096;

/// No `LazyLock`: a fork while it is being made would leave the child waiting.
static GLOBAL: Grown<Registry> = Grown::new();

impl Default for Registry {
    fn default() -> Self {
        Self::with_tombstones(TOMBSTONES)
    }
}

impl Registry {
    /// A registry that remembers this many dead allocations.
    #[must_use]
    pub fn with_tombstones(limit: usize) -> Self {
        Self {
            tree: Tree::new(),
            book: Lock::new(Book::new(limit)),
            streams: Objects::new(limit),
            arrays: Objects::new(limit),
            limit,
            process: std::process::id(),
        }
    }

    /// The registry of this process.
    #[must_use]
    pub fn global() -> &'static Self {
        GLOBAL.grow(Box::default)
    }

    /// The process that the registry was made in; a child that was forked inherits it.
    #[must_use]
    pub const fn process(&self) -> u32 {
        self.process
    }

    /// What lies at an address, alive or dead. No lock is taken.
    #[inline(always)]
    #[must_use]
    pub fn lookup(&self, address: u64) -> Option<Hit> {
        self.tree.find(address)
    }

    /// Whether a condition holds for what lies at an address, where it is to be seen at once: no
    /// function is called.
    #[inline(always)]
    pub(crate) fn glance(
        &self,
        address: u64,
        condition: impl FnOnce(Hit) -> bool,
    ) -> Result<bool, Unclear> {
        self.tree.glance(address, condition)
    }

    /// Tells the registry of memory that is alive from now on. `owner.range` says where; memory
    /// that was thought alive there is dead, because it was freed unseen.
    pub fn allocated(&self, owner: Owner) {
        self.book(|book| book.allocated(&self.tree, owner));
    }

    /// Tells the registry that the memory beginning at `start` is dead from now on.
    pub fn freed(&self, start: u64, how: &Freed) -> Known {
        self.book(|book| book.freed(&self.tree, start, how))
    }

    /// Tells the registry that CUDA refused to free the memory beginning at `start`: it is alive.
    pub fn revived(&self, start: u64) {
        let Some(Entry::Dead(mut owner)) = self.find(start) else {
            return;
        };
        if let Some(end) = owner.end.take() {
            owner.class = end.class;
            self.allocated(owner);
        }
    }

    /// Tells the registry that all memory in a range is dead from now on: `cuMemUnmap`.
    pub fn unmapped(&self, span: Span, how: &Freed) {
        let starts = self.book(|book| book.starts_in(span));
        for start in starts {
            self.freed(start, how);
        }
    }

    /// Tells the registry that a device was reset or a context destroyed: all memory of it that
    /// `belongs` accepts is gone. Writers wait meanwhile: `belongs` must not ask this registry.
    pub fn reset(&self, how: &Freed, belongs: impl Fn(&Owner) -> bool) {
        self.book(|book| book.reset(&self.tree, how, belongs));
    }

    /// Tells the registry that a stream, or everything, was waited for: frees in its order are
    /// done.
    pub fn synchronized(&self, stream: Option<u64>) {
        self.book(|book| book.synchronized(&self.tree, stream));
    }

    /// Everything that is known of an address.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<Entry> {
        // Most addresses that are asked about are not known, and that takes no lock.
        self.tree.find(address)?;
        let owner = self.book(|book| book.owner(address))?;
        Some(match owner.end {
            Some(_) => Entry::Dead(owner),
            None => Entry::Live(owner),
        })
    }

    /// The first live allocation that begins after an address.
    #[must_use]
    pub fn next_after(&self, address: u64) -> Option<Owner> {
        self.book(|book| book.next_after(address))
    }

    /// The last live allocation that ends at or before an address.
    #[must_use]
    pub fn last_before(&self, address: u64) -> Option<Owner> {
        self.book(|book| book.last_before(address))
    }

    /// What lay at an address before what is known of it now, the latest first.
    #[must_use]
    pub fn former(&self, address: u64) -> Vec<Owner> {
        self.book(|book| book.former(address))
    }

    /// Tells the registry of a stream that was created.
    ///
    /// A check follows the handle of a stream that the registry calls alive, as CUDA does.
    pub fn stream_created(&self, handle: u64) {
        self.streams.change(|ends, all| ends.created(all, handle));
    }

    /// Tells the registry of a stream that was destroyed.
    pub fn stream_destroyed(&self, handle: u64) {
        self.streams.change(|ends, all| ends.destroyed(all, handle));
    }

    /// Whether a stream is alive; nothing where it is not known. No lock is taken.
    #[inline]
    #[must_use]
    pub fn stream(&self, handle: u64) -> Option<bool> {
        self.streams.handles.find(handle)
    }

    /// Tells the registry of an array that was created.
    ///
    /// A check follows the handle of an array that the registry calls alive, as CUDA does.
    pub fn array_created(&self, handle: u64) {
        self.arrays.change(|ends, all| ends.created(all, handle));
    }

    /// Tells the registry of an array that was destroyed.
    pub fn array_destroyed(&self, handle: u64) {
        self.arrays.change(|ends, all| ends.destroyed(all, handle));
    }

    /// Whether an array is alive; nothing where it is not known.
    #[must_use]
    pub fn array(&self, handle: u64) -> Option<bool> {
        self.arrays.handles.find(handle)
    }

    /// How many allocations are alive.
    #[must_use]
    pub fn live(&self) -> usize {
        self.book(|book| book.live())
    }

    fn book<R>(&self, work: impl FnOnce(&mut Book) -> R) -> R {
        let renew = || Book::in_child(self.limit);
        self.book.with(renew, |book| {
            book.settle(&self.tree);
            work(book)
        })
    }
}

/// Objects of one kind, by their handles.
#[derive(Debug)]
struct Objects {
    handles: Handles,
    ends: Lock<Ends>,
    limit: usize,
}

impl Objects {
    fn new(limit: usize) -> Self {
        Self {
            handles: Handles::new(),
            ends: Lock::new(Ends::new(limit)),
            limit,
        }
    }

    fn change(&self, work: impl FnOnce(&mut Ends, &Handles)) {
        let renew = || Ends::in_child(self.limit);
        self.ends.with(renew, |ends| {
            ends.settle(&self.handles);
            work(ends, &self.handles);
        });
    }
}

impl Freed {
    /// Freed by a call that waits.
    #[must_use]
    pub const fn by(call: &'static str, site: Site) -> Self {
        Self {
            call,
            site,
            in_order_of: None,
        }
    }

    /// Freed in the order of a stream.
    #[must_use]
    pub const fn in_order(call: &'static str, site: Site, stream: u64) -> Self {
        Self {
            call,
            site,
            in_order_of: Some(stream),
        }
    }

    fn end(&self, class: Class, context_gone: bool) -> End {
        End {
            call: self.call,
            site: self.site.clone(),
            class,
            pending: self.in_order_of.is_some(),
            context_gone,
        }
    }
}
