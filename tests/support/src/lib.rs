//! A real Redis or Valkey server for the examples, tests and benchmarks of redis-manager, without
//! set-up.
//!
//! | file | what it holds |
//! |---|---|
//! | `server` | [`TestServer`]: a server of one's own, looked at from outside |
//! | `builder` | [`TestServerBuilder`]: how it is started |
//! | `handle` | [`ServerHandle`]: for examples, which honour `REDIS_URL` |
//! | `lookup` | [`Lookup`]: `REDIS_SERVER_BIN`, then `PATH`, then fetched |
//! | `features` | what a server can do, and saying so where a test cannot be tried on it |
//! | `binary`, `version` | [`ServerBinary`], [`Version`]: what was found |
//! | `certificates` | with the feature of that name: certificates for servers with TLS |
//! | `sentinel`, `sentinel_trio` | [`TestSentinel`], and [`SentinelTrio`]: three of them with three servers |
//! | `cluster` | [`TestCluster`]: nodes that share the slots, how they are started, asked and resharded |
//! | `fetch`, `stand_in` | the pinned servers, and meebis where Python cannot fetch one |
//! | `launch` | its port, its arguments, the wait until it answers |
//! | `process` | the child process that dies with its owner |
//! | `set_up` | what fails a test whose servers do not start |
//! | `admin`, `reply`, `client_info` | the tests' view of the server: [`Reply`], [`ClientInfo`] |
//! | `bounded`, `notice`, `error` | programs with a deadline, lines for people, [`SupportError`] |

mod admin;
mod binary;
mod bounded;
mod builder;
#[cfg(feature = "certificates")]
mod certificates;
mod client_info;
mod cluster;
mod error;
mod features;
mod fetch;
mod handle;
mod launch;
mod lookup;
mod notice;
mod process;
mod reply;
mod sentinel;
mod sentinel_trio;
mod server;
mod set_up;
mod stand_in;
mod version;

pub use binary::{Origin, ServerBinary};
pub use builder::{TestServerBuilder, TlsServer};
#[cfg(feature = "certificates")]
pub use certificates::{Authority, Issued, Validity};
pub use client_info::ClientInfo;
pub use cluster::{ClusterNode, TestCluster, TestClusterBuilder};
pub use error::SupportError;
pub use handle::ServerHandle;
pub use lookup::Lookup;
pub use reply::Reply;
pub use sentinel::{TestSentinel, TestSentinelBuilder};
pub use sentinel_trio::{SentinelTrio, SentinelTrioBuilder};
pub use server::TestServer;
pub use version::Version;
