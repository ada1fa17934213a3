//! Functions in Rust that raise errors in Lua as a script wants to catch them.
//!
//! mlua raises an error of Rust as a value without fields. So a function here returns it instead, and one in Lua around
//! it raises it.

use mlua::{
    FromLua, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, MultiValue, UserDataFields,
    UserDataRef, Value,
};

use crate::exception::{Exception, Failure, message_of};
use crate::place::Place;

const RAISING: &str = "script-host.raising";

const RAISING_CODE: &str = "
    local error = error
    local function check(is_done, ...)
        if is_done then
            return ...
        end
        error((...), 0)
    end
    return function(called)
        return function(...)
            return check(called(...))
        end
    end";

/// Prepares [`function`].
pub(crate) fn prepare(lua: &Lua) -> mlua::Result<()> {
    let raising: Function = lua.load(RAISING_CODE).set_name("=redis").eval()?;
    lua.set_named_registry_value(RAISING, raising)
}

/// Makes a function of Lua.
pub(crate) fn function<A, R>(
    lua: &Lua,
    name: &str,
    function: impl Fn(&Lua, A) -> Result<R, Failure> + 'static,
) -> mlua::Result<Function>
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    let name = name.to_owned();
    let returning = lua.create_function(move |lua, arguments: MultiValue| {
        let arguments = A::from_lua_multi(arguments, lua)
            .map_err(|error| Failure::argument(format!("{name}: {}", message_of(&error))));
        match arguments.and_then(|arguments| function(lua, arguments)) {
            Ok(results) => {
                let mut results = results.into_lua_multi(lua)?;
                results.push_front(Value::Boolean(true));
                Ok(results)
            }
            Err(failure) => {
                let exception = Exception::new(failure, Place::current(lua));
                (false, exception).into_lua_multi(lua)
            }
        }
    })?;
    lua.named_registry_value::<Function>(RAISING)?
        .call(returning)
}

/// Gives the type `T` a method.
pub(crate) fn method<T, A, R>(
    fields: &mut impl UserDataFields<T>,
    name: &'static str,
    method: impl Fn(&Lua, &T, A) -> Result<R, Failure> + 'static,
) where
    T: 'static,
    A: FromLuaMulti,
    R: IntoLuaMulti,
{
    fields.add_field(
        name,
        Lazily(move |lua: &Lua| {
            function(lua, name, move |lua, arguments: Call<T, A>| {
                method(lua, &arguments.this, arguments.rest)
            })
        }),
    );
}

/// A function of Lua that is made where it is put.
struct Lazily<F>(F);

impl<F: FnOnce(&Lua) -> mlua::Result<Function>> IntoLua for Lazily<F> {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        (self.0)(lua).map(Value::Function)
    }
}

/// The arguments of a method, and what it is called on.
pub(crate) struct Call<T: 'static, A> {
    pub(crate) this: UserDataRef<T>,
    pub(crate) rest: A,
}

impl<T: 'static, A: FromLuaMulti> FromLuaMulti for Call<T, A> {
    fn from_lua_multi(mut values: MultiValue, lua: &Lua) -> mlua::Result<Self> {
        let this = values.pop_front().unwrap_or(Value::Nil);
        let this = UserDataRef::from_lua(this, lua)
            .map_err(|_| mlua::Error::runtime("call it with a colon: object:method(...)"))?;
        let rest = A::from_lua_multi(values, lua)?;
        Ok(Self { this, rest })
    }
}
