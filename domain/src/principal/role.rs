//! What kinds of principals there are, and what roles they can hold.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! named {
    ($(#[$meta:meta])* pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $wire:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $( $(#[$vmeta])* #[serde(rename = $wire)] $variant, )+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The wire name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $wire, )+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    format!("`{text}` is unknown; use one of {}", all.join(", "))
                })
            }
        }
    };
}
pub(crate) use named;

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
