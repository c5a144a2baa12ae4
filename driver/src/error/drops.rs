use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Error, Result};

/// A hook that hears of what a `Drop` could not free.
type DropHook = Arc<dyn Fn(&Error) + Send + Sync>;

static DROP_HOOK: RwLock<Option<DropHook>> = RwLock::new(None);
static DROP_FAILURES: AtomicU64 = AtomicU64::new(0);

/// Sets the hook that hears of every failure inside a `Drop`, and returns nothing of the old one.
///
/// Without a hook such failures are only counted ([`drop_failures`]). The hook runs on the thread
/// that drops; should it panic, the panic ends there.
pub fn on_drop_failure(hook: impl Fn(&Error) + Send + Sync + 'static) {
    replace(Some(Arc::new(hook)));
}

/// Removes the hook of [`on_drop_failure`].
pub fn clear_drop_hook() {
    replace(None);
}

/// Puts another hook in place; what the old one owns is dropped outside of the lock, because that may
/// report failures, too.
fn replace(new: Option<DropHook>) {
    let mut hook = DROP_HOOK.write().unwrap_or_else(PoisonError::into_inner);
    let old = core::mem::replace(&mut *hook, new);
    drop(hook);
    contain(|| drop(old));
}

/// How many times a `Drop` could not free what it owned.
#[must_use]
pub fn drop_failures() -> u64 {
    DROP_FAILURES.load(Ordering::Relaxed)
}

/// Hands a failure inside a `Drop` to the hook.
pub(crate) fn report_drop(result: Result<()>) {
    let Err(error) = result else { return };
    DROP_FAILURES.fetch_add(1, Ordering::Relaxed);
    let hook = DROP_HOOK
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(hook) = hook {
        contain(|| hook(&error));
    }
}

/// Runs what somebody else wrote; a panic ends here, with whatever it was thrown with.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(thrown) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        // Dropping it could panic again.
        core::mem::forget(thrown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hook_owns_may_use_the_hook_when_it_goes() {
        struct Owned;
        impl Drop for Owned {
            fn drop(&mut self) {
                clear_drop_hook();
            }
        }
        let owned = Owned;
        on_drop_failure(move |_| {
            let _owned = &owned;
        });
        on_drop_failure(|_| {});
        assert!(DROP_HOOK.try_read().is_ok_and(|hook| hook.is_none()));
    }
}
