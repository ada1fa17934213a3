//! Asking a server what commands it has.

use std::sync::Arc;

use redis::Value;

use super::link::value;
use super::ticket::Ticket;
use super::wire::Wire;
use crate::namespace::CommandTable;
use crate::{ClientContext, Deadline, Delivery, Error, Result};

/// Sees to it that the guard of `context` knows the commands of the server behind `wire`, until `deadline`.
///
/// # Errors
///
/// What kept the server from being asked, or from answering. The call that this is for was not sent.
pub(super) async fn learn_commands(
    context: &Arc<ClientContext>,
    wire: &Arc<Wire>,
    deadline: Deadline,
) -> Result<()> {
    let (of, wire) = (Arc::clone(context), Arc::clone(wire));
    // On our runtime, whose clock bounds it.
    let learning = context.run_admitted(async move {
        let address = of.address();
        let tables = of.resources().command_tables();
        let asking = ask(&of, &wire, deadline);
        let table = tables.get(&address, deadline, asking).await?;
        if let Some(guard) = of.guard() {
            guard.set_table(table);
        }
        Ok(())
    });
    learning
        .await
        .map_err(|error| error.with_delivery(Delivery::NotSent))
}

async fn ask(
    context: &ClientContext,
    wire: &Arc<Wire>,
    deadline: Deadline,
) -> Result<CommandTable> {
    let command = redis::cmd("COMMAND");
    let left = wire.put(&command, context.admit_until(deadline)?)?;
    let reply = value(&command, Ticket::new(Arc::clone(wire), left)).await?;
    table_of(reply, "a key prefix")
}

/// What a server's `reply` to COMMAND tells, which `who` needs.
pub(super) fn table_of(reply: Value, who: &str) -> Result<CommandTable> {
    let reply = reply.extract_error().map_err(|refused| {
        let refused = Error::from(refused);
        let mut message = format!(
            "{who} needs the server's reply to COMMAND, which is: {}",
            refused.message()
        );
        if refused.code() == Some("NOPERM") {
            message += "; the user needs the ACL rule +command";
        }
        Error::new(refused.kind(), message).with_source(refused)
    })?;
    CommandTable::read(&reply)
}
