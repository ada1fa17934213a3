//! A small run, and what is made of it.

use crate::run::{ContestantResult, Failure, Latency, Machine, Run, Sample, WorkloadResult};

use super::chart::Chart;
use super::notes::Notes;
use super::quantity::Quantity::{self, Cpu, Memory, Rate};
use super::rounds::Rounds;
use super::spread::Spread;
use super::target::Bound::{AtLeast, AtMost};
use super::target::Rival::{BestPeer, Named};
use super::target::{Bound, Rival, Target};
use super::{drawing, number, page, section};

/// One second; `cpu` is that of an operation, in microseconds.
fn sample(rate: u32, cpu: f64) -> Sample {
    Sample {
        operations: rate.into(),
        elapsed: 1.0,
        cpu: cpu * f64::from(rate) / 1e6,
        ..Sample::default()
    }
}

fn contestant(name: &str, samples: impl IntoIterator<Item = Sample>) -> ContestantResult {
    let samples = samples.into_iter().collect();
    ContestantResult {
        contestant: name.to_owned(),
        samples,
    }
}

fn workload(id: &str, unit: &str, contestants: Vec<ContestantResult>) -> WorkloadResult {
    WorkloadResult {
        workload: id.to_owned(),
        group: id.split('/').next().unwrap().to_owned(),
        title: format!("the work of {id}"),
        unit: unit.to_owned(),
        contestants,
    }
}

/// Three rounds, of which the second was slow for all, and of which rustis failed in the first.
fn run() -> Run {
    let latency = Some(Latency {
        p50: 10.0,
        p99: 20.5,
        p999: 1_234.0,
    });
    let with_latency = |sample| Sample {
        latency,
        allocations: Some(2.5),
        ..sample
    };
    let memory = |bytes| Sample {
        memory: Some(bytes),
        ..sample(1_000, 1.0)
    };
    Run {
        machine: Machine {
            cpu: "a processor".to_owned(),
            cores: 2,
            memory: 8_000_000_000,
            kernel: "Linux 6".to_owned(),
            os: "Debian 12".to_owned(),
            server: "Redis 7.0.15".to_owned(),
            rustc: "rustc 1.88.0".to_owned(),
            peers: [("rustis".to_owned(), "0.27.2".to_owned())].into(),
            date: "2026-01-02T03:04:05Z".to_owned(),
            command: "cargo compare".to_owned(),
            rounds: 3,
            seconds: 1.0,
        },
        results: vec![
            workload(
                "memory/1000",
                "clients",
                vec![
                    contestant("redis-manager", [20_000.0, 21_000.0, 22_000.0].map(memory)),
                    contestant("redis-rs", [20_000.0, 20_000.0, 20_000.0].map(memory)),
                ],
            ),
            workload(
                "async/32B/128",
                "operations",
                vec![
                    contestant(
                        "redis-manager",
                        [900_000, 500_000, 950_000].map(|rate| with_latency(sample(rate, 1.0))),
                    ),
                    contestant(
                        "redis-rs",
                        [450_000, 300_000, 500_000].map(|rate| sample(rate, 2.0)),
                    ),
                    contestant("rustis", [400_000, 700_000].map(|rate| sample(rate, 0.8))),
                    contestant(
                        "raw socket",
                        [1_000_000, 1_000_000, 1_000_000].map(|rate| sample(rate, 0.5)),
                    ),
                ],
            ),
        ],
        failures: vec![Failure {
            workload: "async/32B/128".to_owned(),
            contestant: "rustis".to_owned(),
            round: 1,
            reason: "another value |\nat item 3".to_owned(),
        }],
    }
}

fn target(quantity: Quantity, bound: Bound, rival: Rival) -> Target {
    Target {
        work: "work",
        workload: if quantity == Memory {
            "memory/1000"
        } else {
            "async/32B/128"
        },
        ours: "redis-manager",
        rival,
        quantity,
        bound,
        stretch: None,
    }
}

#[test]
fn a_median_lies_in_the_middle_or_between_two() {
    let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[f64::NAN, f64::INFINITY, 7.0]), Some(7.0));
    assert_eq!(median(&[]), None);
    let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
    assert_eq!((spread.least, spread.most), (1.0, 3.0));
}

#[test]
fn ratios_are_of_the_same_round() {
    let run = run();
    let of = |name| Rounds::of(&run, "async/32B/128", name).unwrap();
    // 950 000 / 700 000 and 500 000 / 400 000: the round that failed is left out on both sides.
    let ratio = of("redis-manager").ratio(&of("rustis"), Rate).unwrap();
    assert_eq!((ratio.least, ratio.most), (1.25, 950.0 / 700.0));
    let ratio = of("redis-manager").ratio(&of("redis-rs"), Rate).unwrap();
    assert_eq!(ratio.median, 1.9);
    assert!(Rounds::of(&run, "async/32B/128", "fred").is_none());
}

#[test]
fn a_target_is_compared_to_whom_it_names() {
    let run = run();
    let evaluate = |quantity, bound, rival| {
        let target = target(quantity, bound, rival);
        let outcome = target.evaluate(&run);
        (
            outcome.rival,
            outcome.ratio.map(|ratio| bound.holds(ratio.median)),
        )
    };
    // By its median rustis is ahead of redis-rs, and the raw socket is no peer.
    let rustis = || "rustis, the best peer".to_owned();
    assert_eq!(
        evaluate(Rate, AtLeast(1.3), BestPeer),
        (rustis(), Some(true))
    );
    assert_eq!(
        evaluate(Rate, AtLeast(1.31), BestPeer),
        (rustis(), Some(false))
    );
    assert_eq!(
        evaluate(Cpu, AtMost(1.0), BestPeer),
        (rustis(), Some(false))
    );
    let redis_rs = || "redis-rs".to_owned();
    assert_eq!(
        evaluate(Rate, AtLeast(1.9), Named("redis-rs")),
        (redis_rs(), Some(true))
    );
    assert_eq!(
        evaluate(Cpu, AtMost(0.5), Named("redis-rs")),
        (redis_rs(), Some(true))
    );
    assert_eq!(
        evaluate(Memory, AtMost(1.05), Named("redis-rs")),
        (redis_rs(), Some(true))
    );
    assert_eq!(
        evaluate(Memory, AtMost(1.0), Named("redis-rs")),
        (redis_rs(), Some(false))
    );
    assert_eq!(
        evaluate(Rate, AtLeast(1.0), Named("fred")),
        ("fred".to_owned(), None)
    );
}

#[test]
fn numbers_have_three_digits() {
    let short = [
        0.5,
        12.34,
        999.0,
        1_234.0,
        12_345.0,
        999_400.0,
        999_600.0,
        1_234_567.0,
    ];
    let short = short.map(number::short);
    assert_eq!(
        short,
        [
            "0.50", "12.3", "999", "1.23 k", "12.3 k", "999 k", "1.00 M", "1.23 M"
        ]
    );
    assert_eq!(number::plain(1_234_567.0), "1\u{202f}234\u{202f}567");
    assert_eq!(
        [0.0, 0.0123, 0.5].map(number::plain),
        ["0", "0.012", "0.50"]
    );
    assert_eq!(number::bytes(41_234.0), "41.2 kB");
    assert_eq!(number::ratio(1.234, 1.0), "1.23");
    assert_eq!(number::ratio(0.998, 1.0), "0.998");
    assert_eq!(number::ratio(1.0, 1.0), "1.00");
}

#[test]
fn the_page_has_what_was_measured_in_order() {
    let page = page::render(&run(), Notes::default());
    let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        headings,
        [
            "# Benchmarks",
            "## The targets",
            "## Beside the best peer",
            "## Many calls on one client, 32 B",
            "## Clients that come and go",
            "## What failed",
        ]
    );
    for line in [
        "| server | Redis 7.0.15 |",
        "| async, 128 in flight | throughput | redis-rs | ≥ 1.60 | 1.90 (1.67–2.00) | yes |",
        "| async, 128 in flight | throughput | raw socket | ≥ 0.55; stretch ≥ 0.70 | 0.90 (0.50–0.95) | yes, the stretch too |",
        "| async, 1 024 in flight | throughput | redis-rs | ≥ 3.00 | – | not measured |",
        "| 1 000 clients | memory | redis-rs | ≤ 1.10 | 1.05 (1.00–1.10) | yes |",
        "| Many calls on one client, 32 B: 128 in flight | rustis | operations/s | 1.30 (1.25–1.36) | 1.25 (1.25–1.25) |",
        "![Many calls on one client, 32 B](benchmarks/async-32B.svg)",
        "| **redis-manager** | 900 k | 500 k–950 k | 1.00 | 1.00 | 10.0 | 20.5 | 1\u{202f}234 | 2.50 |",
        "| redis-rs | 450 k | 300 k–500 k | 1.90 | 2.00 | – | – | – | – |",
        "| **redis-manager** | 21.0 kB | 20.0 kB–22.0 kB | 1.00 |",
        "| async/32B/128 | rustis | 1 | another value \\| at item 3 |",
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "no line {line}\n{page}"
        );
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    let run = Run {
        failures: Vec::new(),
        ..run()
    };
    assert!(!page::render(&run, Notes::default()).contains("## What failed"));
}

#[test]
fn notes_stand_where_they_belong_and_none_is_lost() {
    let notes = "For editors.\n## The targets\nA row.\n\n## Fan-out, explained\nA profile.\n\
                 ## Many calls on one client, 32 B\nWhy.\n";
    let page = page::render(&run(), Notes::parse(notes));
    let place = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("no {text}\n{page}"))
    };
    let places = [
        "## The targets\n",
        "\nA row.\n",
        "\n### Fan-out, explained\n\nA profile.\n",
        "## Beside the best peer\n",
        "## Many calls on one client, 32 B\n",
        "\nWhy.\n",
        "## Clients that come and go\n",
    ]
    .map(place);
    assert!(places.is_sorted(), "{page}");
    assert!(!page.contains("For editors."));
}

#[test]
fn a_chart_has_a_bar_for_each_figure_and_is_the_same_each_time() {
    let run = run();
    let sections = section::of(&run);
    let section = sections
        .iter()
        .find(|section| section.chart_file() == "async-32B.svg")
        .unwrap();
    let chart = Chart::of(&run, section);
    assert_eq!(chart.bands.len(), 1, "throughput and CPU side by side");
    assert_eq!(
        chart.bands[0].rows,
        ["redis-manager", "redis-rs", "rustis", "raw socket"]
    );
    let svg = drawing::svg(&chart);
    // The background is one more.
    assert_eq!(svg.matches("<rect").count(), 2 * 4 + 1);
    assert!(
        svg.contains("900 k\n</text>") && !svg.contains("NaN"),
        "{svg}"
    );
    assert_eq!(svg, drawing::svg(&Chart::of(&run, section)));
}
