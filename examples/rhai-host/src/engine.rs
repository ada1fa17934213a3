//! The engine: one of Rhai a script.

use std::rc::Rc;

use rhai::Engine as Rhai;
use rhai::module_resolvers::DummyModuleResolver;
use script_host::{Engine, ScriptContext, ScriptError, ScriptSource};

use crate::globals::add_globals;
use crate::names::Names;
use crate::script::{RhaiScript, Script};
use crate::uncaught::{mistake, uncaught};
use crate::variables::add_variables;
use crate::{basic, client, command, exception, future, listener, options, pub_sub, redis, uri};

/// Rhai with its standard library, within limits: scripts are others' code, and the host's thread is not theirs.
///
/// | what | at most |
/// |---|---|
/// | operations in one call of the host, the start or a callback | 10 million |
/// | calls in one another | 16 |
/// | depth of an expression; in a function | 64; 32 |
/// | variables; functions | 1024; 1024 |
/// | a string | 16 MiB |
/// | values in an array, bytes in a blob | 4 Mi |
/// | entries of a map | 64 Ki |
///
/// `import` finds nothing, and `sleep`, which would hold up the host, fails.
///
/// These keep a mistake from taking the host along, not malice: Rhai counts what an array holds, and not how deep, so
/// that ten thousand arrays in one another end the process. Whoever runs scripts of strangers gives them a process of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct RhaiEngine;

impl Engine for RhaiEngine {
    type Plugin = RhaiScript;

    fn extension(&self) -> &str {
        "rhai"
    }

    fn start(
        &self,
        source: &ScriptSource,
        context: &ScriptContext,
    ) -> Result<RhaiScript, ScriptError> {
        let script = Script::new(context, source.file());
        let code = str::from_utf8(source.code())
            .map_err(|error| ScriptError::new(source.file(), None, error.to_string()))?;
        let mut engine = engine(&script);
        let mut ast = engine
            .compile(code)
            .map_err(|error| mistake(&error, source.file()))?;
        ast.set_source(source.file());
        add_named(&mut engine, Names::of(&ast), context);
        let running = RhaiScript::new(engine, ast, &script);
        running
            .run()
            .map_err(|error| uncaught(*error, &script.whole_file()))?;
        Ok(running)
    }
}

fn engine(script: &Rc<Script>) -> Rhai {
    let mut engine = Rhai::new();
    limit(&mut engine);
    script.introduce_to(&mut engine);
    add_globals(&mut engine, &script.context);
    for add in [
        exception::add_exception,
        redis::add_redis,
        client::add_clients,
        basic::add_basic,
        command::add_command,
        pub_sub::add_pub_sub,
        listener::add_listener,
        future::add_future,
        uri::add_uri,
        options::add_options,
    ] {
        add(&mut engine);
    }
    engine
}

/// Rhai finds a function by its name and the types of its arguments, so each has to be there before it is called.
fn add_named(engine: &mut Rhai, names: Names, context: &ScriptContext) {
    for (name, count) in &names.methods {
        command::add_named_command(engine, name, *count);
        if *count == 1 {
            options::add_named_option(engine, name);
        }
    }
    add_variables(engine, context, names.captured);
}

fn limit(engine: &mut Rhai) {
    engine.set_max_operations(10_000_000);
    // With the depth of expressions, what a thread with 2 MiB of stack holds in a debug build.
    engine.set_max_call_levels(16);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_variables(1024);
    engine.set_max_functions(1024);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(4 << 20);
    engine.set_max_map_size(64 << 10);
    engine.set_module_resolver(DummyModuleResolver::new());
}
