//! What a script catches.

use std::rc::Rc;

use redis_manager::Error;
use rhai::{Dynamic, Engine, EvalAltResult, INT};
use script_host::ScriptError;

use crate::place::Place;
use crate::value::optional;

/// An error as a script sees it.
#[derive(Clone)]
pub(crate) struct Exception(Rc<Thrown>);

struct Thrown {
    error: Error,
    place: Place,
}

impl Exception {
    pub(crate) fn new(error: Error, place: Place) -> Self {
        Self(Rc::new(Thrown { error, place }))
    }

    /// The error, if nobody catches it.
    pub(crate) fn to_script_error(&self) -> ScriptError {
        let Thrown { error, place } = &*self.0;
        let message = message(error);
        place.error(match error.command() {
            Some(command) => format!("{command}: {message}"),
            None => message.to_owned(),
        })
    }

    pub(crate) fn raise(self) -> Box<EvalAltResult> {
        let position = self.0.place.position();
        EvalAltResult::ErrorRuntime(Dynamic::from(self), position).into()
    }

    /// As the engine itself says it.
    fn text(self) -> String {
        self.to_script_error().to_string()
    }
}

pub(crate) fn add_exception(engine: &mut Engine) {
    engine.register_type_with_name::<Exception>("RedisError");
    let mut field = |name, value: fn(&Error, &Place) -> Dynamic| {
        engine.register_get(name, move |this: &mut Exception| {
            value(&this.0.error, &this.0.place)
        });
    };
    field("kind", |error, _| error.kind().name().into());
    field("code", |error, _| optional(error.code()));
    field("command", |error, _| optional(error.command()));
    field("delivery", |error, _| {
        optional(error.delivery().map(|delivery| delivery.name()))
    });
    field("message", |error, _| message(error).into());
    field("file", |_, place| place.file().into());
    field("line", |_, place| optional(place.line().map(number)));
    field("position", |_, place| optional(place.column().map(number)));
    engine.register_fn("to_string", Exception::text);
    engine.register_fn("to_debug", Exception::text);
}

/// The server's own words, if it answered.
fn message(error: &Error) -> &str {
    error.answer().unwrap_or(error.message())
}

fn number(number: usize) -> INT {
    INT::try_from(number).unwrap_or(INT::MAX)
}
