//! What every host of scripts needs, and no engine has: it loads a folder of scripts, polls their mailboxes, reloads
//! a script when its file changes, and unloads it when it fails or asks to exit. An engine is added by an
//! implementation of [`Engine`]; `lua-host` beside this package is one.
//!
//! | file | what it holds |
//! |---|---|
//! | `engine` | [`Engine`]: how a script is started from its [`ScriptSource`] |
//! | `context` | [`ScriptContext`]: what a script has of its host |
//! | `script_error` | [`ScriptError`]: a failure with the script's file and line |
//! | `event` | [`HostEvent`], [`Ending`]: what the host tells of its scripts |
//! | `host` | [`Host`]: the loop |
//! | `folder` | the folder's files, and which of them changed |
//! | `live` | one script that runs |
//! | `failures`, `doorbell` | what comes to the loop from other threads |
//! | `option_name` | [`option_name`]: how scripts write the names of options |
//! | `registration` | [`Registration`]: a listener from when it is asked for |
//! | `program` | [`run_program`]: the `main` of a host |
//! | `stage` | [`Stage`]: a host for the tests of engines |

mod context;
mod doorbell;
mod engine;
mod event;
mod failures;
mod folder;
mod host;
mod live;
mod option_name;
mod program;
mod registration;
mod script_error;
mod stage;

pub use context::ScriptContext;
pub use engine::{Engine, ScriptSource};
pub use event::{Ending, HostEvent};
pub use host::Host;
pub use option_name::option_name;
pub use program::run_program;
pub use registration::Registration;
pub use script_error::ScriptError;
pub use stage::Stage;
