//! The ranges of the options.

use std::ops::RangeInclusive;
use std::time::Duration;

use humantime_serde::re::humantime::format_duration;

use super::{ClientOptionsBuilder, Pem};
use crate::{Error, ErrorKind, Result};

/// What Linux takes for `TCP_KEEPIDLE`; outside of it no connection could be made.
const KEEPALIVE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(32_767);
/// What Linux takes for `TCP_USER_TIMEOUT`, where 0 would mean none.
const USER_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_millis(i32::MAX as u64);

/// A shorter one would take a server that is merely busy for one that is gone.
const HEARTBEAT: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);

/// One that is longer would be felt by an executor's other tasks.
const BUSY_POLL: RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_millis(1);

impl ClientOptionsBuilder {
    pub(super) fn check(&self) -> Result<()> {
        for (name, timeout) in [
            ("connect_timeout", self.connect_timeout),
            ("command_timeout", self.command_timeout),
            ("reconnect_delay", self.reconnect_delay),
            ("listener_blocked_after", self.listener_blocked_after),
        ] {
            if timeout.is_zero() {
                return Err(invalid(name, "0s", "longer than 0, such as 500ms"));
            }
        }
        for name in self.replay.names() {
            if name.is_empty() || name.contains(char::is_whitespace) {
                let value = format!("{name:?}");
                return Err(invalid("replay", &value, "a command's name, such as GET"));
            }
        }
        for (name, size) in [
            ("request_queue_size", self.request_queue_size),
            ("request_queue_bytes", self.request_queue_bytes),
            ("max_reply_size", self.max_reply_size),
            ("buffer_usage_ratio", self.buffer_usage_ratio),
            ("session_pool_size", self.session_pool_size),
            ("blocking_pool_size", self.blocking_pool_size),
            ("listener_queue_size", self.listener_queue_size),
            ("listener_queue_bytes", self.listener_queue_bytes),
        ] {
            if size == 0 {
                return Err(invalid(name, "0", "at least 1"));
            }
        }
        for (name, duration, range, allowed) in [
            (
                "heartbeat",
                self.heartbeat,
                HEARTBEAT,
                "10ms to 1day, or off",
            ),
            ("busy_poll", self.busy_poll, BUSY_POLL, "1us to 1ms, or off"),
            (
                "socket.keepalive",
                self.socket.keepalive(),
                KEEPALIVE,
                "1s to 32767s, or off",
            ),
            (
                "socket.user_timeout",
                self.socket.user_timeout(),
                USER_TIMEOUT,
                "1ms to 2147483647ms, or off",
            ),
        ] {
            if let Some(duration) = duration.filter(|duration| !range.contains(duration)) {
                let value = format_duration(duration).to_string();
                return Err(invalid(name, &value, allowed));
            }
        }
        self.check_tls()
    }

    fn check_tls(&self) -> Result<()> {
        for (name, pem) in [
            ("tls.ca", self.tls.ca()),
            ("tls.certificate", self.tls.certificate()),
            ("tls.key", self.tls.key()),
        ] {
            if pem.is_some_and(Pem::is_empty) {
                return Err(invalid(name, "empty", "the path of a file, or PEM text"));
            }
        }
        for (name, other, pem, its_other) in [
            (
                "tls.certificate",
                "tls.key",
                self.tls.certificate(),
                self.tls.key(),
            ),
            (
                "tls.key",
                "tls.certificate",
                self.tls.key(),
                self.tls.certificate(),
            ),
        ] {
            if pem.is_none() && its_other.is_some() {
                return Err(invalid(name, "missing", &format!("there beside `{other}`")));
            }
        }
        Ok(())
    }
}

fn invalid(name: &str, value: &str, allowed: &str) -> Error {
    Error::new(
        ErrorKind::InvalidOptions,
        format!("invalid client options: `{name}` is {value}; it must be {allowed}"),
    )
}
