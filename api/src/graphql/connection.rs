//! Pages (the GraphQL Cursor Connections specification), made from the pages of the read model.

use super::enums::{Direction, OrderField};
use super::session::Session;
use crate::error::ApiError;
use async_graphql::connection::{Connection, Edge};
use async_graphql::{InputObject, ObjectType, OutputType};
use projections::catalog::Sort;
use projections::{Page, PageRequest};

/// Items of a page when the query does not say.
pub(super) const DEFAULT_FIRST: i32 = 20;

/// A page whose cursors are the read model's, with fields of its own beside the edges.
pub(super) type PageOf<Node, Fields> = Connection<String, Node, Fields>;

/// How a list of servers or tools is sorted.
#[derive(Debug, Clone, Copy, InputObject)]
#[graphql(name = "Order")]
pub(super) struct OrderInput {
    /// By what.
    field: OrderField,
    /// In which direction.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

impl OrderInput {
    /// The order that was asked for, or by name.
    pub(super) fn sort(order: Option<Self>) -> Sort {
        let order = order.unwrap_or(Self {
            field: OrderField::Name,
            direction: Direction::Asc,
        });
        Sort {
            by: order.field.into(),
            descending: order.direction == Direction::Desc,
        }
    }
}

/// The complexity of a list: its own, and that of each item that it may answer.
pub(super) fn cost(first: i32, child: usize) -> usize {
    let items = usize::try_from(first).unwrap_or(0);
    child.saturating_mul(items).saturating_add(1)
}

/// The page that a query asks for.
///
/// # Errors
/// [`ApiError::Invalid`] when it is too long.
pub(super) fn page_request(
    session: &Session,
    first: i32,
    after: Option<String>,
) -> Result<PageRequest, ApiError> {
    let first = super::limits::check_first(first.into(), &session.state.config.limits)?;
    Ok(PageRequest { first, after })
}

/// A text to filter by, without white space around it and without characters that nothing registered
/// holds (Postgres cannot even compare with some of them). An empty text filters nothing.
pub(super) fn filter_text(text: Option<String>) -> Option<String> {
    text.map(|text| domain::text::clean(&text).text)
        .filter(|text| !text.is_empty())
}

/// Makes a connection of a page. `continues` says that it does not begin at the list's beginning.
pub(super) fn connection<Row, Node, Fields>(
    page: Page<Row>,
    continues: bool,
    fields: Fields,
    node: impl Fn(Row) -> Node,
) -> PageOf<Node, Fields>
where
    Node: OutputType,
    Fields: ObjectType,
{
    let mut connection = Connection::with_additional_fields(continues, page.has_next, fields);
    let edges = page
        .items
        .into_iter()
        .map(|item| Edge::new(item.cursor, node(item.node)));
    connection.edges.extend(edges);
    connection
}

#[cfg(test)]
mod tests {
    use super::*;
    use projections::Item;

    #[test]
    fn a_list_costs_its_items() {
        assert_eq!(cost(20, 3), 61);
        assert_eq!(cost(-5, 3), 1);
        assert_eq!(cost(i32::MAX, usize::MAX), usize::MAX);
    }

    #[test]
    fn the_order_is_by_name_unless_said_otherwise() {
        let sort = OrderInput::sort(None);
        assert!(matches!(sort.by, projections::catalog::Order::Name) && !sort.descending);
        let newest = OrderInput {
            field: OrderField::RegisteredAt,
            direction: Direction::Desc,
        };
        let sort = OrderInput::sort(Some(newest));
        assert!(matches!(sort.by, projections::catalog::Order::RegisteredAt) && sort.descending);
    }

    #[test]
    fn filters_are_cleaned() {
        assert_eq!(filter_text(Some(" g\0it ".into())).as_deref(), Some("git"));
        assert_eq!(filter_text(Some(" ".into())), None);
        assert_eq!(filter_text(None), None);
    }

    #[test]
    fn cursors_pass_through_unchanged() {
        let items = vec![Item {
            cursor: "opaque".to_owned(),
            node: 7,
        }];
        let page = Page {
            items,
            has_next: true,
        };
        let made = connection(
            page,
            true,
            async_graphql::connection::EmptyFields,
            |n: i32| n + 1,
        );
        assert!(made.has_next_page && made.has_previous_page);
        assert_eq!(
            (made.edges[0].cursor.as_str(), made.edges[0].node),
            ("opaque", 8)
        );
    }
}
