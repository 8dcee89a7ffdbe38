//! Somebody else's service: its address, as a person writes it, and a client that does not wait for ever.

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use std::time::Duration;

/// Bounds of one request.
const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(30);

/// A client with bounds. Where a redirection leads to another host, no token goes with it.
///
/// # Errors
/// When the system has no random numbers or no certificates.
pub(crate) fn client(redirections: Policy) -> reqwest::Result<Client> {
    Client::builder()
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .redirect(redirections)
        .user_agent(concat!("metamcp/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The address of a service whose API lies below it, with a `/` at its end. `api` are the last parts of the API's path,
/// outermost first, which may stand there or not. None for what is no address, and for one with a user, a password,
/// a query or a fragment: those may be secrets, and every message repeats the address.
pub(crate) fn base(address: &str, api: &[&str]) -> Option<Url> {
    let mut base = Url::parse(address).ok()?;
    let sound = matches!(base.scheme(), "http" | "https")
        && base.has_host()
        && base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    if !sound {
        return None;
    }
    let path = base.path().trim_end_matches('/');
    let path = api.iter().rev().fold(path, |path, part| {
        path.strip_suffix(part)
            .and_then(|path| path.strip_suffix('/'))
            .unwrap_or(path)
    });
    let path = format!("{path}/");
    base.set_path(&path);
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_api_may_be_there_or_not() {
        for (address, is) in [
            ("https://tools.example.org", "https://tools.example.org/"),
            (
                "https://tools.example.org/v0.1",
                "https://tools.example.org/",
            ),
            (
                "http://localhost:8080/below/v0.1/servers/",
                "http://localhost:8080/below/",
            ),
            (
                "https://tools.example.org/all-servers",
                "https://tools.example.org/all-servers/",
            ),
        ] {
            let found = base(address, &["v0.1", "servers"]);
            assert_eq!(found.as_ref().map(Url::as_str), Some(is), "{address}");
        }
    }

    #[test]
    fn an_address_that_may_hold_a_secret_is_none() {
        for address in [
            "tools.example.org",
            "ftp://tools.example.org",
            "https://me@tools.example.org",
            "https://:secret@tools.example.org",
            "https://tools.example.org/?token=secret",
            "https://tools.example.org/#secret",
        ] {
            assert_eq!(base(address, &[]), None, "{address}");
        }
    }
}
