//! The categories that the lines may name: one look at the taxonomy for a run, not for each line.

use super::Cause;
use super::report::{Outcome, Reason};
use super::run::Import;
use super::send::{Loaded, Registers};
use domain::Rejection;
use domain::id::TaxonomyId;
use domain::taxonomy::{Category, Taxonomy, TaxonomyCommand, TaxonomyError};

/// The taxonomy as this run knows it, and how many categories it has added.
#[derive(Debug, Default)]
pub(super) struct Categories {
    taxonomy: Taxonomy,
    pub(super) added: u64,
}

impl Registers for Taxonomy {
    fn is_already_registered(error: &TaxonomyError) -> bool {
        matches!(error, TaxonomyError::Exists { .. })
    }

    /// A category that is there stays as it is said.
    fn compare(&self, _: &TaxonomyCommand) -> Option<Reason> {
        None
    }
}

impl Import<'_> {
    /// Looks at the taxonomy. False when asked to stop meanwhile.
    pub(super) async fn learn_categories(&self) -> Result<bool, Cause> {
        let id = TaxonomyId::derive(self.tenant);
        let Loaded::Found(found) = self.load::<Taxonomy>(id.as_str()).await? else {
            return Ok(false);
        };
        self.categories.lock().await.taxonomy = found.unwrap_or_default();
        Ok(true)
    }

    /// That a line may name its category, which is added first where the run adds categories. None when
    /// asked to stop meanwhile.
    pub(super) async fn check_category(
        &self,
        category: Option<&str>,
    ) -> Result<Option<Result<(), Reason>>, Cause> {
        let Some(slug) = category else {
            return Ok(Some(Ok(())));
        };
        let mut known = self.categories.lock().await;
        let adds = self.adds_to(&known.taxonomy) && known.taxonomy.category(slug).is_none();
        if !adds {
            let refused = |error: TaxonomyError| Reason::new(error.code(), error.to_string());
            return Ok(Some(known.taxonomy.check(slug).map_err(refused)));
        }
        let id = TaxonomyId::derive(self.tenant);
        let command = TaxonomyCommand::Add(named_by(slug));
        match self.register::<Taxonomy>(id.as_str(), command).await? {
            Outcome::Registered(_) => known.added += 1,
            Outcome::AlreadyThere(_) => {}
            Outcome::Rejected(reason) => return Ok(Some(Err(reason))),
            Outcome::Abandoned => return Ok(None),
        }
        let Loaded::Found(found) = self.load::<Taxonomy>(id.as_str()).await? else {
            return Ok(None);
        };
        known.taxonomy = found.unwrap_or_default();
        Ok(Some(Ok(())))
    }

    /// A tenant that has no taxonomy is not given one unasked: it would be held to it from then on.
    fn adds_to(&self, taxonomy: &Taxonomy) -> bool {
        let options = self.options;
        options.add_categories && (options.begin_taxonomy || taxonomy.is_controlled())
    }
}

/// A category of which nothing but its slug is known: `developer-tools` is called "Developer tools".
fn named_by(slug: &str) -> Category {
    let words = slug.replace('-', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    Category {
        slug: slug.to_owned(),
        title: first.into_iter().chain(letters).collect(),
        description: String::new(),
        parent: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_slug() {
        assert_eq!(named_by("developer-tools").title, "Developer tools");
        assert_eq!(named_by("").title, "");
    }
}
