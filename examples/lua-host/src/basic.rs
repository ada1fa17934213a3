//! BASIC clients.

use mlua::{UserData, UserDataFields};
use redis_manager::RedisBasicClient;

use crate::client::add_client_methods;
use crate::method::method;

pub(crate) struct Basic(pub(crate) RedisBasicClient);

impl UserData for Basic {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        add_client_methods(fields, |this: &Self| &this.0);
        method(fields, "ping", |_, this: &Self, ()| Ok(this.0.ping()?));
    }
}
