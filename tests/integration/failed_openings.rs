//! Clients of every type and protocol that cannot be opened: why, and that it is said in time.

use std::time::Instant;

use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS};

pub(crate) const TYPES: [ClientType; 3] =
    [ClientType::Basic, ClientType::Command, ClientType::PubSub];

/// Opens a client of each type by each protocol at `url`; all fail by the connect timeout of `options`.
#[track_caller]
pub(crate) fn failed_openings(url: &str, options: &ClientOptions) -> Vec<Error> {
    let mut errors = Vec::new();
    for protocol in PROTOCOLS {
        for kind in TYPES {
            let host = Host::new();
            let with = options.to_builder().protocol(protocol).build().unwrap();
            let began = Instant::now();
            let open = host
                .manager
                .open_redis_client_with(&host.script, kind, url, with);
            errors.push(match open {
                Ok(AnyClient::Basic(client)) => client.ping().unwrap_err(),
                open => open.unwrap_err(),
            });
            assert!(began.elapsed() < options.connect_timeout() + PATIENCE / 4);
        }
    }
    errors
}

/// Each of `errors` says all `parts`.
#[track_caller]
pub(crate) fn assert_each_says(errors: &[Error], parts: &[&str]) {
    for error in errors {
        for part in parts {
            assert!(error.message().contains(part), "{part}: {error}");
        }
    }
}
