//! From the errors of the parts below to the taxonomy. A failure of a part is logged here, once.

use super::{ApiError, TokenProblem};
use crate::authz::Denied;
use bus::{BusError, DispatchError, UndoError};
use domain::aggregate::Rejection;
use domain::principal::PrincipalError;
use projections::QueryError;
use projections::VaultError;
use projections::search::{LanguageError, SearchError};

impl<E: Rejection> From<DispatchError<E>> for ApiError {
    fn from(error: DispatchError<E>) -> Self {
        match error {
            DispatchError::Rejected(rejection) if rejection.is_not_found() => Self::NotFound,
            DispatchError::Rejected(rejection) => {
                let (code, message) = (rejection.code(), rejection.to_string());
                match rejection.details() {
                    Some(details) => Self::RejectedWith {
                        code,
                        message,
                        details: details.into(),
                    },
                    None => Self::Rejected { code, message },
                }
            }
            DispatchError::Conflict => Self::Conflict,
            DispatchError::CommandIdReused => Self::Rejected {
                code: "COMMAND_ID_REUSED",
                message: "this command id was used for another command; choose a fresh one".into(),
            },
            DispatchError::Bus(error) => error.into(),
        }
    }
}

impl<E: Rejection> From<UndoError<E>> for ApiError {
    fn from(error: UndoError<E>) -> Self {
        match error {
            UndoError::NotUndone(refusal) => DispatchError::Rejected(refusal).into(),
            UndoError::Dispatch(error) => error.into(),
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Erased => DispatchError::Rejected(PrincipalError::Erased).into(),
            VaultError::Database(_) => Self::unavailable("the vault", &error),
            VaultError::Io { .. }
            | VaultError::TooOpen { .. }
            | VaultError::NotAKey { .. }
            | VaultError::KeyMissing { .. }
            | VaultError::NoKey { .. }
            | VaultError::NoFolder
            | VaultError::Altered { .. }
            | VaultError::KeyAltered { .. }
            | VaultError::Crypto => Self::internal(&error),
        }
    }
}

impl From<BusError> for ApiError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::TooLarge => Self::Invalid {
                code: Self::TOO_LARGE,
                message: error.to_string(),
            },
            // What the domain bounds does not come so far: the last barrier before the log.
            BusError::NotCanonical(_) => Self::Invalid {
                code: "NOT_CANONICAL",
                message: error.to_string(),
            },
            _ if error.is_unavailable() => Self::unavailable("the event log", &error),
            _ => Self::internal(&error),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Unavailable(_) => Self::unavailable("the read model", &error),
            QueryError::Behind {
                projector,
                position,
                wanted,
            } => Self::Unavailable {
                message: format!(
                    "the read model `{projector}` is at position {position} of {wanted}; retry later"
                ),
            },
            QueryError::InvalidCursor => Self::Invalid {
                code: "INVALID_CURSOR",
                message: "the cursor is not one that this list has given".into(),
            },
            QueryError::Corrupt(_) => Self::internal(&error),
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::EmptyQuery => Self::Invalid {
                code: "EMPTY_QUERY",
                message: error.to_string(),
            },
            SearchError::Query(_) => Self::Invalid {
                code: "INVALID_SEARCH_QUERY",
                message: error.to_string(),
            },
            SearchError::InvalidCursor => Self::Invalid {
                code: "INVALID_CURSOR",
                message: error.to_string(),
            },
            SearchError::CursorExpired => Self::Invalid {
                code: "CURSOR_EXPIRED",
                message: error.to_string(),
            },
            SearchError::Lance(_) | SearchError::Unnamed(_) => {
                Self::unavailable("the search index", &error)
            }
            SearchError::Embed(ref inner) if inner.is_temporary() => {
                Self::unavailable("the embedder", &error)
            }
            SearchError::Embed(_)
            | SearchError::OtherModel { .. }
            | SearchError::OtherLayout { .. }
            | SearchError::Damaged(_)
            | SearchError::File { .. } => Self::internal(&error),
        }
    }
}

impl From<LanguageError> for ApiError {
    fn from(error: LanguageError) -> Self {
        SearchError::from(error).into()
    }
}

impl From<TokenProblem> for ApiError {
    fn from(problem: TokenProblem) -> Self {
        Self::Unauthenticated(problem)
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        if denied.hidden {
            Self::NotFound
        } else {
            Self::Forbidden {
                message: denied.to_string(),
            }
        }
    }
}
