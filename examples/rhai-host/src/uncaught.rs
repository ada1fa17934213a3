//! What becomes of the errors that a script does not catch.

use rhai::{Dynamic, EvalAltResult, Map, ParseError, Position};
use script_host::ScriptError;

use crate::exception::Exception;
use crate::place::Place;

/// An error that came out of the script, which else was at `place`.
pub(crate) fn uncaught(error: EvalAltResult, place: &Place) -> ScriptError {
    let (mut error, position) = innermost(error);
    let place = place.or_at(position);
    match &error {
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_by_script(thrown, &place),
        _ => {
            error.clear_position();
            place.error(error.to_string())
        }
    }
}

/// A mistake in the file.
pub(crate) fn mistake(error: &ParseError, file: &str) -> ScriptError {
    ScriptError::new(file, error.position().line(), error.err_type().to_string())
}

/// What happened in the innermost of the calls that an error has come through, and where.
fn innermost(mut error: EvalAltResult) -> (EvalAltResult, Position) {
    let mut position = error.position();
    loop {
        error = match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
            | EvalAltResult::ErrorInModule(_, inner, _) => *inner,
            other => return (other, position),
        };
        position = error.position().or_else(position);
    }
}

/// What stood after `throw`: an error that was caught before, or whatever the script likes.
fn thrown_by_script(thrown: &Dynamic, place: &Place) -> ScriptError {
    if let Some(exception) = thrown.read_lock::<Exception>() {
        return exception.to_script_error();
    }
    // As Rhai gives its own errors to who catches them.
    let message = thrown.read_lock::<Map>();
    let message = message.and_then(|fields| fields.get("message").map(Dynamic::to_string));
    place.error(message.unwrap_or_else(|| thrown.to_string()))
}
