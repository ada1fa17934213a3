//! What a caller is told besides what the server answered.

use redis::{ServerError, Value};

use super::ClientContext;
use crate::error::Hint;
use crate::{Error, RedisTopology};

impl ClientContext {
    /// The error of a call that got `reply`, if that is an error of which there is something to say: what redis makes of it,
    /// with the same kind, code and detail, and a hint. If a node says that another one has the key (`MOVED`, `ASK`), it is
    /// why nobody goes there: the URI is not that of a cluster, or the caller `is_bound` to the node.
    #[inline]
    #[must_use]
    pub fn explained(&self, reply: &Value, is_bound: bool) -> Option<Error> {
        match reply {
            Value::ServerError(error) => self.explained_error(error, is_bound),
            _ => None,
        }
    }

    fn explained_error(&self, error: &ServerError, is_bound: bool) -> Option<Error> {
        let is_to_cluster = self.uri.topology() == RedisTopology::Cluster;
        let hint = match Hint::of(error)? {
            Hint::Redirected if is_to_cluster && is_bound => Hint::Bound,
            // It was gone after, until the call had no time left.
            Hint::Redirected if is_to_cluster => return None,
            hint => hint,
        };
        let error = Error::from(hint.explain(error));
        Some(error.with_client(self.client_id))
    }
}
