//! The wire form of events: `{"type": "tool.registered", "version": 1, "data": {…}}`.

use crate::envelope::CommitEvent;
use cqrs_es::DomainEvent;
use serde_json::Value;

/// An event that knows its wire form. Implemented by the `wire_events!` macro only.
pub trait WireEvent: DomainEvent + CommitEvent + 'static {
    /// Every `(type, current version)` of this enum, in declaration order.
    const WIRE_FORMS: &'static [(&'static str, u16)];

    /// The constant wire name, such as `tool.version_published`.
    fn wire_type(&self) -> &'static str;

    /// The version of the wire form that this build writes.
    fn wire_version(&self) -> u16;

    /// The `data` member.
    fn to_data(&self) -> Value;

    /// Reads the current wire form. Older forms go through the upcasters first, see
    /// [`registry::decode`](crate::registry::decode).
    ///
    /// # Errors
    /// [`DecodeError`] when the type is not of this enum or the data do not fit it.
    fn from_data(wire_type: &str, data: &Value) -> Result<Self, DecodeError>;
}

/// Why a stored event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A wire name that this build does not know: most likely written by a newer one.
    #[error("unknown event type `{wire_type}`; a newer version of MetaMCP may have written it")]
    UnknownType {
        /// The name found.
        wire_type: String,
    },
    /// A version above the one that this build writes, or one for which the upcaster is gone.
    #[error("event `{wire_type}` has version {found}; this build reads up to {current}")]
    UnknownVersion {
        /// The name found.
        wire_type: String,
        /// The version found.
        found: u16,
        /// The version that this build writes.
        current: u16,
    },
    /// The data do not fit the declared shape.
    #[error("the data of event `{wire_type}` do not fit its shape")]
    Data {
        /// The name found.
        wire_type: String,
        /// What serde says.
        #[source]
        source: serde_json::Error,
    },
}

/// Declares an aggregate's events: the enum, its wire names and its versions, each stated once.
macro_rules! wire_events {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident($payload:ty) = $wire:literal v $version:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name { $( $(#[$vmeta])* $variant($payload), )+ }

        impl $crate::event::WireEvent for $name {
            const WIRE_FORMS: &'static [(&'static str, u16)] = &[ $( ($wire, $version), )+ ];

            fn wire_type(&self) -> &'static str {
                match self { $( Self::$variant(_) => $wire, )+ }
            }

            fn wire_version(&self) -> u16 {
                match self { $( Self::$variant(_) => $version, )+ }
            }

            fn to_data(&self) -> serde_json::Value {
                let data = match self { $( Self::$variant(payload) => serde_json::to_value(payload), )+ };
                // Payloads are plain structs with string keys, for which serialisation cannot fail.
                data.unwrap_or(serde_json::Value::Null)
            }

            fn from_data(wire_type: &str, data: &serde_json::Value) -> Result<Self, $crate::event::DecodeError> {
                match wire_type {
                    $( $wire => <$payload as serde::Deserialize>::deserialize(data).map(Self::$variant).map_err(|source| {
                        $crate::event::DecodeError::Data { wire_type: wire_type.to_owned(), source }
                    }), )+
                    _ => Err($crate::event::DecodeError::UnknownType { wire_type: wire_type.to_owned() }),
                }
            }
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                $crate::event::WireEvent::wire_type(self).to_owned()
            }

            fn event_version(&self) -> String {
                $crate::event::WireEvent::wire_version(self).to_string()
            }
        }

        impl $crate::envelope::CommitEvent for $name {
            fn canonical(commit: &$crate::envelope::Commit<Self>) -> Result<Vec<u8>, serde_json::Error> {
                $crate::canonical::to_vec(commit)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let mut stored = serializer.serialize_struct("StoredEvent", 3)?;
                stored.serialize_field("type", $crate::event::WireEvent::wire_type(self))?;
                stored.serialize_field("version", &$crate::event::WireEvent::wire_version(self))?;
                match self { $( Self::$variant(payload) => stored.serialize_field("data", payload)?, )+ }
                stored.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let stored = <$crate::envelope::StoredEvent as serde::Deserialize>::deserialize(deserializer)?;
                $crate::registry::decode_as::<Self>(&stored).map_err(serde::de::Error::custom)
            }
        }
    };
}
