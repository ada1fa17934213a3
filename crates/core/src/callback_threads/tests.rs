//! When a thread is called, and what runs next on it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use super::*;

/// Only to catch a hang.
const LONG: Duration = Duration::from_secs(30);

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(threads)
        .enable_time()
        .build()
        .unwrap()
}

/// Has a callback keep a thread until what is returned is dropped.
fn occupy(threads: &CallbackThreads) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    threads.queue(Box::new(move || {
        started.send(()).unwrap();
        let _ = released.recv();
        false
    }));
    starts.recv_timeout(LONG).unwrap();
    release
}

#[test]
fn one_thread_is_called_at_a_time_and_another_if_it_does_not_come() {
    let mut queue = Queue::new(2);
    assert!(!queue.needs_call());
    assert!(queue.add(Box::new(|| false)).is_none());
    assert!(queue.needs_call());
    assert!(!queue.needs_call());
    queue.called_at = Instant::now().checked_sub(PATIENCE).unwrap();
    assert!(queue.needs_call());
    queue.called_at = Instant::now().checked_sub(PATIENCE).unwrap();
    assert!(!queue.needs_call());
    queue.arrived();
    queue.arrived();
    assert!(queue.needs_call());
}

#[test]
fn one_that_blocks_holds_up_no_other_while_a_thread_is_free() {
    let runtime = runtime(2);
    let threads = CallbackThreads::new(runtime.handle().clone(), 2);
    let release = occupy(&threads);
    assert_eq!(threads.snapshot().busy, 1);
    for _ in 0..100 {
        let (run, ran) = mpsc::channel();
        threads.queue(Box::new(move || run.send(()).is_err()));
        ran.recv_timeout(LONG).unwrap();
    }
    drop(release);
}

#[test]
fn who_runs_again_does_so_behind_the_others_and_a_panic_ends_nobody_else() {
    let runtime = runtime(1);
    let threads = CallbackThreads::new(runtime.handle().clone(), 1);
    let (release, released) = mpsc::channel::<()>();
    threads.queue(Box::new(move || {
        let _ = released.recv();
        panic!("deliberate")
    }));
    let (run, ran) = mpsc::channel();
    for name in ["a", "b"] {
        let (run, mut left) = (run.clone(), 2);
        threads.queue(Box::new(move || {
            run.send(name).unwrap();
            left -= 1;
            left > 0
        }));
    }
    drop(release);
    let order = [(); 4].map(|()| ran.recv_timeout(LONG).unwrap());
    assert_eq!(order, ["a", "b", "a", "b"]);
}

#[test]
fn what_the_system_gives_no_thread_for_runs_once_it_does() {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let runtime = runtime(1);
    let start = |runtime: &Handle, arrival| {
        assert!(TRIES.fetch_add(1, Ordering::Relaxed) > 1, "deliberate");
        drop(runtime.spawn_blocking(arrival));
    };
    let threads = CallbackThreads::started_by(runtime.handle().clone(), 1, start);
    let (run, ran) = mpsc::channel();
    threads.queue(Box::new(move || run.send(()).is_err()));
    ran.recv_timeout(LONG).unwrap();
    assert_eq!(TRIES.load(Ordering::Relaxed), 3);
}

#[test]
fn closed_it_keeps_nothing() {
    let runtime = runtime(1);
    let threads = CallbackThreads::new(runtime.handle().clone(), 1);
    let held = Arc::new(());
    let hold = || {
        let held = Arc::clone(&held);
        Box::new(move || Arc::strong_count(&held) == 0)
    };
    let release = occupy(&threads);
    threads.queue(hold());
    threads.close();
    threads.queue(hold());
    assert_eq!(Arc::strong_count(&held), 1);
    drop(release);
}
