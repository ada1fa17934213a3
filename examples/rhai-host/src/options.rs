//! `redis.newClientOptions()`.

use std::cell::RefCell;
use std::rc::Rc;

use redis_manager::{ClientOptions, Error, ErrorKind, Result};
use rhai::serde::{from_dynamic, to_dynamic};
use rhai::{Dynamic, Engine, ImmutableString, Map};
use script_host::option_name;

use crate::method::{method, method_of_any};
use crate::value::message_of;

#[derive(Clone)]
pub(crate) struct Options(pub(crate) ClientOptions);

/// Takes any option by its name, and leaves it to the library to know them. Changes itself, and returns itself.
#[derive(Clone, Default)]
pub(crate) struct OptionsBuilder(Rc<RefCell<Map>>);

pub(crate) fn add_options(engine: &mut Engine) {
    engine.register_type_with_name::<Options>("ClientOptions");
    engine.register_indexer_get(|this: &mut Options, name: ImmutableString| this.get(&name));
    engine.register_type_with_name::<OptionsBuilder>("ClientOptionsBuilder");
    method(engine, "build", |_, this: &OptionsBuilder, ()| this.build());
}

/// Gives the builder the method `name`, which is an option.
pub(crate) fn add_named_option(engine: &mut Engine, name: &str) {
    let option = option_name(name);
    method_of_any(engine, name, 1, move |_, this: &OptionsBuilder, values| {
        let value = values.into_iter().next().unwrap_or_default();
        this.0.borrow_mut().insert(option.as_str().into(), value);
        Ok(this.clone())
    });
}

impl Options {
    fn get(&self, name: &str) -> Dynamic {
        let options = to_dynamic(&self.0).unwrap_or_default();
        let options = options.try_cast::<Map>().unwrap_or_default();
        let value = options.get(option_name(name).as_str());
        value.cloned().unwrap_or_default()
    }
}

impl OptionsBuilder {
    fn build(&self) -> Result<Options> {
        let options = Dynamic::from_map(self.0.borrow().clone());
        let options = from_dynamic(&options);
        let refused = |message| Error::new(ErrorKind::InvalidOptions, message);
        Ok(Options(
            options.map_err(|error| refused(message_of(*error)))?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_built_from_their_names_and_read_by_them() {
        let builder = OptionsBuilder::default();
        let values = [
            ("command_timeout", "500ms".into()),
            ("session_pool_size", 2.into()),
        ];
        let values: [(_, Dynamic); 2] = values;
        builder
            .0
            .borrow_mut()
            .extend(values.map(|(name, value)| (name.into(), value)));
        let options = builder.build().unwrap();
        assert_eq!(options.get("sessionPoolSize").as_int(), Ok(2));
        assert_eq!(options.get("commandTimeout").to_string(), "500ms");
        assert!(options.get("noSuchOption").is_unit());

        builder
            .0
            .borrow_mut()
            .insert("no_such_option".into(), 1.into());
        let error = builder.build().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidOptions);
        assert!(error.message().contains("no_such_option"), "{error}");
    }
}
