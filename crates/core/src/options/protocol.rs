//! The version of the protocol to speak.

use serde::{Deserialize, Serialize};

/// The version of Redis' protocol to speak. In a config file `"auto"`, `"resp2"` or `"resp3"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RESP3, and RESP2 where the server does not know `HELLO`. The default. Asked for anew with every
    /// connection, except that a PUB_SUB client which has found RESP3 stays with it.
    #[default]
    Auto,
    /// RESP2 only; `HELLO` is never sent.
    Resp2,
    /// RESP3 only: a server without it is an error.
    Resp3,
}
