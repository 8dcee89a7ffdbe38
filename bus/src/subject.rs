//! Where a commit lies in the log: `<root>.<tenant>.<aggregate>.<id>`.

use domain::id::TenantId;

/// The root of every subject of the log, unless a test names another.
pub const DEFAULT_ROOT: &str = "metamcp.event";

/// The subject of one aggregate. Every part is a safe token: a tenant is a slug, an aggregate's type is
/// a constant, an id is a slug or base32.
#[must_use]
pub fn of_aggregate(root: &str, tenant: &TenantId, aggregate: &str, id: &str) -> String {
    format!("{root}.{tenant}.{aggregate}.{id}")
}

/// Every subject of the log.
#[must_use]
pub fn everything(root: &str) -> String {
    format!("{root}.>")
}
