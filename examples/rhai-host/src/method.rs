//! Functions in Rust that scripts call on a value, and that throw what a script can look into.

use std::any::TypeId;
use std::rc::Rc;

use redis_manager::Result;
use rhai::{Dynamic, Engine};

use crate::argument::Arguments;
use crate::exception::Exception;
use crate::place::Place;
use crate::script::Script;

/// A call by a script.
pub(crate) struct Call {
    pub(crate) script: Rc<Script>,
    pub(crate) place: Place,
}

/// Gives the type `T` a method.
pub(crate) fn method<T, A, R>(
    engine: &mut Engine,
    name: &'static str,
    method: impl Fn(&Call, &T, A) -> Result<R> + 'static,
) where
    T: Clone + 'static,
    A: Arguments,
    R: Clone + 'static,
{
    method_of_any(engine, name, A::COUNT, move |call, this: &T, arguments| {
        method(call, this, A::take(name, arguments)?)
    });
}

/// Gives the type `T` a method with `count` arguments, whatever they are.
pub(crate) fn method_of_any<T, R>(
    engine: &mut Engine,
    name: &str,
    count: usize,
    method: impl Fn(&Call, &T, Vec<Dynamic>) -> Result<R> + 'static,
) where
    T: Clone + 'static,
    R: Clone + 'static,
{
    let mut types = vec![TypeId::of::<T>()];
    types.resize(1 + count, TypeId::of::<Dynamic>());
    engine.register_raw_fn(name, types, move |context, values| {
        let script = Script::of(&context)?;
        let place = script.place(context.call_position());
        let call = Call { script, place };
        let Some((this, arguments)) = values.split_first_mut() else {
            return Err("a method without its object".into());
        };
        let this = this.read_lock::<T>().map(|this| this.clone());
        let this = this.ok_or("the object is in use")?;
        // What a closure has captured is shared with it.
        let arguments = arguments.iter_mut().map(|value| value.take().flatten());
        method(&call, &this, arguments.collect())
            .map_err(|error| Exception::new(error, call.place).raise())
    });
}
