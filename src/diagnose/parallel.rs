//! The same work on many things, by all processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What `work` makes of each, in their order. Each processor takes the next.
pub(crate) fn map<T: Sync, U: Send>(all: &[T], work: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut made = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(one) = all.get(at)
        {
            made.push((at, work(one)));
        }
        made
    };
    let helpers = thread::available_parallelism().map_or(1, NonZero::get).min(all.len()).saturating_sub(1);
    let mut made = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(take)).collect();
        let mut made = take();
        for helper in helpers {
            made.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    made.sort_unstable_by_key(|(at, _)| *at);
    made.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn order_is_kept_and_a_panic_is_not_lost() {
        let all: Vec<usize> = (0..1000).collect();
        assert_eq!(map(&all, |one| one * 2), all.iter().map(|one| one * 2).collect::<Vec<_>>());
        assert!(map(&[] as &[usize], |one| *one).is_empty());
        let panics = std::panic::catch_unwind(|| map(&all, |one| assert!(*one != 700)));
        assert!(panics.is_err());
    }
}
