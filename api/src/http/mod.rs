//! The routes that are neither GraphQL nor MCP: health, metrics, keys and metadata. All are open to
//! strangers and tell nothing of any tenant.

pub mod correlation;
pub mod health;
pub mod layers;
pub mod metrics;
pub mod well_known;
