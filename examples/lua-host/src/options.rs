//! `redis.newClientOptions()`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Lua, LuaSerdeExt, MetaMethod, UserData, UserDataFields, UserDataMethods, Value};
use redis_manager::{ClientOptions, Error, ErrorKind};
use script_host::option_name;

use crate::exception::{Failure, message_of};
use crate::method::{Call, function, method};

pub(crate) struct Options(pub(crate) ClientOptions);

impl UserData for Options {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, name: String| {
            let Value::Table(options) = lua.to_value(&this.0)? else {
                return Ok(Value::Nil);
            };
            options.get::<Value>(option_name(&name))
        });
    }
}

/// Takes any option by its name, and leaves it to the library to know them.
#[derive(Clone, Default)]
pub(crate) struct OptionsBuilder(Rc<RefCell<BTreeMap<String, Value>>>);

impl OptionsBuilder {
    fn build(&self, lua: &Lua) -> Result<Options, Failure> {
        let options = lua.create_table()?;
        for (name, value) in &*self.0.borrow() {
            options.set(name.as_str(), value)?;
        }
        let options = lua.from_value(Value::Table(options));
        let refused = |error| Error::new(ErrorKind::InvalidOptions, message_of(&error));
        Ok(Options(options.map_err(refused)?))
    }
}

impl UserData for OptionsBuilder {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(fields, "build", |lua, this: &Self, ()| this.build(lua));
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, _, name: String| {
            let option = option_name(&name);
            function(lua, &name, move |_, call: Call<Self, Value>| {
                let mut options = call.this.0.borrow_mut();
                options.insert(option.clone(), call.rest);
                Ok(call.this.clone())
            })
        });
    }
}
