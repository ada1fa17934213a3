//! Opening clients for scripts.

use std::sync::Arc;

use redis_manager_command::RedisCommandClient;
use redis_manager_core::{
    ClientOptions, ClientType, Error, ErrorKind, OpenRedisClient, RedisBasicClient, Result,
    ScriptHandle, wait,
};
use redis_manager_pubsub::RedisPubSubClient;

use super::RedisManager;
use crate::open_target::Target;
use crate::{AnyClient, OpenTarget};

impl RedisManager {
    /// Opens a client of the kind `C` for `script`, blocking the thread. `target` is a
    /// [`RedisUri`](crate::RedisUri), a URI as text, a host and a port, with a password if need be, or [`named`](crate::named): a server
    /// of the manager's configuration, with the options that it has there.
    ///
    /// # Errors
    ///
    /// All or nothing: of a failed opening nothing is left, and nothing that was open is disturbed.
    ///
    /// - [`InvalidUri`](crate::ErrorKind::InvalidUri): `target` is not allowed; the error says where.
    /// - [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the configuration has no server of that name.
    /// - [`Connect`](crate::ErrorKind::Connect), [`Authentication`](crate::ErrorKind::Authentication),
    ///   [`Protocol`](crate::ErrorKind::Protocol), [`Server`](crate::ErrorKind::Server),
    ///   [`Timeout`](crate::ErrorKind::Timeout): with the address and the cause, within the option
    ///   `connect_timeout`.
    /// - [`Unsupported`](crate::ErrorKind::Unsupported): a TLS URI without the feature `tls`.
    /// - [`ScriptUnloaded`](crate::ErrorKind::ScriptUnloaded): the script is, or was meanwhile, unloaded.
    /// - [`ScriptConflict`](crate::ErrorKind::ScriptConflict): the script is another manager's.
    pub fn open<C>(&self, script: &ScriptHandle, target: impl OpenTarget) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        wait(self.open_async(script, target))?
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with<C>(
        &self,
        script: &ScriptHandle,
        target: impl OpenTarget,
        options: ClientOptions,
    ) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        wait(self.open_with_async(script, target, options))?
    }

    /// The asynchronous twin of [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn open_async<C>(&self, script: &ScriptHandle, target: impl OpenTarget) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.open_any(script, target, None).await
    }

    /// The asynchronous twin of [`open_with`](Self::open_with). Dropping the future before it completes
    /// opens nothing.
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn open_with_async<C>(
        &self,
        script: &ScriptHandle,
        target: impl OpenTarget,
        options: ClientOptions,
    ) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.open_any(script, target, Some(options)).await
    }

    /// Opens a client whose kind is a value, blocking the thread; otherwise as [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_redis_client(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
        target: impl OpenTarget,
    ) -> Result<AnyClient> {
        wait(self.open_redis_client_async(script, client_type, target))?
    }

    /// As [`open_redis_client`](Self::open_redis_client), with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_redis_client_with(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
        target: impl OpenTarget,
        options: ClientOptions,
    ) -> Result<AnyClient> {
        wait(self.open_redis_client_with_async(script, client_type, target, options))?
    }

    /// The asynchronous twin of [`open_redis_client`](Self::open_redis_client).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn open_redis_client_async(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
        target: impl OpenTarget,
    ) -> Result<AnyClient> {
        self.open_by_type(script, client_type, target, None).await
    }

    /// The asynchronous twin of [`open_redis_client_with`](Self::open_redis_client_with).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn open_redis_client_with_async(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
        target: impl OpenTarget,
        options: ClientOptions,
    ) -> Result<AnyClient> {
        let options = Some(options);
        self.open_by_type(script, client_type, target, options)
            .await
    }

    async fn open_by_type(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
        target: impl OpenTarget,
        options: Option<ClientOptions>,
    ) -> Result<AnyClient> {
        Ok(match client_type {
            ClientType::Basic => {
                let client = self.open_any::<RedisBasicClient>(script, target, options);
                client.await?.into()
            }
            ClientType::Command => {
                let client = self.open_any::<RedisCommandClient>(script, target, options);
                client.await?.into()
            }
            ClientType::PubSub => {
                let client = self.open_any::<RedisPubSubClient>(script, target, options);
                client.await?.into()
            }
        })
    }

    /// `options`: `None` means those of the target.
    async fn open_any<C>(
        &self,
        script: &ScriptHandle,
        target: impl OpenTarget,
        options: Option<ClientOptions>,
    ) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        let target = target.open_target(self)?;
        self.open_found(script, target, options).await
    }

    /// Opens on the I/O runtime as a whole, so that an opening makes progress, and hears of an
    /// unloading, even if the caller does not poll.
    async fn open_found<C>(
        &self,
        script: &ScriptHandle,
        target: Target,
        options: Option<ClientOptions>,
    ) -> Result<C>
    where
        C: OpenRedisClient + Into<AnyClient>,
    {
        self.0.registry.lock().check(script)?;
        let (owner, manager) = (script.clone(), Arc::downgrade(&self.0));
        let resources = self.0.resources.clone();
        let opened = self
            .0
            .resources
            .run_cancellable(async move {
                let _pass = owner.gate().pass()?;
                let gate = owner.gate();
                let (uri, options) = tokio::select! {
                    biased;
                    () = gate.shut_async() => return Err(gate.refusal()),
                    prepared = target.prepare(C::CLIENT_TYPE, options) => prepared?,
                };
                let client = C::open_async(&owner, uri, options, &resources).await?;
                let added = match manager.upgrade() {
                    Some(manager) => manager.registry.lock().add(&owner, client.clone().into()),
                    None => Err(owner.gate().refusal()),
                };
                if let Err(refused) = added {
                    client.close_async().await;
                    return Err(refused);
                }
                Ok(Unclaimed(Some(client)))
            })
            .await;
        opened?.claim()
    }
}

/// A client on its way to whoever asked for it. Dropped on the way, because nobody waits for it any more,
/// it is closed.
struct Unclaimed<C: OpenRedisClient>(Option<C>);

impl<C: OpenRedisClient> Unclaimed<C> {
    fn claim(mut self) -> Result<C> {
        self.0
            .take()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a client was claimed twice"))
    }
}

impl<C: OpenRedisClient> Drop for Unclaimed<C> {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            let resources = client.context().resources().clone();
            drop(resources.spawn(async move { client.close_async().await }));
        }
    }
}
