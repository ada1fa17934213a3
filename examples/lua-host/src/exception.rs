//! What a script catches.

use mlua::{Lua, MetaMethod, UserData, UserDataFields, UserDataMethods};
use redis_manager::{Error, ErrorKind};
use script_host::ScriptError;

use crate::place::Place;

/// Why a function in Rust failed.
pub(crate) enum Failure {
    /// In Redis, or on the way there.
    Redis(Error),
    /// By what the script gave it.
    Lua(mlua::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Redis(error)
    }
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl Failure {
    /// Of an argument that is not allowed.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, message).into()
    }
}

/// An error as a script sees it.
pub(crate) struct Exception {
    error: Error,
    place: Place,
}

impl Exception {
    pub(crate) fn new(failure: Failure, place: Place) -> Self {
        let error = match failure {
            Failure::Redis(error) => error,
            Failure::Lua(error) => Error::new(ErrorKind::InvalidArgument, message_of(&error)),
        };
        Self { error, place }
    }

    /// The server's own words, if it answered.
    fn message(&self) -> &str {
        self.error.answer().unwrap_or(self.error.message())
    }

    /// The error, if nobody catches it.
    pub(crate) fn to_script_error(&self) -> ScriptError {
        let message = self.message();
        self.place.error(match self.error.command() {
            Some(command) => format!("{command}: {message}"),
            None => message.to_owned(),
        })
    }
}

impl UserData for Exception {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("kind", |_, this| Ok(this.error.kind().name()));
        fields.add_field_method_get("code", |lua, this| optional(lua, this.error.code()));
        fields.add_field_method_get("command", |lua, this| optional(lua, this.error.command()));
        fields.add_field_method_get("delivery", |_, this| {
            Ok(this.error.delivery().map(|delivery| delivery.name()))
        });
        fields.add_field_method_get("message", |lua, this| lua.create_string(this.message()));
        fields.add_field_method_get("file", |lua, this| lua.create_string(&this.place.file));
        fields.add_field_method_get("line", |_, this| Ok(this.place.line));
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(this.to_script_error().to_string())
        });
    }
}

fn optional(lua: &Lua, text: Option<&str>) -> mlua::Result<Option<mlua::LuaString>> {
    text.map(|text| lua.create_string(text)).transpose()
}

/// What mlua says, without the tracebacks that it wraps around it.
pub(crate) fn message_of(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => message_of(cause),
        mlua::Error::SyntaxError { message, .. }
        | mlua::Error::RuntimeError(message)
        | mlua::Error::SerializeError(message)
        | mlua::Error::DeserializeError(message) => message.clone(),
        other => other.to_string(),
    }
}
