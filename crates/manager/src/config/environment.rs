//! The process's environment, read here alone.

use std::env;

use redis_manager_core::Result;

use super::problem::Problem;
use super::variable_name::rest;

/// The variables that may be meant by `prefix`.
pub(super) fn variables(prefix: &str) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in env::vars_os() {
        // Those that are no text cannot be ours, and may stand in the environment of anybody.
        let Some(name) = name.to_str() else { continue };
        if rest(name, prefix).is_none() {
            continue;
        }
        let Some(value) = value.to_str() else {
            return Err(Problem::new("", "it is no UTF-8")
                .of_variable(name)
                .into_error());
        };
        variables.push((name.to_owned(), value.to_owned()));
    }
    Ok(variables)
}

/// The variable of this name, if it is set and text.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok()
}
