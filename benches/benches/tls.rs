//! What TLS costs: the opening, the memory and the calls of a thousand clients, beside plain ones.
//!
//! Each client is opened alone, with the server's handshake on the same machine, and then does one call. The memory is
//! what the process has allocated for all of them then, without the server.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

#[path = "../src/bin/compare/allocations.rs"]
#[allow(dead_code, reason = "only the bytes are of interest")]
mod allocations;

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use redis_manager::prelude::*;
use redis_manager::{Pem, TlsOptions};
use redis_manager_support::{Authority, TestServer, TlsServer, Validity};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: allocations::CountingAllocator = allocations::CountingAllocator;

const CLIENTS: usize = 1_000;
const CALLS: usize = 20_000;
const AT_ONCE: usize = 128;

struct Case {
    name: &'static str,
    url: String,
    tls: TlsOptions,
}

struct Figures {
    /// Of the first client, which reads the files and has met no server before.
    first: Duration,
    opening: Histogram<u64>,
    /// Of all of them once more, as many at a time as the machine takes.
    at_once: Duration,
    bytes: i64,
    call: Histogram<u64>,
    calls_at_once: f64,
}

fn measure(case: &Case) -> Figures {
    let histogram = || Histogram::<u64>::new(3).expect("a histogram");
    let options = ClientOptions::builder()
        .tls(case.tls.clone())
        .build()
        .expect("options");
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let open = || -> RedisCommandClient {
        let client = manager.open_with(&script, &*case.url, options.clone());
        client.expect("a client")
    };
    let began = Instant::now();
    let one = open();
    let first = began.elapsed();
    let () = one.commands().set("k", "value").expect("it is set");

    let (mut opening, mut clients) = (histogram(), Vec::with_capacity(CLIENTS));
    allocations::start_counting();
    for _ in 0..CLIENTS {
        let began = Instant::now();
        let client = open();
        let took = began.elapsed().as_micros() as u64;
        opening.record(took).expect("a time");
        let () = client.commands().set("k", "value").expect("it is set");
        clients.push(client);
    }
    let bytes = allocations::stop_counting().bytes / CLIENTS as i64;

    let mut call = histogram();
    for _ in 0..CALLS {
        let began = Instant::now();
        let _: String = one.commands().get("k").expect("it is there");
        call.record(began.elapsed().as_micros() as u64)
            .expect("a time");
    }
    let runtime = Runtime::new().expect("a runtime");
    let began = Instant::now();
    runtime.block_on(join_all((0..AT_ONCE).map(|_| async {
        for _ in 0..CALLS / AT_ONCE * 8 {
            let value = one.async_commands().get::<_, String>("k").await;
            value.expect("it is there");
        }
    })));
    let calls_at_once = (CALLS * 8) as f64 / began.elapsed().as_secs_f64();

    drop(clients);
    drop(manager.unload_script(&script));
    let script = manager.load_script("bench again").expect("a script");
    let began = Instant::now();
    let openings = (0..CLIENTS).map(|_| {
        manager.open_with_async::<RedisCommandClient>(&script, &*case.url, options.clone())
    });
    for opened in runtime.block_on(join_all(openings)) {
        opened.expect("a client");
    }
    let at_once = began.elapsed();
    drop(manager.unload_script(&script));
    Figures {
        first,
        opening,
        at_once,
        bytes,
        call,
        calls_at_once,
    }
}

/// A server with certificates in `folder`, of `authority`.
fn start(folder: &Path, authority: &Authority, wants_certificates: bool) -> TestServer {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let issue = || authority.issue(&["127.0.0.1"], Validity::Current);
    let (server, client) = (issue().expect("one"), issue().expect("one"));
    write("client.pem", &client.certificate);
    write("client.key", &client.key);
    let tls = TlsServer {
        certificate: write("server.pem", &server.certificate),
        key: write("server.key", &server.key),
        ca: write("ca.pem", &authority.certificate()),
        wants_certificates,
    };
    TestServer::builder().tls(tls).start_or_panic()
}

fn main() {
    let authority = Authority::new("bench").expect("an authority");
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let [open, closed] = [(0, false), (1, true)]
        .map(|(index, wants): (usize, bool)| start(folders[index].path(), &authority, wants));
    let secured = |server: &TestServer| {
        let port = server.tls_port().expect("a port");
        format!("rediss://127.0.0.1:{port}")
    };
    let trusting = |index: usize| {
        let file = |name| Pem::file(folders[index].path().join(name));
        let tls = TlsOptions::default().with_ca(file("ca.pem"));
        (tls, file("client.pem"), file("client.key"))
    };
    let (mutual, certificate, key) = trusting(1);
    let cases = [
        Case {
            name: "plain",
            url: open.url(),
            tls: TlsOptions::default(),
        },
        Case {
            name: "TLS",
            url: secured(&open),
            tls: trusting(0).0,
        },
        Case {
            name: "mutual TLS",
            url: secured(&closed),
            tls: mutual.with_client_certificate(certificate, key),
        },
    ];
    println!("{CLIENTS} clients, each opened alone; times in microseconds");
    println!(
        "{:10} | {:>8} {:>8} {:>8} {:>12} | {:>13} | {:>8} {:>8} | {:>14}",
        "",
        "first",
        "p50",
        "p99",
        "all at once",
        "bytes/client",
        "call p50",
        "p99",
        "calls/s by 128"
    );
    for case in cases {
        let figures = measure(&case);
        println!(
            "{:10} | {:8} {:8} {:8} {:>10}ms | {:13} | {:8} {:8} | {:14.0}",
            case.name,
            figures.first.as_micros(),
            figures.opening.value_at_quantile(0.5),
            figures.opening.value_at_quantile(0.99),
            figures.at_once.as_millis(),
            figures.bytes,
            figures.call.value_at_quantile(0.5),
            figures.call.value_at_quantile(0.99),
            figures.calls_at_once
        );
    }
}
