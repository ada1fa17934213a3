//! What a caller is told whom a node of a cluster sends to another one.

use redis::{RedisError, ServerError, ServerErrorKind, Value};

use super::ClientContext;
use crate::{Error, RedisTopology};

const NO_CLUSTER: &str = "this server is a node of a cluster; with a URI that begins with redis-cluster:// calls go to \
    the node of their keys";
const NO_CLUSTER_TLS: &str = "this server is a node of a cluster; with a URI that begins with rediss-cluster:// calls go \
    to the node of their keys";
const BOUND: &str = "another node has the key; a session stays on its own while it watches keys or is in a transaction";

impl ClientContext {
    /// The error of a call that got `reply`, if a node says there that another one has the key (`MOVED`, `ASK`) and nobody
    /// goes there: because the URI is not that of a cluster, or because the caller `is_bound` to the node. It is what redis
    /// makes of the reply, with the same kind, code and detail, and why nobody goes there.
    #[inline]
    #[must_use]
    pub fn unfollowed(&self, reply: &Value, is_bound: bool) -> Option<Error> {
        match reply {
            Value::ServerError(error) => self.unfollowed_error(error, is_bound),
            _ => None,
        }
    }

    fn unfollowed_error(&self, error: &ServerError, is_bound: bool) -> Option<Error> {
        let reason = match self.uri.topology() {
            RedisTopology::Cluster if is_bound => BOUND,
            RedisTopology::Cluster => return None,
            _ if self.uri.is_tls() => NO_CLUSTER_TLS,
            _ => NO_CLUSTER,
        };
        let error = Error::from(explained(error, reason)?);
        Some(error.with_client(self.client_id))
    }
}

fn explained(error: &ServerError, reason: &'static str) -> Option<RedisError> {
    let kind = error
        .kind()
        .filter(|kind| matches!(kind, ServerErrorKind::Moved | ServerErrorKind::Ask))?;
    let detail = error.details().unwrap_or_default().to_owned();
    Some(RedisError::from((
        redis::ErrorKind::Server(kind),
        reason,
        detail,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, ErrorKind};

    fn error(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_reason_stands_beside_what_the_server_said_and_changes_nothing_of_that() {
        for (line, code) in [("MOVED 866 h:7001", "MOVED"), ("ASK 866 h:7001", "ASK")] {
            let bare = RedisError::from(error(line));
            let theirs = explained(&error(line), NO_CLUSTER).unwrap();
            assert_eq!(theirs.kind(), bare.kind());
            assert_eq!(
                (theirs.code(), theirs.detail()),
                (Some(code), bare.detail())
            );
            assert_eq!(theirs.redirect_node(), Some(("h:7001", 866)));
            assert!(theirs.to_string().contains("redis-cluster://"), "{theirs}");
            let ours = Error::from(theirs.clone());
            assert_eq!(ours.kind(), ErrorKind::Server);
            assert_eq!(ours.delivery(), Some(Delivery::Replied));
            assert_eq!((ours.code(), ours.answer()), (Some(code), bare.detail()));
            assert_eq!(ours.message(), theirs.to_string());
            assert_eq!(RedisError::from(ours).to_string(), theirs.to_string());
        }
    }

    #[test]
    fn no_other_reply_has_one() {
        for other in ["CLUSTERDOWN the cluster is down", "ERR no"] {
            assert_eq!(explained(&error(other), NO_CLUSTER), None);
        }
    }
}
