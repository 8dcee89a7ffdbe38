//! The taxonomy's rules.

use super::near::near;
use super::{
    Category, CategoryAdded, CategoryDescribed, CategoryRetired, TaxonomyCommand, TaxonomyError,
    TaxonomyEvent,
};
use crate::aggregate::AggregateRoot;
use crate::id::check_slug;
use crate::text::is_clean;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most categories, retired ones included: each command loads and checks all of them.
pub const MAX_CATEGORIES: usize = 1_000;
/// Longest title, in characters.
const MAX_TITLE: usize = 200;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 4_000;

/// A tenant's taxonomy, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taxonomy {
    categories: BTreeMap<String, Standing>,
}

/// A category and whether it is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    category: Category,
    retired: bool,
    successor: Option<String>,
}

impl Aggregate for Taxonomy {
    const TYPE: &'static str = "taxonomy";
    type Command = TaxonomyCommand;
    type Event = TaxonomyEvent;
    type Error = TaxonomyError;
    type Services = ();

    async fn handle(
        &mut self,
        command: TaxonomyCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TaxonomyError> {
        let event = self.decide(command)?;
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: TaxonomyEvent) {
        match event {
            TaxonomyEvent::CategoryAdded(CategoryAdded { category }) => {
                let slug = category.slug.clone();
                let standing = Standing {
                    category,
                    retired: false,
                    successor: None,
                };
                self.categories.insert(slug, standing);
            }
            TaxonomyEvent::CategoryDescribed(CategoryDescribed { category }) => {
                if let Some(standing) = self.categories.get_mut(&category.slug) {
                    standing.category = category;
                }
            }
            TaxonomyEvent::CategoryRetired(CategoryRetired { slug, successor }) => {
                if let Some(standing) = self.categories.get_mut(&slug) {
                    standing.retired = true;
                    standing.successor = successor;
                }
            }
        }
    }
}

impl AggregateRoot for Taxonomy {
    /// Whether a taxonomy begins or goes on, a command cannot tell.
    fn is_creation(_: &TaxonomyCommand) -> bool {
        false
    }
}

impl Taxonomy {
    /// Whether only its own categories are accepted.
    #[must_use]
    pub fn is_controlled(&self) -> bool {
        !self.categories.is_empty()
    }

    /// That a server or a tool may be given this category: one in use, or any word while the taxonomy has
    /// none.
    ///
    /// # Errors
    /// [`TaxonomyError::NotFound`] or [`TaxonomyError::Retired`].
    pub fn check(&self, slug: &str) -> Result<(), TaxonomyError> {
        if self.is_controlled() {
            self.in_use(slug).map(|_| ())
        } else {
            Ok(())
        }
    }

    /// The taxonomy as it would be after these commands; what is refused changes nothing.
    #[must_use]
    pub fn after(mut self, commands: &[TaxonomyCommand]) -> Self {
        for command in commands {
            if let Ok(event) = self.decide(command.clone()) {
                self.apply(event);
            }
        }
        self
    }

    fn decide(&self, command: TaxonomyCommand) -> Result<TaxonomyEvent, TaxonomyError> {
        match command {
            TaxonomyCommand::Add(category) => self.add(category),
            TaxonomyCommand::Describe(category) => self.describe(category),
            TaxonomyCommand::Retire { slug, successor } => self.retire(slug, successor),
        }
    }

    /// The categories in use, by slug.
    pub fn in_use_all(&self) -> impl Iterator<Item = &Category> {
        let in_use = self
            .categories
            .values()
            .filter(|standing| !standing.retired);
        in_use.map(|standing| &standing.category)
    }

    /// A category, in use or retired.
    #[must_use]
    pub fn category(&self, slug: &str) -> Option<&Category> {
        self.categories.get(slug).map(|standing| &standing.category)
    }

    fn add(&self, category: Category) -> Result<TaxonomyEvent, TaxonomyError> {
        category.check()?;
        match self.categories.get(&category.slug) {
            Some(Standing { retired: false, .. }) => {
                let Category { slug, .. } = category;
                return Err(TaxonomyError::Exists { slug });
            }
            None if self.categories.len() >= MAX_CATEGORIES => return Err(TaxonomyError::Full),
            Some(_) | None => {}
        }
        self.check_parent(&category)?;
        Ok(TaxonomyEvent::CategoryAdded(CategoryAdded { category }))
    }

    fn describe(&self, category: Category) -> Result<TaxonomyEvent, TaxonomyError> {
        let current = self.in_use(&category.slug)?;
        category.check()?;
        self.check_parent(&category)?;
        if *current == category {
            return Err(TaxonomyError::Unchanged);
        }
        let described = CategoryDescribed { category };
        Ok(TaxonomyEvent::CategoryDescribed(described))
    }

    fn retire(
        &self,
        slug: String,
        successor: Option<String>,
    ) -> Result<TaxonomyEvent, TaxonomyError> {
        self.in_use(&slug)?;
        let mut others = self.categories.values().filter(|other| !other.retired);
        let part = others.find(|other| other.category.parent.as_ref() == Some(&slug));
        if let Some(part) = part {
            let part = part.category.slug.clone();
            return Err(TaxonomyError::HasParts { slug, part });
        }
        match &successor {
            Some(successor) if *successor == slug => {
                return Err(TaxonomyError::OwnSuccessor { slug });
            }
            Some(successor) => drop(self.in_use(successor)?),
            None => {}
        }
        let retired = CategoryRetired { slug, successor };
        Ok(TaxonomyEvent::CategoryRetired(retired))
    }

    /// A category that servers and tools may be given.
    fn in_use(&self, slug: &str) -> Result<&Category, TaxonomyError> {
        match self.categories.get(slug) {
            Some(standing) if !standing.retired => Ok(&standing.category),
            Some(standing) => Err(TaxonomyError::Retired {
                slug: slug.to_owned(),
                successor: standing.successor.clone(),
            }),
            None => {
                let in_use = self.categories.values().filter(|other| !other.retired);
                let slugs = in_use.map(|other| other.category.slug.as_str());
                Err(TaxonomyError::NotFound {
                    slug: slug.chars().take(80).collect(),
                    near: near(slug, slugs),
                })
            }
        }
    }

    /// That the parent is in use, and that going up from it never meets the category.
    fn check_parent(&self, category: &Category) -> Result<(), TaxonomyError> {
        let Some(parent) = &category.parent else {
            return Ok(());
        };
        self.in_use(parent)?;
        let mut next = Some(parent);
        while let Some(slug) = next {
            if *slug == category.slug {
                return Err(TaxonomyError::Circle {
                    slug: category.slug.clone(),
                    parent: parent.clone(),
                });
            }
            next = self.category(slug).and_then(|above| above.parent.as_ref());
        }
        Ok(())
    }
}

impl Category {
    fn check(&self) -> Result<(), TaxonomyError> {
        check_slug("category", &self.slug)?;
        check_text("title", &self.title, 1, MAX_TITLE)?;
        check_text("description", &self.description, 0, MAX_DESCRIPTION)
    }
}

fn check_text(
    field: &'static str,
    text: &str,
    least: usize,
    most: usize,
) -> Result<(), TaxonomyError> {
    let found = text.chars().count();
    if least > 0 && text.trim().is_empty() {
        Err(TaxonomyError::Missing { field })
    } else if found > most {
        Err(TaxonomyError::TooLong { field, most, found })
    } else if is_clean(text) {
        Ok(())
    } else {
        Err(TaxonomyError::HiddenCharacters { field })
    }
}
