//! What a script may say to a server that it shares with others: a prefix before its keys and channels, and
//! commands that it may not use.
//!
//! Pure, but for [`TableCache`], where clients wait while one of them asks the server for its commands. Whatever cannot be mapped with
//! certainty is refused.

mod command_name;
mod command_table;
mod denied_commands;
mod guard;
mod key_places;
mod key_prefix;
mod key_spec;
mod known;
mod mapping;
mod name_map;
mod options;
mod packed;
mod queued_replies;
mod recent_names;
mod reply_shape;
mod server_entry;
mod table_cache;
#[cfg(test)]
pub(crate) mod test_table;

pub(crate) use command_name::CommandName;
pub(crate) use command_table::CommandTable;
pub use denied_commands::DeniedCommands;
pub(crate) use guard::Guard;
pub(crate) use key_places::Places;
pub use key_prefix::KeyPrefix;
pub(crate) use packed::prefix_first_argument;
pub(crate) use queued_replies::QueuedReplies;
pub(crate) use reply_shape::ReplyShape;
pub(crate) use table_cache::TableCache;
