//! Arguments of methods.

use std::time::Duration;

use redis_manager::{Error, ErrorKind, Result};
use rhai::{Blob, Dynamic, FnPtr, INT, ImmutableString};

/// An error of an argument that is not allowed.
pub(crate) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// What a method takes.
pub(crate) trait Arguments: Sized {
    /// How many values those are.
    const COUNT: usize;

    /// Takes them out of the call of `method`.
    fn take(method: &str, values: Vec<Dynamic>) -> Result<Self>;
}

/// One of them.
pub(crate) trait Argument: Sized {
    /// What it must be, with its article.
    const WANTED: &str;

    fn of(value: Dynamic) -> Option<Self>;
}

/// A string or a blob: Redis knows only bytes.
#[derive(Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Arguments for () {
    const COUNT: usize = 0;

    fn take(_: &str, _: Vec<Dynamic>) -> Result<Self> {
        Ok(())
    }
}

impl<A: Argument> Arguments for (A,) {
    const COUNT: usize = 1;

    fn take(method: &str, values: Vec<Dynamic>) -> Result<Self> {
        let mut values = values.into_iter();
        Ok((argument(method, 1, values.next())?,))
    }
}

impl<A: Argument, B: Argument> Arguments for (A, B) {
    const COUNT: usize = 2;

    fn take(method: &str, values: Vec<Dynamic>) -> Result<Self> {
        let mut values = values.into_iter();
        Ok((
            argument(method, 1, values.next())?,
            argument(method, 2, values.next())?,
        ))
    }
}

/// The value as the `nth` argument of `method`, from 1.
pub(crate) fn argument<A: Argument>(method: &str, nth: usize, value: Option<Dynamic>) -> Result<A> {
    value
        .and_then(A::of)
        .ok_or_else(|| refused(format!("{method}: argument {nth} must be {}", A::WANTED)))
}

impl Argument for Dynamic {
    const WANTED: &str = "a value";

    fn of(value: Dynamic) -> Option<Self> {
        Some(value)
    }
}

impl Argument for String {
    const WANTED: &str = "a string";

    fn of(value: Dynamic) -> Option<Self> {
        value.into_string().ok()
    }
}

impl Argument for Bytes {
    const WANTED: &str = "a string or a blob";

    fn of(value: Dynamic) -> Option<Self> {
        let value = match value.try_cast_result::<ImmutableString>() {
            Ok(text) => return Some(Self(text.as_bytes().to_vec())),
            Err(value) => value,
        };
        value.try_cast::<Blob>().map(Self)
    }
}

impl Argument for FnPtr {
    const WANTED: &str = "a function";

    fn of(value: Dynamic) -> Option<Self> {
        value.try_cast()
    }
}

impl Argument for u16 {
    const WANTED: &str = "a whole number from 0 to 65535";

    fn of(value: Dynamic) -> Option<Self> {
        value.try_cast::<INT>()?.try_into().ok()
    }
}

impl Argument for u32 {
    const WANTED: &str = "a whole number from 0 to 4294967295";

    fn of(value: Dynamic) -> Option<Self> {
        value.try_cast::<INT>()?.try_into().ok()
    }
}

impl Argument for Duration {
    const WANTED: &str = "a number of seconds";

    fn of(value: Dynamic) -> Option<Self> {
        if let Ok(seconds) = value.as_int() {
            return seconds.try_into().ok().map(Self::from_secs);
        }
        Self::try_from_secs_f64(value.as_float().ok()?).ok()
    }
}
