//! What a client needs for TLS before it opens.

use crate::connection_info::Material;
#[cfg(not(feature = "tls"))]
use crate::connection_info::without_tls;
use crate::{ClientOptions, ClientResources, Gate, RedisUri, Result};
#[cfg(feature = "tls")]
use crate::{Error, ErrorKind};

/// What is trusted and shown on connections to `uri`, as it is at this moment; `None` without TLS. Read within the option
/// `connect_timeout`, and for as long as `gate` is open.
///
/// # Errors
///
/// [`ErrorKind::InvalidOptions`] names the file that cannot be used, [`ErrorKind::Timeout`] the one that does not answer.
#[cfg(feature = "tls")]
pub(super) async fn material(
    gate: &Gate,
    uri: &RedisUri,
    options: &ClientOptions,
    resources: &ClientResources,
) -> Result<Option<Material>> {
    if !uri.is_tls() {
        return Ok(None);
    }
    let configs = resources.tls_configs();
    let files = configs.files(options.tls(), uri.verify_peer());
    let (time, address) = (options.connect_timeout(), uri.address());
    let reading = async move {
        let read = tokio::time::timeout(time, files.material()).await;
        read.unwrap_or_else(|_| {
            let file = files.awaited();
            let message =
                format!("no connection to {address} within {time:?}: {file} has not been read");
            Err(Error::new(ErrorKind::Timeout, message))
        })
    };
    tokio::select! {
        biased;
        () = gate.shut_async() => Err(gate.refusal()),
        read = resources.run_cancellable(reading) => read.map(Some),
    }
}

#[cfg(not(feature = "tls"))]
pub(super) async fn material(
    _: &Gate,
    uri: &RedisUri,
    _: &ClientOptions,
    _: &ClientResources,
) -> Result<Option<Material>> {
    match uri.is_tls() {
        true => Err(without_tls(&uri.address())),
        false => Ok(None),
    }
}

#[cfg(test)]
#[cfg(not(feature = "tls"))]
mod tests {
    use super::*;
    use crate::{ErrorKind, ScriptHandle, wait};

    #[test]
    fn without_the_feature_a_uri_with_tls_is_refused_by_its_name() {
        let uri = "rediss://h".parse().unwrap();
        let (options, script) = (ClientOptions::default(), ScriptHandle::new("s"));
        let resources = ClientResources::new().unwrap();
        let opening = material(script.gate(), &uri, &options, &resources);
        let Err(error) = wait(opening).unwrap() else {
            panic!("there is something");
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.message(),
            "h:6379: a TLS URI needs the feature `tls`, which is off"
        );
    }
}
