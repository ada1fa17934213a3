//! What names stand for in a script.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Dynamic, Engine};
use script_host::ScriptContext;

use crate::globals::ClientTypes;
use crate::redis::Redis;
use crate::value::optional;

/// Adds the globals, and has functions capture clients, listeners and the like, which are handles, by value.
///
/// Rhai lets nobody use a shared variable while it is in use, and would take a call as such, as soon as a function
/// among its arguments has captured the variable that it is made on: `client.registerListener(|…| client.…, "channel")`.
/// `captured` are those of which a copy is as good, because nobody assigns them.
pub(crate) fn add_variables(
    engine: &mut Engine,
    context: &ScriptContext,
    captured: BTreeSet<String>,
) {
    let globals = globals(context);
    // Not in the scope: Rhai's functions do not see that.
    #[allow(
        deprecated,
        reason = "it is not: that is how Rhai marks what may change"
    )]
    engine.on_var(move |name, index, context| {
        // What the script has defined itself has an index.
        if index == 0
            && let Some(value) = globals.get(name)
        {
            return Ok(Some(value.clone()));
        }
        if !captured.contains(name) {
            return Ok(None);
        }
        let value = context.scope().get(name);
        Ok(value.filter(|value| value.is_variant()).cloned())
    });
}

fn globals(context: &ScriptContext) -> BTreeMap<&'static str, Dynamic> {
    let server = context.server();
    let host = server.host().map(str::to_owned);
    let password = server.password().map(str::to_owned);
    [
        ("redis", Dynamic::from(Redis)),
        ("ClientType", Dynamic::from(ClientTypes)),
        ("REDIS_HOST", optional(host)),
        ("REDIS_PORT", optional(server.port().map(i64::from))),
        ("REDIS_PASSWORD", optional(password)),
        ("REDIS_URI", server.to_url_with_password().into()),
    ]
    .into()
}
