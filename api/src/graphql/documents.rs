//! Documents that were sent before. Clients send the same few again and again: each is read and parsed once,
//! and one without variables is checked and validated once, too.
//!
//! **Invariant.** What is remembered of a document is what would be found out again: it passed every check that
//! does not depend on the request, and is called valid only after the schema has executed it without an error.

use super::error::{parse_failed, refusal};
use super::handler::Operation;
use super::limits;
use crate::config::LimitsConfig;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response};
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of sources that are remembered.
const MEMORY: u64 = 1 << 20;
/// Longest source that is.
const LONGEST: usize = 16_384;

/// The documents that are remembered. Cheap to clone.
#[derive(Clone)]
pub(super) struct Documents(Cache<String, Arc<Document>>);

/// A document that passed every check of it alone.
pub(super) struct Document {
    parsed: ExecutableDocument,
    /// No operation has a variable, so every request with it passes and fails alike.
    is_constant: bool,
    is_valid: AtomicBool,
}

impl Documents {
    pub(super) fn new() -> Self {
        let weigh =
            |source: &String, _: &Arc<Document>| source.len().try_into().unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(MEMORY).weigher(weigh);
        Self(cache.build())
    }

    /// Checks a request against the limits, before anything of it is executed, and gives it its parsed document.
    pub(super) fn check(
        &self,
        request: &mut Request,
        limits: &LimitsConfig,
    ) -> Result<(Operation, Arc<Document>), Box<Response>> {
        let known = self.0.get(request.query.as_str());
        let (document, is_new) = match known {
            Some(document) => (document, false),
            None => (Arc::new(Document::read(&request.query)?), true),
        };
        if is_new || !document.is_constant {
            limits::check_document(&document.parsed, &request.variables, limits)
                .map_err(|error| Box::new(refusal(error)))?;
        }
        if is_new && request.query.len() <= LONGEST {
            self.0.insert(request.query.clone(), Arc::clone(&document));
        }
        let operation = Operation::of(&document.parsed, request.operation_name.as_deref());
        request.set_parsed_query(document.parsed.clone());
        Ok((operation, document))
    }
}

impl Document {
    fn read(source: &str) -> Result<Self, Box<Response>> {
        limits::check_source(source).map_err(|error| Box::new(refusal(error)))?;
        let parsed = parse_query(source);
        let parsed = parsed.map_err(|error| Box::new(parse_failed(error.into())))?;
        let mut operations = parsed.operations.iter();
        let is_constant = operations.all(|(_, one)| one.node.variable_definitions.is_empty());
        Ok(Self {
            parsed,
            is_constant,
            is_valid: AtomicBool::new(false),
        })
    }

    /// Whether the schema need not validate it again.
    pub(super) fn is_valid(&self) -> bool {
        self.is_valid.load(Ordering::Relaxed)
    }

    /// The schema has executed it, and found no error.
    pub(super) fn executed(&self) {
        if self.is_constant {
            self.is_valid.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(checked: Result<(Operation, Arc<Document>), Box<Response>>) -> Option<String> {
        let refused = checked.err()?;
        super::super::error::code(&refused.errors[0]).map(ToOwned::to_owned)
    }

    #[test]
    fn a_known_document_is_refused_for_its_variables_as_a_new_one() {
        let (documents, limits) = (Documents::new(), LimitsConfig::default());
        let source = "query($n: Int!) { tools(first: $n) { totalCount } }";
        let send = |first: usize| {
            let variables = async_graphql::Variables::from_json(serde_json::json!({ "n": first }));
            let mut request = Request::new(source).variables(variables);
            documents.check(&mut request, &limits)
        };
        let first = send(5).unwrap_or_else(|_| panic!("it is sound")).1;
        first.executed();
        assert!(!first.is_valid());
        let again = send(6).unwrap_or_else(|_| panic!("it is sound")).1;
        assert!(Arc::ptr_eq(&first, &again));
        let refused = code(send(limits.graphql_page + 1));
        assert_eq!(refused.as_deref(), Some("INVALID_PAGE_SIZE"));
    }

    #[test]
    fn only_what_passed_is_remembered() {
        let (documents, limits) = (Documents::new(), LimitsConfig::default());
        for (source, expected) in [
            ("{ tools(first: 500) { totalCount } }", "INVALID_PAGE_SIZE"),
            ("{ tools(", "GRAPHQL_PARSE_FAILED"),
        ] {
            for _ in 0..2 {
                let refused = code(documents.check(&mut Request::new(source), &limits));
                assert_eq!(refused.as_deref(), Some(expected));
            }
        }
        let constant = "{ viewer { handle } }";
        let check = || documents.check(&mut Request::new(constant), &limits);
        let document = check().unwrap_or_else(|_| panic!("it is sound")).1;
        assert!(!document.is_valid());
        document.executed();
        assert!(check().is_ok_and(|(_, known)| known.is_valid()));
    }
}
