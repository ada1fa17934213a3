//! What a script starts with.

use redis_manager::ClientType;
use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT};
use script_host::ScriptContext;

/// `ClientType`.
#[derive(Clone)]
pub(crate) struct ClientTypes;

pub(crate) fn add_globals(engine: &mut Engine, context: &ScriptContext) {
    engine.register_type_with_name::<ClientTypes>("ClientType");
    for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
        let name = kind.to_string();
        engine.register_get(name.clone(), move |_: &mut ClientTypes| name.clone());
    }
    add_printing(engine, context);
    let script = context.clone();
    engine.register_fn("exit", move || script.exit());
    // Rhai's own, of both, would end the call under way as well.
    let script = context.clone();
    engine.register_fn("exit", move |_: Dynamic| script.exit());
    engine.register_fn("sleep", |_: INT| no_sleep());
    engine.register_fn("sleep", |_: FLOAT| no_sleep());
}

fn no_sleep() -> Result<(), Box<EvalAltResult>> {
    Err("sleep would hold up the host".into())
}

fn add_printing(engine: &mut Engine, context: &ScriptContext) {
    let script = context.clone();
    engine.on_print(move |line| script.print(line));
    let script = context.clone();
    engine.on_debug(move |line, _, position| {
        script.print(match position.line() {
            Some(number) => format!("line {number}: {line}"),
            None => line.to_owned(),
        });
    });
}
