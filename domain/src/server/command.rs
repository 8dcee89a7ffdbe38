//! What can be asked of a server.

use super::ServerProfile;

/// A command to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCommand {
    /// Begin the server.
    Register(RegisterServer),
    /// Say something else of it; the whole profile is replaced.
    Describe(ServerProfile),
    /// Take it and its tools out of use.
    Retire {
        /// Why, for those who used it; may be empty.
        reason: String,
    },
    /// Take it into use again, and with it the tools that went out of use with it.
    Restore,
}

/// Begin a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterServer {
    /// Its name in its tenant, which never changes.
    pub slug: String,
    /// What is said of it.
    pub profile: ServerProfile,
}
