//! DNS questions, through a stub resolver.

use super::ProofError;
use crate::config::PublishersConfig;
use dns::base::iana::Rcode;
use dns::base::{Message, Name, Rtype};
use dns::rdata::{A, Aaaa, Txt};
use dns::resolv::stub::StubResolver;
use dns::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use std::net::IpAddr;
use std::time::Duration;

/// Most records of one answer that are read.
const MAX_ANSWERS: usize = 100;

/// Asks DNS.
pub(super) struct Dns {
    resolver: StubResolver,
    timeout: Duration,
}

impl Dns {
    pub(super) fn new(config: &PublishersConfig) -> Self {
        let servers = config.servers();
        let mut conf = match servers.is_empty() {
            true => ResolvConf::default(),
            false => ResolvConf::new(),
        };
        let servers = servers.into_iter();
        conf.servers
            .extend(servers.map(|server| ServerConf::new(server, Transport::UdpTcp)));
        conf.finalize();
        conf.options.timeout = config.dns_timeout;
        Self {
            resolver: StubResolver::from_conf(conf),
            timeout: config.dns_timeout,
        }
    }

    /// The texts of a domain's TXT records, the strings of each joined; none when there is no such domain.
    pub(super) async fn texts(&self, domain: &str) -> Result<Vec<String>, ProofError> {
        let Some(answer) = self.ask(domain, Rtype::TXT).await? else {
            return Ok(Vec::new());
        };
        let section = answer
            .answer()
            .map_err(|error| unreachable(domain, &error))?;
        let records = section.limit_to::<Txt<_>>().take(MAX_ANSWERS).flatten();
        Ok(records
            .map(|record| {
                let text: Vec<u8> = record.data().iter().flatten().copied().collect();
                String::from_utf8_lossy(&text).into_owned()
            })
            .collect())
    }

    /// The addresses of a host; none when there is no such host.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ProofError> {
        let (four, six) = tokio::try_join!(self.ask(host, Rtype::A), self.ask(host, Rtype::AAAA))?;
        let mut found = Vec::new();
        if let Some(answer) = four {
            let section = answer.answer().map_err(|error| unreachable(host, &error))?;
            let records = section.limit_to::<A>().take(MAX_ANSWERS).flatten();
            found.extend(records.map(|record| IpAddr::V4(record.data().addr())));
        }
        if let Some(answer) = six {
            let section = answer.answer().map_err(|error| unreachable(host, &error))?;
            let records = section.limit_to::<Aaaa>().take(MAX_ANSWERS).flatten();
            found.extend(records.map(|record| IpAddr::V6(record.data().addr())));
        }
        Ok(found)
    }

    /// An answer; none when the name does not exist.
    async fn ask(
        &self,
        domain: &str,
        rtype: Rtype,
    ) -> Result<Option<Message<bytes::Bytes>>, ProofError> {
        let name = Name::vec_from_str(domain).map_err(|error| unreachable(domain, &error))?;
        let answer = tokio::time::timeout(self.timeout, self.resolver.query((name, rtype)))
            .await
            .map_err(|_| unreachable(domain, &"DNS did not answer in time"))?
            .map_err(|error| unreachable(domain, &error))?;
        match answer.header().rcode() {
            Rcode::NOERROR => Ok(Some(answer.into_message())),
            Rcode::NXDOMAIN => Ok(None),
            other => Err(unreachable(domain, &format!("DNS answers {other}"))),
        }
    }
}

fn unreachable(domain: &str, why: &dyn std::fmt::Display) -> ProofError {
    ProofError::Unreachable {
        place: format!("the DNS of {domain}"),
        why: why.to_string(),
    }
}
