//! TLS: whom a client trusts, what it shows, and what a failure means.

mod client_config;
mod configs;
mod failure;
mod files;
mod material;
mod reading;
mod system_roots;
mod verifier;

pub(crate) use configs::TlsConfigs;
pub(crate) use failure::{explain, is_from_tls};
pub(crate) use files::TlsFiles;
pub(crate) use material::Material;
