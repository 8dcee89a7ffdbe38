//! Typed identifiers. An aggregate's id is derived from its natural key, so that two registrations of
//! one name race on one subject of the log and one of them loses: uniqueness without a second index.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// Bytes of the hash that an aggregate id keeps: 160 bits, 32 characters of base32.
const DERIVED_BYTES: usize = 20;

/// Longest tenant or server slug, in characters.
pub const MAX_SLUG: usize = 64;

/// The installation in the place of a tenant.
const INSTALLATION: &str = "_installation";

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` is not a valid {kind}: use 1 to {MAX_SLUG} lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
)]
pub struct InvalidId {
    /// What it should have been, such as `tenant`.
    pub kind: &'static str,
    /// What was given, shortened.
    pub value: String,
}

/// Checks a slug: lower-case letters, digits, hyphens, 1 to [`MAX_SLUG`] characters. The same rule
/// makes it safe as one token of a NATS subject.
///
/// # Errors
/// [`InvalidId`] that names the rule.
pub fn check_slug(kind: &'static str, value: &str) -> Result<(), InvalidId> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let sound = (1..=MAX_SLUG).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && edge(bytes.first())
        && edge(bytes.last());
    if sound {
        Ok(())
    } else {
        Err(InvalidId {
            kind,
            value: value.chars().take(80).collect(),
        })
    }
}

/// A tenant: the slug that stands in every subject, row, vector filter and token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TenantId {
    /// Takes a slug.
    ///
    /// # Errors
    /// [`InvalidId`] when the text is not a slug.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
        let value = value.into();
        check_slug("tenant", &value)?;
        Ok(Self(value))
    }

    /// Whose is what belongs to no tenant, such as the policy that all are judged by. It is no slug, so no
    /// tenant is ever called so, and no token names it; [`TenantId::new`] refuses it.
    #[must_use]
    pub fn installation() -> Self {
        Self(INSTALLATION.to_owned())
    }

    /// The slug.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was stored: a slug, or [`TenantId::installation`].
impl TryFrom<String> for TenantId {
    type Error = InvalidId;
    fn try_from(value: String) -> Result<Self, InvalidId> {
        if value == INSTALLATION {
            return Ok(Self(value));
        }
        Self::new(value)
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn derive(kind: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    for part in parts {
        hash.update([0]);
        hash.update(part.as_bytes());
    }
    BASE32_NOPAD
        .encode(&hash.finalize()[..DERIVED_BYTES])
        .to_ascii_lowercase()
}

macro_rules! derived_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text: 32 characters of lower-case base32.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes an id that was printed before.
            ///
            /// # Errors
            /// [`InvalidId`] when the text has not the shape of a derived id.
            pub fn parse(value: impl Into<String>) -> Result<Self, InvalidId> {
                let value = value.into();
                let sound = value.len() == 32
                    && value.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
                if sound {
                    Ok(Self(value))
                } else {
                    Err(InvalidId { kind: $kind, value: value.chars().take(80).collect() })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                Self::parse(value)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

derived_id!(
    /// A registered MCP server, derived from (tenant, slug).
    ServerId, "server id"
);
derived_id!(
    /// A tool, derived from (tenant, server slug, tool name).
    ToolId, "tool id"
);
derived_id!(
    /// A principal, derived from (tenant, handle).
    PrincipalId, "principal id"
);
derived_id!(
    /// A denial, derived from everything that its refusals have in common, their window included.
    DenialId, "denial id"
);
derived_id!(
    /// A publisher's namespace in a tenant, derived from (tenant, namespace).
    PublisherId, "publisher id"
);

derived_id!(
    /// The taxonomy of a tenant, derived from the tenant.
    TaxonomyId, "taxonomy id"
);
derived_id!(
    /// A review, derived from (tenant of its author, tool, tool version, author).
    ReviewId, "review id"
);

derived_id!(
    /// An installation, derived from (tenant, publisher, server slug, tool name).
    InstallationId, "installation id"
);

derived_id!(
    /// The policy of an installation.
    PolicyId, "policy id"
);

impl PolicyId {
    /// The id of the policy, the same in every installation.
    #[must_use]
    pub fn derive() -> Self {
        Self(derive("policy", &[INSTALLATION]))
    }
}

impl InstallationId {
    /// The id of the installation in `tenant` of the tool `name` of the server `server_slug` of `publisher`.
    #[must_use]
    pub fn derive(tenant: &TenantId, publisher: &TenantId, server_slug: &str, name: &str) -> Self {
        let parts = [tenant.as_str(), publisher.as_str(), server_slug, name];
        Self(derive("installation", &parts))
    }
}

impl ServerId {
    /// The id of the server `slug` of `tenant`.
    #[must_use]
    pub fn derive(tenant: &TenantId, slug: &str) -> Self {
        Self(derive("server", &[tenant.as_str(), slug]))
    }
}

impl ToolId {
    /// The id of the tool `name` of the server `server_slug` of `tenant`.
    #[must_use]
    pub fn derive(tenant: &TenantId, server_slug: &str, name: &str) -> Self {
        Self(derive("tool", &[tenant.as_str(), server_slug, name]))
    }
}

impl PrincipalId {
    /// The id of the principal `handle` of `tenant`.
    #[must_use]
    pub fn derive(tenant: &TenantId, handle: &str) -> Self {
        Self(derive("principal", &[tenant.as_str(), handle]))
    }
}

impl PublisherId {
    /// The id of `namespace` in `tenant`.
    #[must_use]
    pub fn derive(tenant: &TenantId, namespace: &str) -> Self {
        Self(derive("publisher", &[tenant.as_str(), namespace]))
    }
}

impl TaxonomyId {
    /// The id of the taxonomy of `tenant`.
    #[must_use]
    pub fn derive(tenant: &TenantId) -> Self {
        Self(derive("taxonomy", &[tenant.as_str()]))
    }
}

impl ReviewId {
    /// The id of the review that `author` of `tenant` writes of a version of a tool.
    #[must_use]
    pub fn derive(
        tenant: &TenantId,
        tool: &ToolId,
        tool_version: &semver::Version,
        author: &PrincipalId,
    ) -> Self {
        let version = tool_version.to_string();
        let parts = [tenant.as_str(), tool.as_str(), &version, author.as_str()];
        Self(derive("review", &parts))
    }
}

impl DenialId {
    /// The id of the denial of `tenant` with these parts.
    #[must_use]
    pub fn derive(tenant: &TenantId, parts: &[&str]) -> Self {
        let mut all = vec![tenant.as_str()];
        all.extend(parts);
        Self(derive("denial", &all))
    }
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A commit (UUID version 7, RFC 9562 section 5.7).
    CommitId
);
uuid_id!(
    /// One command of one caller; the same id sent twice is answered once.
    CommandId
);
uuid_id!(
    /// What belongs together: the commands that one request caused.
    CorrelationId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_subject_tokens() {
        for good in [
            "acme",
            "a",
            "0xbeedao-mcp-taskwarrior",
            &"x".repeat(MAX_SLUG),
        ] {
            assert!(TenantId::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Acme",
            "a.b",
            "a*",
            "a>",
            "a b",
            "-a",
            "a-",
            "ä",
            &"x".repeat(MAX_SLUG + 1),
        ] {
            assert!(TenantId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_installation_is_no_tenant_that_somebody_could_name() {
        let installation = TenantId::installation();
        assert!(TenantId::new(installation.as_str()).is_err());
        let stored = String::from(installation.clone());
        assert_eq!(TenantId::try_from(stored), Ok(installation));
    }

    #[test]
    fn derived_ids_separate_their_parts() {
        let tenant = TenantId::new("acme").unwrap();
        assert_ne!(
            ToolId::derive(&tenant, "a", "bc"),
            ToolId::derive(&tenant, "ab", "c")
        );
        assert_ne!(
            ServerId::derive(&tenant, "a").as_str(),
            PrincipalId::derive(&tenant, "a").as_str()
        );
        let id = ToolId::derive(&tenant, "git", "commit");
        assert_eq!(ToolId::parse(id.as_str()), Ok(id));
    }
}
