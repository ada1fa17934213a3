//! The targets that an open call takes.

use super::RedisUri;
use crate::Result;

/// What can be opened: a [`RedisUri`], a URI as text, or host, port and password.
///
/// ```
/// use redis_manager_core::{IntoRedisUri, RedisUri};
///
/// let expected = RedisUri::parse("redis://:secret@localhost:6379")?;
/// assert_eq!("redis://:secret@localhost".into_redis_uri()?, expected);
/// assert_eq!(("localhost", 6379, "secret").into_redis_uri()?, expected);
/// assert_eq!(("localhost", 6379, Some("secret")).into_redis_uri()?, expected);
/// assert_eq!(("localhost", 6379).into_redis_uri()?.password(), None);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub trait IntoRedisUri {
    /// Makes the URI.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`](crate::ErrorKind::InvalidUri), as of [`RedisUri::parse`] for text and of
    /// [`RedisUriBuilder::build`](super::RedisUriBuilder::build) for host, port and password.
    fn into_redis_uri(self) -> Result<RedisUri>;
}

impl IntoRedisUri for RedisUri {
    fn into_redis_uri(self) -> Result<RedisUri> {
        Ok(self)
    }
}

impl IntoRedisUri for &RedisUri {
    fn into_redis_uri(self) -> Result<RedisUri> {
        Ok(self.clone())
    }
}

impl IntoRedisUri for &str {
    fn into_redis_uri(self) -> Result<RedisUri> {
        RedisUri::parse(self)
    }
}

impl IntoRedisUri for String {
    fn into_redis_uri(self) -> Result<RedisUri> {
        RedisUri::parse(&self)
    }
}

impl IntoRedisUri for &String {
    fn into_redis_uri(self) -> Result<RedisUri> {
        RedisUri::parse(self)
    }
}

/// Host and port.
impl<H: Into<String>> IntoRedisUri for (H, u16) {
    fn into_redis_uri(self) -> Result<RedisUri> {
        let (host, port) = self;
        RedisUri::builder().host(host).port(port).build()
    }
}

/// Host, port and password; an empty password means none.
impl<H: Into<String>> IntoRedisUri for (H, u16, &str) {
    fn into_redis_uri(self) -> Result<RedisUri> {
        let (host, port, password) = self;
        RedisUri::builder()
            .host(host)
            .port(port)
            .password(password)
            .build()
    }
}

/// Host, port and password.
impl<H: Into<String>> IntoRedisUri for (H, u16, &String) {
    fn into_redis_uri(self) -> Result<RedisUri> {
        let (host, port, password) = self;
        (host, port, password.as_str()).into_redis_uri()
    }
}

/// Host, port and password.
impl<H: Into<String>> IntoRedisUri for (H, u16, String) {
    fn into_redis_uri(self) -> Result<RedisUri> {
        let (host, port, password) = self;
        (host, port, password.as_str()).into_redis_uri()
    }
}

/// Host, port and maybe a password.
impl<H: Into<String>> IntoRedisUri for (H, u16, Option<&str>) {
    fn into_redis_uri(self) -> Result<RedisUri> {
        let (host, port, password) = self;
        (host, port, password.unwrap_or_default()).into_redis_uri()
    }
}
