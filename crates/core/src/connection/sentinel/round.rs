//! Asking one sentinel after the other.

use std::time::Duration;

use super::super::scheme_hint::without_sentinels;
use crate::error::unknown_command;
use crate::{Error, ErrorKind, RedisUri};

/// Which of `count` sentinels is asked when: in their order, but beginning with `first`.
pub(super) fn order(first: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |step| (first % count + step) % count)
}

/// What one of `count` sentinels, or nodes of a cluster, may take of `time`: as much as each of them and whoever comes
/// after them.
pub(in super::super) fn share(time: Duration, count: usize) -> Duration {
    let parts = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    time / parts
}

/// The error of a round in which none of the sentinels of `uri` named a server, of what each said.
pub(super) fn nobody_knows(master: &str, uri: &RedisUri, said: &[Error]) -> Error {
    let kind = match said {
        [first, rest @ ..] if rest.iter().all(|other| other.kind() == first.kind()) => first.kind(),
        _ => ErrorKind::Connect,
    };
    // The login of the URI is the servers'.
    let wants_login = |error: &Error| matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
    let mut hints = String::new();
    if said.iter().any(wants_login) {
        hints = format!("; sentinels have a login of their own, {LOGIN}");
    }
    if said.iter().any(is_no_sentinel) {
        hints = format!("{hints}; {}", without_sentinels(uri));
    } else if said.iter().any(has_no_password) {
        let servers = without_sentinels(uri);
        hints = format!(
            "{hints}; it has no password, so leave out the sentinels' login, {LOGIN}; if it is no sentinel, {servers}"
        );
    }
    let said: Vec<&str> = said.iter().map(Error::message).collect();
    let message = format!(
        "no sentinel says where the master {master} is: {}{hints}",
        said.join("; ")
    );
    Error::new(kind, message)
}

/// Where the login of sentinels stands.
const LOGIN: &str =
    "`[servers.….sentinel]` of a configuration, or in code the option sentinel_credentials";

/// Whether it was given one, and has none itself. Sentinels say that as other servers do.
fn has_no_password(error: &Error) -> bool {
    const REFUSED: &str = "without any password configured";
    error
        .answer()
        .is_some_and(|answer| answer.contains(REFUSED))
}

fn is_no_sentinel(error: &Error) -> bool {
    error.answer().and_then(unknown_command) == Some("SENTINEL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri() -> RedisUri {
        "redis-sentinel://a,b#main".parse().unwrap()
    }

    fn refused(line: &str) -> Error {
        let refused = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        let refused = refused.and_then(redis::Value::extract_error).unwrap_err();
        Error::new(ErrorKind::Authentication, "a refused").with_source(refused)
    }

    #[test]
    fn a_round_begins_with_the_one_that_answered_last_and_leaves_none_out() {
        let of = |first, count| order(first, count).collect::<Vec<_>>();
        assert_eq!(of(0, 3), [0, 1, 2]);
        assert_eq!(of(2, 3), [2, 0, 1]);
        assert_eq!(of(4, 3), [1, 2, 0]);
        assert_eq!(of(7, 1), [0]);
        assert_eq!(of(0, 0), [0; 0]);
    }

    #[test]
    fn the_sentinels_leave_time_for_the_master() {
        let second = Duration::from_secs(1);
        assert_eq!(share(second, 1), second / 2);
        assert_eq!(share(second, 3), second / 4);
    }

    #[test]
    fn the_error_is_of_the_kind_that_all_have() {
        let error = |kind, message: &str| Error::new(kind, message);
        let unknown = || error(ErrorKind::Server, "a knows no such master");
        let down = || error(ErrorKind::Connect, "b is down");
        let all = nobody_knows("main", &uri(), &[unknown(), unknown()]);
        assert_eq!(all.kind(), ErrorKind::Server);
        let some = nobody_knows("main", &uri(), &[unknown(), down()]);
        assert_eq!(some.kind(), ErrorKind::Connect);
        assert_eq!(
            some.message(),
            "no sentinel says where the master main is: a knows no such master; b is down"
        );
    }

    #[test]
    fn if_one_wants_a_login_it_is_said_once_where_that_is_to_be_found() {
        let refused = || refused("NOAUTH Authentication required.");
        let error = nobody_knows("main", &uri(), &[refused(), refused()]);
        assert_eq!(error.kind(), ErrorKind::Authentication);
        for place in ["sentinel_credentials", "`[servers.….sentinel]`"] {
            assert_eq!(error.message().matches(place).count(), 1, "{error}");
        }
    }

    #[test]
    fn if_one_wants_no_login_it_is_said_that_it_may_be_a_server() {
        let refusal =
            "ERR AUTH <password> called without any password configured for the default user";
        let error = nobody_knows("main", &uri(), &[refused(refusal), refused(refusal)]);
        for part in ["`[servers.….sentinel]`", "leave out", "redis-cluster://"] {
            assert_eq!(error.message().matches(part).count(), 1, "{error}");
        }
    }

    #[test]
    fn if_one_is_no_sentinel_the_other_schemes_are_said_once() {
        let stranger = || refused("ERR unknown command 'SENTINEL', with args beginning with:");
        let error = nobody_knows("main", &uri(), &[stranger(), stranger()]);
        let hints = error.message().matches("redis-cluster://").count();
        assert_eq!(hints, 1, "{error}");
        let error = nobody_knows("main", &uri(), &[refused("ERR unknown command 'AUTH'")]);
        assert!(!error.message().contains("://"), "{error}");
    }
}
