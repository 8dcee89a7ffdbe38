//! The well-known file of a domain's web server.

use super::ProofError;
use super::address::is_public;
use super::dns::Dns;
use crate::config::PublishersConfig;
use crate::error::chain;
use crate::fetch::bounded;
use reqwest::{Client, StatusCode, redirect};
use std::net::SocketAddr;

/// Where it stands on the server.
pub(super) const PATH: &str = "/.well-known/mcp-registry-auth";
/// Its largest size, in bytes.
const MAX_BODY: usize = 4_096;

/// The text of the file; none when there is no such host or file.
///
/// The address is looked up and checked here and then held to, so that a second answer of DNS cannot lead
/// the request elsewhere.
pub(super) async fn fetch(
    config: &PublishersConfig,
    dns: &Dns,
    domain: &str,
) -> Result<Vec<String>, ProofError> {
    let addresses = dns.addresses(domain).await?;
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let refused = addresses.iter().find(|address| !is_public(**address));
    if let (Some(address), false) = (refused, config.allow_private_addresses) {
        return Err(ProofError::AddressRefused {
            domain: domain.to_owned(),
            address: *address,
        });
    }
    let scheme = if config.insecure_http {
        "http"
    } else {
        "https"
    };
    let port = config.well_known_port;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let url = format!("{scheme}://{domain}{port}{PATH}");
    let told = |error: reqwest::Error| unreachable(&url, chain(&error.without_url()));
    // Port 0 stands for the one of the address.
    let pinned: Vec<_> = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, 0))
        .collect();
    let client = Client::builder()
        .resolve_to_addrs(domain, &pinned)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(config.http_timeout)
        .build()
        .map_err(told)?;
    let request = client.get(&url).header("accept", "text/plain");
    let response = request.send().await.map_err(told)?;
    match response.status() {
        StatusCode::OK => match bounded(response, MAX_BODY).await.map_err(told)? {
            Some(body) => Ok(vec![String::from_utf8_lossy(&body).into_owned()]),
            None => Err(unreachable(
                &url,
                format!("it is larger than {MAX_BODY} bytes"),
            )),
        },
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Vec::new()),
        other if other.is_redirection() => Err(unreachable(
            &url,
            format!("it answers {other}, and redirects are not followed"),
        )),
        other => Err(unreachable(&url, format!("it answers {other}"))),
    }
}

fn unreachable(url: &str, why: impl Into<String>) -> ProofError {
    ProofError::Unreachable {
        place: url.to_owned(),
        why: why.into(),
    }
}
