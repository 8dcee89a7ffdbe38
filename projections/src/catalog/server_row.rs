//! The row of a server.

use super::past::Dated;
use chrono::{DateTime, Utc};
use domain::server::ServerProfile;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ServerRow {
    pub(super) tenant: String,
    pub(super) server_id: String,
    pub(super) slug: String,
    #[serde(flatten)]
    pub(super) profile: ServerProfile,
    pub(super) status: String,
    pub(super) retired_reason: Option<String>,
    pub(super) registered_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) valid_from: i64,
}

impl Dated for ServerRow {
    fn valid_from(&mut self) -> &mut i64 {
        &mut self.valid_from
    }
}
