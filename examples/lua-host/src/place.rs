//! Where in a script the host is called.

use std::rc::Rc;

use mlua::Lua;
use script_host::{ScriptContext, ScriptError};

/// What functions in Rust know of the script that calls them.
pub(crate) struct Script {
    pub(crate) context: ScriptContext,
    file: String,
}

impl Script {
    pub(crate) fn new(context: &ScriptContext, file: &str) -> Rc<Self> {
        Rc::new(Self {
            context: context.clone(),
            file: file.to_owned(),
        })
    }

    /// The one that `lua` runs.
    pub(crate) fn of(lua: &Lua) -> mlua::Result<Rc<Self>> {
        let script = lua.app_data_ref::<Rc<Self>>();
        let script = script.map(|script| Rc::clone(&script));
        script.ok_or_else(|| mlua::Error::runtime("this state of Lua has no script"))
    }
}

/// A line of a script's file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
}

impl Place {
    /// The innermost line of a file that is being run; of the script's own file, without a line, where that is
    /// not known.
    pub(crate) fn current(lua: &Lua) -> Self {
        frames(lua).next().unwrap_or_else(|| Self {
            file: Script::of(lua).map_or_else(|_| "?".to_owned(), |script| script.file.clone()),
            line: None,
        })
    }

    /// The error with the place that stands before its message, as Lua itself puts it there, or else with this one.
    pub(crate) fn of_message(self, lua: &Lua, message: &str) -> ScriptError {
        for frame in frames(lua) {
            if let Some((line, message)) = without_place(message, &frame.file) {
                return ScriptError::new(frame.file, line, message);
            }
        }
        self.error(message)
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> ScriptError {
        ScriptError::new(self.file.clone(), self.line, message)
    }
}

/// The lines of files that are being run, from the innermost.
fn frames(lua: &Lua) -> impl Iterator<Item = Place> {
    let frame = |level| {
        lua.inspect_stack(level, |frame| {
            let source = frame.source().source?;
            Some(Place {
                file: source.strip_prefix('@')?.to_owned(),
                line: Some(frame.current_line()?),
            })
        })
    };
    (0..).map_while(frame).flatten()
}

/// Line and message of what Lua said of `file`; the innermost line, where `coroutine.wrap` has put one before it.
pub(crate) fn without_place<'a>(message: &'a str, file: &str) -> Option<(usize, &'a str)> {
    let rest = message.strip_prefix(file)?.strip_prefix(':')?;
    let (line, message) = rest.split_once(": ")?;
    let outer = (line.parse().ok()?, message);
    Some(without_place(message, file).unwrap_or(outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_off_a_message_only_if_it_is_the_files() {
        let of = |message| without_place(message, "chat.lua");
        assert_eq!(of("chat.lua:12: no: such key"), Some((12, "no: such key")));
        assert_eq!(of("chat.lua:12: chat.lua:3: no"), Some((3, "no")));
        for message in [
            "no such key",
            "other.lua:12: no",
            "chat.lua:x: no",
            "chat.lua",
        ] {
            assert_eq!(of(message), None, "{message}");
        }
    }
}
