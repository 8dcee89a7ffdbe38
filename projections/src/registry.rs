//! The list of projectors.

use crate::projector::Projector;
use crate::search::SearchProjector;
use crate::{
    access, archive, catalog, ledger, manifests, marketplace, publishers, reviews, taxonomy,
};
use std::sync::Arc;

/// Every projector of this build. `search` comes last: it reads what `catalog` wrote.
#[must_use]
pub fn projectors(search: SearchProjector) -> Vec<Arc<dyn Projector>> {
    let mut all = relational();
    all.push(Arc::new(search));
    all
}

/// The projectors whose rows are in Postgres alone.
#[must_use]
pub fn relational() -> Vec<Arc<dyn Projector>> {
    vec![
        Arc::new(access::AccessProjector),
        Arc::new(catalog::CatalogProjector),
        Arc::new(manifests::ManifestsProjector),
        Arc::new(archive::ArchiveProjector),
        Arc::new(ledger::LedgerProjector),
        Arc::new(publishers::PublishersProjector),
        Arc::new(taxonomy::TaxonomyProjector),
        Arc::new(reviews::ReviewsProjector),
        Arc::new(marketplace::MarketplaceProjector),
    ]
}

/// The names of all projectors.
pub const NAMES: [&str; 10] = [
    access::NAME,
    catalog::NAME,
    manifests::NAME,
    archive::NAME,
    ledger::NAME,
    publishers::NAME,
    taxonomy::NAME,
    reviews::NAME,
    marketplace::NAME,
    crate::search::NAME,
];
