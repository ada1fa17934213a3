//! Calls as spans of `tracing`, where somebody wants that much.

use tracing::{Level, Span};

use crate::ClientContext;

/// Whether each call has a span. Asked for each, so it is no more than a look at a number, unless somebody wants it.
#[inline]
pub(super) fn is_wanted() -> bool {
    tracing::enabled!(Level::TRACE)
}

/// The span of a call, inside that of its caller: of a command the name, and never what is said to it.
pub(super) fn call_span(context: &ClientContext, command: impl Into<String>) -> Span {
    tracing::trace_span!(
        "call",
        command = command.into(),
        script = %context.script(),
        client = %context.client_id(),
    )
}
