//! Read model `access`: tenants with their rules, principals, their roles, and the policies on record. Authentication and authorization read it, so
//! its projector stops at a commit that it cannot apply instead of passing it over. It also is the
//! place that shows principals' personal fields in plain: erasing a person wipes them here and destroys the key, in
//! the transaction that moves the checkpoint.

mod grants;
mod past;
mod policies;
mod projector;
mod queries;
mod sunset;

pub use grants::{Grant, grants, grants_of};
pub use policies::{AdoptedPolicy, Adoption, adoptions, last_adoption_of, policy};
pub use projector::AccessProjector;
pub use queries::{
    Principal, Tenant, count_active_owners, count_active_owners_besides, principal, principals,
    principals_by_id, tenant,
};
pub use sunset::after_sunset;

/// The projector's name.
pub const NAME: &str = "access";
