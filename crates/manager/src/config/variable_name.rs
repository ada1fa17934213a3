//! Names of environment variables. Pure.

/// What stands behind `prefix` in `name`, in upper case; `None` if that does not begin it.
pub(super) fn rest(name: &str, prefix: &str) -> Option<String> {
    let (name, prefix) = (name.to_uppercase(), prefix.to_uppercase());
    let rest = name.strip_prefix(&prefix)?.strip_prefix('_')?;
    Some(rest.to_owned())
}

/// A name as it stands in that of a variable.
pub(super) fn in_variable(name: &str) -> String {
    name.to_uppercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect()
}
