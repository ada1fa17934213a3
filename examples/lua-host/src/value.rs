//! Values between Lua and Redis.

use mlua::{Lua, LuaString, MultiValue, Value};
use redis_manager::{ScriptValue, ValueLimits};

use crate::exception::Failure;

/// What a script gives as an argument.
pub(crate) fn from_lua(value: Value) -> Result<ScriptValue, Failure> {
    if let Value::String(text) = value {
        // Serde would look whether it is UTF-8.
        return Ok(text.as_bytes().as_ref().into());
    }
    let deserializer = mlua::serde::Deserializer::new(value);
    let value = ScriptValue::deserialize_within(deserializer, ValueLimits::default());
    Ok(value?)
}

/// The arguments of a command.
pub(crate) fn arguments(values: MultiValue) -> Result<Vec<ScriptValue>, Failure> {
    values.into_iter().map(from_lua).collect()
}

/// What a script gets as a reply.
pub(crate) fn to_lua(lua: &Lua, value: ScriptValue) -> mlua::Result<Value> {
    Ok(match value {
        ScriptValue::Nil => Value::Nil,
        ScriptValue::Bool(value) => Value::Boolean(value),
        ScriptValue::Integer(number) => Value::Integer(number),
        ScriptValue::Float(number) => Value::Number(number),
        ScriptValue::Bytes(bytes) => Value::String(lua.create_string(bytes)?),
        ScriptValue::List(values) => {
            let list = lua.create_table_with_capacity(values.len(), 0)?;
            for value in values {
                list.raw_push(match to_lua(lua, value)? {
                    // Lua's lists have no holes.
                    Value::Nil => Value::Boolean(false),
                    value => value,
                })?;
            }
            Value::Table(list)
        }
        ScriptValue::Map(pairs) => {
            let map = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                map.raw_set(to_lua(lua, key)?, to_lua(lua, value)?)?;
            }
            Value::Table(map)
        }
    })
}

/// The bytes of a string, which need not be text.
pub(crate) fn bytes(text: &LuaString) -> Vec<u8> {
    text.as_bytes().to_vec()
}
