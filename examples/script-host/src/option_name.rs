//! The names of options in scripts.

/// The name of the option that a script calls `name`: `commandTimeout` is `command_timeout`.
///
/// ```
/// assert_eq!(script_host::option_name("requestQueueBytes"), "request_queue_bytes");
/// assert_eq!(script_host::option_name("heartbeat"), "heartbeat");
/// ```
#[must_use]
pub fn option_name(name: &str) -> String {
    let mut option = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            option.push('_');
        }
        option.push(letter.to_ascii_lowercase());
    }
    option
}
