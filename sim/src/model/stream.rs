//! Streams: work in order, on a thread of its own.
//!
//! Every piece of work has a [`Ticket`] and waits for the tickets before it: the last one of its own stream, and those
//! that the legacy default stream's rule adds. It makes no difference who carries the work out: a worker thread, or the
//! caller itself (synchronous and pageable copies).

use core::fmt;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::capture::Capture;
use super::code::{Code, Outcome};
use super::context::Context;
use super::ticket::{Ticket, lock};

/// A worker that has had nothing to do for so long ends; the next piece of work starts another.
const IDLE: Duration = Duration::from_millis(500);

/// What makes a stream special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The default stream: waits for all blocking streams, and they for it.
    Legacy,
    /// The default stream of one thread.
    PerThread,
    /// Created, taking part in the legacy stream's rule.
    Blocking,
    /// Created with the non-blocking flag.
    NonBlocking,
}

type Work = Box<dyn FnOnce() -> Outcome + Send>;

struct Job {
    after: Vec<Arc<Ticket>>,
    ticket: Arc<Ticket>,
    work: Work,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    has_worker: bool,
}

/// A stream.
pub(crate) struct Stream {
    pub(crate) handle: usize,
    pub(crate) serial: u64,
    pub(crate) kind: Kind,
    pub(crate) priority: i32,
    context: Weak<Context>,
    context_handle: usize,
    last: Mutex<Option<Arc<Ticket>>>,
    queue: Mutex<Queue>,
    wake: Condvar,
    pub(crate) capture: Mutex<Option<Arc<Capture>>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("handle", &self.handle)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Numbers for streams and contexts.
pub(crate) fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The caller's turn in a stream: [`wait`](Self::wait), do the work, drop.
#[derive(Debug)]
pub(crate) struct Turn {
    after: Vec<Arc<Ticket>>,
    ticket: Arc<Ticket>,
}

impl Turn {
    pub(crate) fn wait(&self) {
        for ticket in &self.after {
            ticket.wait();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.ticket.finish();
    }
}

impl Stream {
    pub(crate) fn new(
        context: &Arc<Context>,
        handle: usize,
        kind: Kind,
        priority: i32,
    ) -> Arc<Self> {
        let stream = Arc::new(Self::alone(context, handle, kind, priority));
        stream.join(context);
        stream
    }

    /// A stream that its context does not know yet: see [`join`](Self::join).
    pub(crate) fn alone(context: &Arc<Context>, handle: usize, kind: Kind, priority: i32) -> Self {
        Self {
            handle,
            serial: next_serial(),
            kind,
            priority,
            context: Arc::downgrade(context),
            context_handle: context.handle,
            last: Mutex::new(None),
            queue: Mutex::default(),
            wake: Condvar::new(),
            capture: Mutex::new(None),
        }
    }

    /// Makes a stream part of its context's order.
    pub(crate) fn join(self: &Arc<Self>, context: &Context) {
        lock(&context.order).streams.push(Arc::downgrade(self));
    }

    pub(crate) fn context(&self) -> Outcome<Arc<Context>> {
        self.living_context().ok_or_else(|| self.orphaned())
    }

    /// Its context, if it is alive; nobody is waited for.
    pub(crate) fn living_context(&self) -> Option<Arc<Context>> {
        self.context.upgrade().filter(|context| context.is_alive())
    }

    /// Its context is gone; where another one has taken over the handle, the stream is a stranger there.
    fn orphaned(&self) -> Code {
        let successor =
            super::machine::machine().and_then(|machine| machine.context(self.context_handle));
        if successor.is_ok() {
            Code::INVALID_HANDLE
        } else {
            Code::CONTEXT_IS_DESTROYED
        }
    }

    pub(crate) const fn context_handle(&self) -> usize {
        self.context_handle
    }

    /// Takes part in the legacy stream's rule.
    pub(crate) const fn is_blocking(&self) -> bool {
        !matches!(self.kind, Kind::NonBlocking)
    }

    /// The next ticket of this stream, and the unfinished ones before it.
    fn place(&self) -> Outcome<(Arc<Ticket>, Vec<Arc<Ticket>>)> {
        let context = self.context()?;
        let mut order = lock(&context.order);
        let ticket = Arc::new(Ticket::default());
        let mut after: Vec<_> = lock(&self.last)
            .replace(Arc::clone(&ticket))
            .into_iter()
            .collect();
        if self.kind == Kind::Legacy {
            let others = order
                .streams
                .iter()
                .filter_map(Weak::upgrade)
                .filter(|other| other.is_blocking());
            after.extend(
                others
                    .filter(|other| other.handle != self.handle)
                    .filter_map(|other| other.last()),
            );
            order.legacy_last = Some(Arc::clone(&ticket));
        } else if self.is_blocking() {
            after.extend(order.legacy_last.clone());
        }
        drop(order);
        after.retain(|ticket| !ticket.is_done());
        Ok((ticket, after))
    }

    fn last(&self) -> Option<Arc<Ticket>> {
        lock(&self.last).clone()
    }

    /// Takes a place in the stream for work that this thread will do itself.
    pub(crate) fn take_turn(&self) -> Outcome<Turn> {
        let (ticket, after) = self.place()?;
        Ok(Turn { after, ticket })
    }

    /// Puts work into the stream.
    pub(crate) fn enqueue(
        self: &Arc<Self>,
        work: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Outcome<Arc<Ticket>> {
        self.enqueue_after(Vec::new(), work)
    }

    /// Puts work into the stream that also waits for something else.
    pub(crate) fn enqueue_after(
        self: &Arc<Self>,
        others: Vec<Arc<Ticket>>,
        work: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Outcome<Arc<Ticket>> {
        // The queue is locked first: two threads must not put their jobs in another order than their tickets.
        let mut queue = lock(&self.queue);
        let (ticket, mut after) = self.place()?;
        after.extend(others);
        queue.jobs.push_back(Job {
            after,
            ticket: Arc::clone(&ticket),
            work: Box::new(work),
        });
        if !queue.has_worker {
            queue.has_worker = true;
            let stream = Arc::clone(self);
            if spawn(move || stream.serve()).is_err() {
                queue.has_worker = false;
                drop(queue);
                self.serve_here();
                return Ok(ticket);
            }
        }
        drop(queue);
        self.wake.notify_one();
        Ok(ticket)
    }

    fn serve(&self) {
        loop {
            let queue = lock(&self.queue);
            let (mut queue, _) = self
                .wake
                .wait_timeout_while(queue, IDLE, |queue| queue.jobs.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let Some(job) = queue.jobs.pop_front() else {
                queue.has_worker = false;
                return;
            };
            drop(queue);
            self.carry_out(job);
        }
    }

    /// Without threads there is still order.
    fn serve_here(&self) {
        while let Some(job) = { lock(&self.queue).jobs.pop_front() } {
            self.carry_out(job);
        }
    }

    fn carry_out(&self, job: Job) {
        for ticket in &job.after {
            ticket.wait();
        }
        let context = self.context.upgrade();
        let dead = context
            .as_ref()
            .is_some_and(|context| context.check().is_err());
        if !dead
            && let Err(code) = (job.work)()
            && let Some(context) = context
        {
            context.poison(code);
        }
        job.ticket.finish();
    }

    /// Whether everything in it is done.
    pub(crate) fn is_idle(&self) -> bool {
        self.last().is_none_or(|ticket| ticket.is_done())
    }

    /// Waits for everything in it.
    pub(crate) fn drain(&self) {
        if let Some(ticket) = self.last() {
            ticket.wait();
        }
    }
}

/// Starts a worker that never receives the program's signals.
fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let mut all = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is ours to fill.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: both sets are live; a thread inherits the mask of the one that starts it.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let started = std::thread::Builder::new()
        .name("cuwhy-sim".into())
        .stack_size(256 << 10)
        .spawn(work);
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut()) };
    started.map(drop)
}
