//! What every client has.

use mlua::{AnyUserData, IntoLua, Lua, UserData, UserDataFields, Value};
use redis_manager::{AnyClient, ClientState, ScriptRedisClient, UnderlyingClient};

use crate::basic::Basic;
use crate::command::Command;
use crate::exception::Failure;
use crate::method::method;
use crate::options::Options;
use crate::pub_sub::PubSub;
use crate::uri::Uri;

pub(crate) fn client_value(lua: &Lua, client: AnyClient) -> mlua::Result<Value> {
    match client {
        AnyClient::Basic(client) => Basic(client).into_lua(lua),
        AnyClient::Command(client) => Command(client).into_lua(lua),
        AnyClient::PubSub(client) => PubSub(client).into_lua(lua),
    }
}

/// The client that a script holds.
pub(crate) fn any_client(value: &AnyUserData) -> Result<AnyClient, Failure> {
    if let Ok(client) = value.borrow::<Basic>() {
        return Ok(client.0.clone().into());
    }
    if let Ok(client) = value.borrow::<Command>() {
        return Ok(client.0.clone().into());
    }
    match value.borrow::<PubSub>() {
        Ok(client) => Ok(client.0.clone().into()),
        Err(_) => Err(Failure::argument("this is no client")),
    }
}

/// Adds the methods that all have.
pub(crate) fn add_client_methods<T, C>(
    fields: &mut impl UserDataFields<T>,
    client: impl Fn(&T) -> &C + Copy + 'static,
) where
    T: 'static,
    C: ScriptRedisClient + 'static,
{
    method(fields, "getRedisURI", move |_, this: &T, ()| {
        Ok(Uri(client(this).redis_uri().clone()))
    });
    method(fields, "getClientOptions", move |_, this: &T, ()| {
        Ok(Options(client(this).client_options().clone()))
    });
    method(fields, "getRedisClient", move |_, this: &T, ()| {
        Ok(Underlying(client(this).redis_client()))
    });
    method(fields, "getClientType", move |_, this: &T, ()| {
        Ok(client(this).client_type().to_string())
    });
    method(fields, "getState", move |_, this: &T, ()| {
        Ok(client(this).state().to_string())
    });
}

/// What `getRedisClient` returns. In Lua there is little to do with it.
struct Underlying(UnderlyingClient);

impl UserData for Underlying {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(fields, "getAddress", |_, this: &Self, ()| {
            let client = this.0.clone().into_single();
            Ok(client.map(|client| client.get_connection_info().addr().to_string()))
        });
    }
}

/// What `getConnection` returns.
pub(crate) struct ConnectionView(pub(crate) AnyClient);

impl UserData for ConnectionView {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        method(fields, "isOpen", |_, this: &Self, ()| {
            Ok(matches!(this.0.state(), ClientState::Connected))
        });
        method(fields, "getState", |_, this: &Self, ()| {
            Ok(this.0.state().to_string())
        });
    }
}
