//! The threads, in a configuration.

use redis_manager_core::{ClientResources, ClientResourcesBuilder};
use serde::{Deserialize, Serialize};

/// The threads under all clients, in a configuration; each has the default of
/// [`ClientResourcesBuilder`](crate::ClientResourcesBuilder).
///
/// ```
/// use redis_manager::ResourcesConfig;
///
/// let read: ResourcesConfig = serde_json::from_str(r#"{"callback_threads": 8, "statistics": true}"#)?;
/// let resources = read.builder().io_threads(1).build();
/// # assert!(resources.is_ok());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResourcesConfig {
    io_threads: Option<usize>,
    callback_threads: Option<usize>,
    statistics: bool,
}

impl ResourcesConfig {
    /// Sets how many threads drive I/O, at least 1. Default 2.
    #[must_use]
    pub fn with_io_threads(mut self, threads: usize) -> Self {
        self.io_threads = Some(threads);
        self
    }

    /// Sets how many synchronous callbacks may run at the same time, at least 1. Default 16.
    #[must_use]
    pub fn with_callback_threads(mut self, threads: usize) -> Self {
        self.callback_threads = Some(threads);
        self
    }

    /// Sets whether each client's calls are counted for the snapshot. Default false.
    #[must_use]
    pub fn with_statistics(mut self, statistics: bool) -> Self {
        self.statistics = statistics;
        self
    }

    /// Begins resources like this, for a host that adds what stands in no file, and gives them to
    /// [`from_config_with_resources`](crate::RedisManager::from_config_with_resources).
    pub fn builder(&self) -> ClientResourcesBuilder {
        let mut builder = ClientResources::builder().statistics(self.statistics);
        if let Some(threads) = self.io_threads {
            builder = builder.io_threads(threads);
        }
        if let Some(threads) = self.callback_threads {
            builder = builder.callback_threads(threads);
        }
        builder
    }
}
