//! Personal fields: what names a person, and how an event carries it.
//!
//! An event never holds such a text in plain. It is sealed outside the domain, which has neither keys nor
//! randomness, under a key of the one person (the subject). When that key is destroyed, nobody can read
//! the text again, and every byte and hash of the log stays as it was. See `docs/privacy.md`.

use crate::id::{PrincipalId, TenantId};
use crate::named::named;
use crate::principal::PrincipalEvent;
use crate::registry::AnyEvent;
use crate::review::ReviewEvent;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

named! {
    /// Which field; the name is part of what a seal is bound to.
    pub enum PersonalField {
        /// The name that a person is known by in its tenant.
        Handle = "handle",
        /// The name that people read.
        DisplayName = "display_name",
        /// An address of electronic mail.
        Email = "email",
        /// What a person wrote in a review.
        ReviewText = "review_text",
        /// Why a person objects to the hiding of a review.
        Appeal = "appeal",
    }
}

/// A sealed text: readable with its subject's key, and only in the place it was sealed for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl Sealed {
    /// Takes what a sealing made.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sealed text, which says nothing without its key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that may name a person. In a stored event `plain` means that it does not, or that the event is
/// older than sealing; a projector that may see personal fields is given the open ones as `plain`, and
/// those whose key is gone as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// Readable.
    Plain(String),
    /// Readable with the subject's key.
    Sealed(Sealed),
}

impl Personal {
    /// The text, when it can be read.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Sealed(_) => None,
        }
    }
}

/// The personal fields of an event.
#[derive(Debug)]
pub struct PersonalFields<'e> {
    /// The id of the principal whose they are: the subject.
    pub subject: String,
    /// Each with its value.
    pub fields: Vec<(PersonalField, &'e mut Personal)>,
}

impl AnyEvent {
    /// The personal fields of an event of this aggregate; none when it carries none.
    pub fn personal_fields(&mut self, aggregate_id: &str) -> Option<PersonalFields<'_>> {
        let (subject, fields) = match self {
            Self::Principal(PrincipalEvent::Registered(event)) => {
                let others = [
                    (PersonalField::DisplayName, event.display_name.as_mut()),
                    (PersonalField::Email, event.email.as_mut()),
                ];
                let mut fields = vec![(PersonalField::Handle, &mut event.handle)];
                fields.extend(given(others));
                (aggregate_id, fields)
            }
            Self::Principal(PrincipalEvent::Described(event)) => {
                let fields = [
                    (PersonalField::DisplayName, event.display_name.as_mut()),
                    (PersonalField::Email, event.email.as_mut()),
                ];
                (aggregate_id, given(fields).collect())
            }
            Self::Review(ReviewEvent::Written(event)) => {
                let text = [(PersonalField::ReviewText, event.text.as_mut())];
                (event.author.as_str(), given(text).collect())
            }
            Self::Review(ReviewEvent::Revised(event)) => {
                let text = [(PersonalField::ReviewText, event.text.as_mut())];
                (event.author.as_str(), given(text).collect())
            }
            Self::Review(ReviewEvent::Appealed(event)) => {
                let text = [(PersonalField::Appeal, event.text.as_mut())];
                (event.author.as_str(), given(text).collect())
            }
            Self::Principal(
                PrincipalEvent::RoleGranted(_)
                | PrincipalEvent::RoleRevoked(_)
                | PrincipalEvent::TeamJoined(_)
                | PrincipalEvent::TeamLeft(_)
                | PrincipalEvent::Deactivated(_)
                | PrincipalEvent::Reactivated(_)
                | PrincipalEvent::TokensRevoked(_)
                | PrincipalEvent::Erased(_),
            )
            | Self::Review(
                ReviewEvent::Withdrawn(_)
                | ReviewEvent::Hidden(_)
                | ReviewEvent::Restored(_)
                | ReviewEvent::AppealDecided(_),
            )
            | Self::Tenant(_)
            | Self::Server(_)
            | Self::Tool(_)
            | Self::Publisher(_)
            | Self::Installation(_)
            | Self::Denial(_)
            | Self::Policy(_)
            | Self::Taxonomy(_) => return None,
        };
        let subject = subject.to_owned();
        Some(PersonalFields { subject, fields })
    }
}

fn given<'e, const N: usize>(
    fields: [(PersonalField, Option<&'e mut Personal>); N],
) -> impl Iterator<Item = (PersonalField, &'e mut Personal)> {
    let present = |(field, value): (_, Option<&'e mut Personal>)| Some((field, value?));
    fields.into_iter().filter_map(present)
}

/// What stands in place of a handle that cannot be read. No handle has a colon, so this is none that
/// somebody could register.
#[must_use]
pub fn erased_handle(subject: &str) -> String {
    format!("{ERASED}{subject}")
}

/// What stands before the id of a principal whose handle cannot be read.
const ERASED: &str = "erased:";

impl PrincipalId {
    /// The principal of `tenant` that a name means: a handle, or what [`erased_handle`] shows in place of one.
    #[must_use]
    pub fn named(tenant: &TenantId, name: &str) -> Self {
        let shown = name.strip_prefix(ERASED).map(Self::parse);
        match shown {
            Some(Ok(id)) => id,
            Some(Err(_)) | None => Self::derive(tenant, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::erased_handle;
    use crate::envelope::StoredEvent;
    use crate::id::{PrincipalId, TenantId};
    use crate::registry::{decode, wire_forms};

    /// A sealed value that nobody looks for would stay unreadable, and would survive its subject in exports.
    #[test]
    fn every_sealed_value_of_every_event_is_named() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/events");
        for (name, version) in wire_forms() {
            let text = std::fs::read_to_string(folder.join(format!("{name}.v{version}.json")));
            let text = text.unwrap();
            let sealed = text.matches("\"sealed\"").count();
            let mut event = decode(&serde_json::from_str::<StoredEvent>(&text).unwrap()).unwrap();
            let found = event.personal_fields("id");
            let named = found.map_or(0, |found| {
                let fields = found.fields.iter();
                fields.filter(|(_, value)| value.plain().is_none()).count()
            });
            assert_eq!(named, sealed, "{name}");
        }
    }
    #[test]
    fn a_principal_is_named_by_its_handle_and_by_what_is_shown_in_place_of_it() {
        let tenant = TenantId::new("acme").unwrap();
        let ada = PrincipalId::derive(&tenant, "ada");
        assert_eq!(PrincipalId::named(&tenant, "ada"), ada);
        let shown = erased_handle(ada.as_str());
        assert_eq!(PrincipalId::named(&tenant, &shown), ada);
        for other in ["erased:", "erased:ada", ada.as_str()] {
            assert_ne!(PrincipalId::named(&tenant, other), ada, "{other}");
        }
    }
}
