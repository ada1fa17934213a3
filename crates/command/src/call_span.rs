//! Calls as spans of `tracing`, where somebody wants that much.

use redis_manager_core::ClientContext;
use redis_manager_core::redis::RedisFuture;
use tracing::{Instrument, Level, Span};

/// The span of a call, inside that of its caller: of a command the name, and never what is said to it. `None` unless
/// somebody wants it, and then it is no more than a look at a number.
///
/// Made here and not where all calls come by: there it would make the future of each larger, at two hundred times that.
#[inline]
pub(crate) fn call_span<N: Into<String>>(
    context: &ClientContext,
    command: impl FnOnce() -> N,
) -> Option<Span> {
    if tracing::enabled!(Level::TRACE) {
        Some(begin(context, command().into()))
    } else {
        None
    }
}

#[cold]
fn begin(context: &ClientContext, command: String) -> Span {
    tracing::trace_span!(
        "call",
        command,
        script = %context.script(),
        client = %context.client_id(),
    )
}

/// Puts `call` on the heap, inside its span if it has one.
#[inline]
pub(crate) fn inside<'a, T: 'a, F>(
    span: Option<Span>,
    call: impl FnOnce() -> F,
) -> RedisFuture<'a, T>
where
    F: Future<Output = redis_manager_core::redis::RedisResult<T>> + Send + 'a,
{
    match span {
        None => Box::pin(call()),
        Some(span) => Box::pin(call().instrument(span)),
    }
}
