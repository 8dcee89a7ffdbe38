//! One id for everything that one request causes: its commits and its denials carry it, and the answer
//! names it in the header `Correlation-Id`, so that whoever asks can find them in the audit log.
//!
//! It is the trace id of the caller's `traceparent` (W3C Trace Context, section 3.2), when there is one, so
//! that a distributed trace and the audit log find each other; else a fresh UUID. It names things and
//! permits nothing, so a caller may choose it.

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use domain::id::CorrelationId;
use uuid::Uuid;

/// The header of answers.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("correlation-id");
/// The header of requests.
const TRACEPARENT: &str = "traceparent";

/// The id for a request with these headers.
#[must_use]
pub fn choose(headers: &HeaderMap) -> CorrelationId {
    let traceparent = headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    CorrelationId(traceparent.and_then(trace_id).unwrap_or_else(Uuid::now_v7))
}

/// The id that was chosen for a request; a fresh one outside of the layer that does so.
#[must_use]
pub fn of(extensions: &Extensions) -> CorrelationId {
    let chosen = extensions.get::<CorrelationId>().copied();
    chosen.unwrap_or_else(|| CorrelationId(Uuid::now_v7()))
}

/// The id as the value of a header.
#[must_use]
pub fn header_value(id: CorrelationId) -> Option<HeaderValue> {
    HeaderValue::try_from(id.to_string()).ok()
}

/// `version-traceid-parentid-flags`, in lower-case hexadecimal; a trace id of zeros is none.
fn trace_id(traceparent: &str) -> Option<Uuid> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let lower_hex = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let sound = version.len() == 2 && version != "ff" && lower_hex(version);
    let sound = sound && trace.len() == 32 && lower_hex(trace) && parts.count() >= 2;
    let id = sound.then(|| Uuid::try_parse(trace).ok()).flatten()?;
    (!id.is_nil()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_of_the_caller_is_the_correlation() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let expected = Uuid::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(traceparent));
        assert_eq!(choose(&headers), CorrelationId(expected));
    }

    #[test]
    fn anything_else_is_given_a_fresh_one() {
        for bad in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-{af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
        let none = HeaderMap::new();
        assert_ne!(choose(&none), choose(&none));
    }
}
