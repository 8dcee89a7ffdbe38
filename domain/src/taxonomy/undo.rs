//! What takes an event of a taxonomy back.

use super::{Taxonomy, TaxonomyCommand, TaxonomyEvent};
use crate::undo::{Respect, Undo};

impl Undo for Taxonomy {
    fn respect(event: &TaxonomyEvent) -> Respect {
        Respect::Category(match event {
            TaxonomyEvent::CategoryAdded(event) => event.category.slug.clone(),
            TaxonomyEvent::CategoryDescribed(event) => event.category.slug.clone(),
            TaxonomyEvent::CategoryRetired(event) => event.slug.clone(),
        })
    }

    fn compensation(event: &TaxonomyEvent, before: &Self) -> Result<TaxonomyCommand, &'static str> {
        let earlier = |slug: &str| {
            let earlier = before.category(slug).cloned();
            earlier.ok_or("there was no such category before")
        };
        match event {
            TaxonomyEvent::CategoryAdded(event) => Ok(TaxonomyCommand::Retire {
                slug: event.category.slug.clone(),
                successor: None,
            }),
            TaxonomyEvent::CategoryDescribed(event) => {
                earlier(&event.category.slug).map(TaxonomyCommand::Describe)
            }
            TaxonomyEvent::CategoryRetired(event) => earlier(&event.slug).map(TaxonomyCommand::Add),
        }
    }
}
