//! What kinds of principals there are, and what roles they can hold.

use crate::named::named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

named! {
    /// What a principal is.
    pub enum PrincipalKind {
        /// A person.
        User = "user",
        /// An AI agent.
        Agent = "agent",
        /// Another program.
        Service = "service",
    }
}

named! {
    /// What a principal may do; the rules themselves are the Polar policies of `api/policy`.
    pub enum Role {
        /// Everything, owners included.
        Owner = "owner",
        /// Everything but owners.
        Admin = "admin",
        /// Registers and changes servers and tools.
        Publisher = "publisher",
        /// Finds and calls tools.
        Agent = "agent",
        /// Reads everything, changes nothing.
        Auditor = "auditor",
    }
}

impl PrincipalKind {
    /// The kind of actor that this principal is in a commit.
    #[must_use]
    pub fn actor_kind(self) -> crate::envelope::ActorKind {
        match self {
            Self::User => crate::envelope::ActorKind::User,
            Self::Agent => crate::envelope::ActorKind::Agent,
            Self::Service => crate::envelope::ActorKind::Service,
        }
    }
}
