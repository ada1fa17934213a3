//! Calls without a pause.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use redis_manager::prelude::*;

/// Callers that never pause, each with the beginning of its latest call that succeeded.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    latest: Vec<Arc<Mutex<Option<Instant>>>>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start<C>(callers: usize, caller: impl Fn() -> C) -> Self
    where
        C: FnMut() -> Result<(), Error> + Send + 'static,
    {
        let mut load = Self {
            stop: Arc::default(),
            latest: Vec::new(),
            callers: Vec::new(),
        };
        for _ in 0..callers {
            let (stop, latest) = (Arc::clone(&load.stop), Arc::<Mutex<_>>::default());
            load.latest.push(Arc::clone(&latest));
            let mut call = caller();
            load.callers.push(std::thread::spawn(move || {
                while !stop.load(SeqCst) {
                    let began = Instant::now();
                    match call() {
                        Ok(()) => *latest.lock().unwrap() = Some(began),
                        Err(_) if stop.load(SeqCst) => {}
                        Err(error) => assert!(
                            matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Disconnected),
                            "{error}"
                        ),
                    }
                }
            }));
        }
        load
    }

    pub(super) fn all_succeeded_since(&self, moment: Instant) -> bool {
        let mut latest = self.latest.iter().map(|latest| *latest.lock().unwrap());
        latest.all(|began| began.is_some_and(|began| began >= moment))
    }

    pub(super) fn end(mut self) {
        self.stop.store(true, SeqCst);
        let callers = std::mem::take(&mut self.callers);
        callers.into_iter().for_each(|it| it.join().unwrap());
    }
}

impl Drop for Load {
    /// A test that fails closes the clients under it.
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}
