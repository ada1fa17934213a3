//! What every client has.

use redis_manager::{AnyClient, ClientState, Result, ScriptRedisClient, UnderlyingClient};
use rhai::{Dynamic, Engine};

use crate::argument::refused;
use crate::basic::Basic;
use crate::command::Command;
use crate::method::method;
use crate::options::Options;
use crate::pub_sub::PubSub;
use crate::uri::Uri;
use crate::value::optional;

/// What `getRedisClient` returns. In Rhai there is little to do with it.
#[derive(Clone)]
struct Underlying(UnderlyingClient);

/// What `getConnection` returns.
#[derive(Clone)]
pub(crate) struct ConnectionView(pub(crate) AnyClient);

pub(crate) fn client_value(client: AnyClient) -> Dynamic {
    match client {
        AnyClient::Basic(client) => Dynamic::from(Basic(client)),
        AnyClient::Command(client) => Dynamic::from(Command(client)),
        AnyClient::PubSub(client) => Dynamic::from(PubSub(client)),
    }
}

/// The client that a script holds.
pub(crate) fn any_client(value: &Dynamic) -> Result<AnyClient> {
    if let Some(client) = value.read_lock::<Basic>() {
        return Ok(client.0.clone().into());
    }
    if let Some(client) = value.read_lock::<Command>() {
        return Ok(client.0.clone().into());
    }
    match value.read_lock::<PubSub>() {
        Some(client) => Ok(client.0.clone().into()),
        None => Err(refused("this is no client")),
    }
}

pub(crate) fn add_clients(engine: &mut Engine) {
    engine.register_type_with_name::<Underlying>("UnderlyingClient");
    method(engine, "getAddress", |_, this: &Underlying, ()| {
        let client = this.0.clone().into_single();
        let address = client.map(|client| client.get_connection_info().addr().to_string());
        Ok(optional(address))
    });
    engine.register_type_with_name::<ConnectionView>("Connection");
    method(engine, "isOpen", |_, this: &ConnectionView, ()| {
        Ok(matches!(this.0.state(), ClientState::Connected))
    });
    method(engine, "getState", |_, this: &ConnectionView, ()| {
        Ok(Dynamic::from(this.0.state().to_string()))
    });
}

/// Adds the methods that all have.
pub(crate) fn add_client_methods<T, C>(
    engine: &mut Engine,
    client: impl Fn(&T) -> &C + Copy + 'static,
) where
    T: Clone + 'static,
    C: ScriptRedisClient + 'static,
{
    method(engine, "getRedisURI", move |_, this: &T, ()| {
        Ok(Uri(client(this).redis_uri().clone()))
    });
    method(engine, "getClientOptions", move |_, this: &T, ()| {
        Ok(Options(client(this).client_options().clone()))
    });
    method(engine, "getRedisClient", move |_, this: &T, ()| {
        Ok(Underlying(client(this).redis_client()))
    });
    method(engine, "getClientType", move |_, this: &T, ()| {
        Ok(Dynamic::from(client(this).client_type().to_string()))
    });
    method(engine, "getState", move |_, this: &T, ()| {
        Ok(Dynamic::from(client(this).state().to_string()))
    });
}
