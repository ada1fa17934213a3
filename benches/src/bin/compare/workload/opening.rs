//! Opening many clients.

use std::future::Future;
use std::time::Instant;

const AT_A_TIME: usize = 64;

/// Opens `count` clients, 64 at a time; says how many nanoseconds each took.
pub(crate) async fn open<C, F>(
    count: usize,
    open: impl Fn() -> F + Clone + Send + 'static,
) -> (Vec<C>, Vec<u64>)
where
    C: Send + 'static,
    F: Future<Output = C> + Send,
{
    let tasks: Vec<_> = (0..AT_A_TIME)
        .map(|task| {
            let open = open.clone();
            let share = count / AT_A_TIME + usize::from(task < count % AT_A_TIME);
            tokio::spawn(async move {
                let mut opened = Vec::with_capacity(share);
                for _ in 0..share {
                    let started = Instant::now();
                    let client = open().await;
                    opened.push((client, started.elapsed().as_nanos() as u64));
                }
                opened
            })
        })
        .collect();
    let mut all = Vec::with_capacity(count);
    for task in tasks {
        all.extend(task.await.expect("a task that does not panic"));
    }
    all.into_iter().unzip()
}
