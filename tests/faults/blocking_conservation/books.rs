//! What became of everything that was pushed.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use redis_manager::Protocol;
use redis_manager_support::TestServer;

use super::{LISTS, MOVED};
use crate::harness::Run;

/// What became of the pushes and pops of one run.
#[derive(Default)]
pub(super) struct Books {
    /// The number of the next element.
    pub(super) next: AtomicUsize,
    pub(super) pushed: Mutex<Vec<u64>>,
    pub(super) never_pushed: Mutex<Vec<u64>>,
    pub(super) perhaps_pushed: AtomicUsize,
    pub(super) popped: Mutex<Vec<u64>>,
    pub(super) moved: Mutex<Vec<u64>>,
    /// Pops of which nobody knows what they popped; BLMOVE loses nothing, so its calls are counted apart.
    pub(super) perhaps_popped: AtomicUsize,
    pub(super) perhaps_moved: AtomicUsize,
    pub(super) gets: Mutex<Vec<Duration>>,
    pub(super) sessions: Mutex<Vec<Duration>>,
    pub(super) stop: AtomicBool,
}

fn elements_of(server: &TestServer, list: &str) -> Vec<u64> {
    let list = server.run(&["LRANGE", list, "0", "-1"]);
    let elements = list.items().iter();
    elements
        .map(|element| element.as_int().unwrap() as u64)
        .collect()
}

/// Every element is where it must be, and nowhere twice.
pub(super) fn balance(run: &Run, protocol: Protocol, server: &TestServer, books: &Books) {
    let popped = std::mem::take(&mut *books.popped.lock().unwrap());
    let moved = elements_of(server, MOVED);
    let left: Vec<_> = (0..LISTS)
        .flat_map(|list| elements_of(server, &format!("list {list}")))
        .collect();
    let mut seen = HashSet::new();
    for element in popped.iter().chain(&moved).chain(&left) {
        assert!(seen.insert(*element), "{element} was seen twice");
    }
    let never_pushed = books.never_pushed.lock().unwrap();
    for element in never_pushed.iter() {
        assert!(
            !seen.contains(element),
            "{element} was not sent, and is there"
        );
    }
    let known: HashSet<_> = books.moved.lock().unwrap().drain(..).collect();
    let arrived: HashSet<_> = moved.iter().copied().collect();
    assert!(
        known.is_subset(&arrived),
        "a move that was answered was made"
    );
    let perhaps_moved = books.perhaps_moved.load(SeqCst);
    assert!(arrived.len() - known.len() <= perhaps_moved);

    let pushed = books.pushed.lock().unwrap();
    let missing = pushed
        .iter()
        .filter(|element| !seen.contains(element))
        .count();
    let perhaps_popped = books.perhaps_popped.load(SeqCst);
    run.report(
        &format!("{protocol:?}: elements pushed, popped, moved, left, missing (≤ Unknown pops)"),
        format!(
            "{}, {}, {}, {}, {missing} (≤ {perhaps_popped})",
            pushed.len(),
            popped.len(),
            moved.len(),
            left.len(),
        ),
    );
    assert!(
        missing <= perhaps_popped,
        "{missing} missing, {perhaps_popped} Unknown"
    );
    let perhaps_pushed = books.perhaps_pushed.load(SeqCst);
    assert!(seen.len() <= pushed.len() + perhaps_pushed);
    assert!(perhaps_popped > 0 && !popped.is_empty() && !moved.is_empty());
}
