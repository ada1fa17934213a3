//! What the engine and its functions in Rust know of a script.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::{Rc, Weak};

use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};
use script_host::ScriptContext;

use crate::place::Place;

/// What functions in Rust know of the script that calls them.
pub(crate) struct Script {
    pub(crate) context: ScriptContext,
    file: Rc<str>,
    running: OnceCell<Weak<Running>>,
}

impl Script {
    pub(crate) fn new(context: &ScriptContext, file: &str) -> Rc<Self> {
        Rc::new(Self {
            context: context.clone(),
            file: file.into(),
            running: OnceCell::new(),
        })
    }

    /// Has every function that `engine` calls find it.
    pub(crate) fn introduce_to(self: &Rc<Self>, engine: &mut Engine) {
        engine.set_default_tag(Dynamic::from(Rc::clone(self)));
    }

    /// The one that calls.
    pub(crate) fn of(context: &NativeCallContext<'_>) -> Result<Rc<Self>, Box<EvalAltResult>> {
        let script = context.tag().and_then(|tag| tag.read_lock::<Rc<Self>>());
        let script = script.map(|script| Rc::clone(&script));
        script.ok_or_else(|| "this engine has no script".into())
    }

    pub(crate) fn place(&self, position: rhai::Position) -> Place {
        Place::new(Rc::clone(&self.file), position)
    }

    pub(crate) fn whole_file(&self) -> Place {
        self.place(rhai::Position::NONE)
    }

    /// The engine's part, without keeping it.
    pub(crate) fn running(&self) -> Weak<Running> {
        self.running.get().cloned().unwrap_or_default()
    }
}

/// A script that runs: its engine, its code, and those of its functions that wait to be called. Whoever waits to call
/// them does not keep it.
pub struct RhaiScript(Rc<Running>);

/// The same, for those who call functions.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) ast: AST,
    functions: Functions,
}

impl RhaiScript {
    pub(crate) fn new(engine: Engine, ast: AST, script: &Script) -> Self {
        let running = Rc::new(Running {
            engine,
            ast,
            functions: Functions::default(),
        });
        script.running.get_or_init(|| Rc::downgrade(&running));
        Self(running)
    }

    /// Runs what stands outside of functions.
    pub(crate) fn run(&self) -> Result<(), Box<EvalAltResult>> {
        self.0.engine.run_ast(&self.0.ast)
    }
}

impl fmt::Debug for RhaiScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RhaiScript")
            .field("file", &self.0.ast.source())
            .finish_non_exhaustive()
    }
}

impl Running {
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }
}

/// The functions that wait. They are here, and not with those who call them, because a function may have captured a
/// variable that leads back to itself; Rhai counts references, and would never free it.
#[derive(Default)]
pub(crate) struct Functions {
    waiting: RefCell<BTreeMap<u64, FnPtr>>,
    given: Cell<u64>,
}

impl Functions {
    pub(crate) fn add(&self, function: FnPtr) -> u64 {
        let key = self.given.get();
        self.given.set(key + 1);
        self.waiting.borrow_mut().insert(key, function);
        key
    }

    pub(crate) fn get(&self, key: u64) -> Option<FnPtr> {
        self.waiting.borrow().get(&key).cloned()
    }

    pub(crate) fn remove(&self, key: u64) {
        // What it has captured may remove others.
        let removed = self.waiting.borrow_mut().remove(&key);
        drop(removed);
    }
}
