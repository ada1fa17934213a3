//! What the report knows of those who take part.

use crate::run::{ContestantResult, Run, WorkloadResult};

use super::quantity::Quantity;
use super::rounds::Rounds;

/// In the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Ours,
    Peer,
    /// What nobody can pass.
    Limit,
}

pub(super) fn part(contestant: &str) -> Part {
    match contestant {
        "raw socket" => Part::Limit,
        "through async_commands()" => Part::Ours,
        name if name.starts_with("redis-manager") => Part::Ours,
        _ => Part::Peer,
    }
}

/// The one of ours that the others are compared to.
pub(super) fn ours(result: &WorkloadResult) -> Option<&ContestantResult> {
    let is_plain = |one: &&ContestantResult| one.contestant == "redis-manager";
    let is_ours = |one: &&ContestantResult| part(&one.contestant) == Part::Ours;
    let plain = result.contestants.iter().find(is_plain);
    plain.or_else(|| result.contestants.iter().find(is_ours))
}

/// The peer that does best in what the workload is about.
pub(super) fn best_peer<'run>(run: &'run Run, workload: &str) -> Option<&'run str> {
    let mut workloads = run.results.iter();
    let result = workloads.find(|result| result.workload == workload)?;
    let quantity = Quantity::main_of(&result.group);
    let peers = result.contestants.iter().filter_map(|one| {
        let name = one.contestant.as_str();
        let figure = Rounds::of(run, workload, name)?.spread(quantity)?.median;
        let merit = if quantity.more_is_better() {
            figure
        } else {
            -figure
        };
        (part(name) == Part::Peer).then_some((name, merit))
    });
    let best = peers.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.map(|(name, _)| name)
}

pub(super) fn about(contestant: &str) -> &'static str {
    match contestant {
        "redis-manager" => "this project, with default options",
        "redis-manager async" => "the same, through its asynchronous methods or listeners",
        "redis-manager watched" => "the same, for scripts with limits, a key prefix and statistics",
        "redis-manager asleep" => "the same, with the option `busy_poll` off",
        "redis-manager shared" => "the same, with the option `shared` on",
        "redis-rs" => "`MultiplexedConnection` of the `redis` crate, with its defaults",
        "redis-rs tuned" => {
            "the same, without a timeout and with buffers for all that is in flight"
        }
        "redis-rs blocking" => {
            "the blocking `Connection` of the `redis` crate, one for each thread"
        }
        "deadpool-redis" => "a pool of up to 16 connections of the `redis` crate",
        "fred" => "with its defaults and TCP_NODELAY",
        "rustis" => "with its defaults",
        "raw socket" => "requests encoded beforehand, replies compared as bytes: the limit",
        "tokio broadcast" => "`tokio::sync::broadcast` and a task for each receiver",
        "through async_commands()" => "a typed call of the facade",
        "typed on core's connection" => {
            "the same call with nothing between the traits of `redis` and `Connection::request_async`"
        }
        "bare connection of core" => "`Connection::request_async` of `redis-manager-core`",
        _ => "",
    }
}
