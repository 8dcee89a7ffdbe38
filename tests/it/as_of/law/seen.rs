//! What the registry's queries answer at a moment, all of it.

use domain::tool::ToolDefinition;
use projections::access;
use projections::catalog::{self, Order, ServerFilter, Sort, ToolFilter};
use projections::{Moment, PageRequest, Sight, TenantConnection};
use semver::Version;
use std::collections::BTreeMap;

/// Rows of a page, so few that most lists have several.
const PAGE: usize = 2;

/// All that the registry's queries answer.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    servers: Vec<catalog::Server>,
    tools: Vec<catalog::Tool>,
    listed: (i64, i64),
    below: BTreeMap<String, Vec<String>>,
    counts: BTreeMap<String, i64>,
    versions: BTreeMap<String, Vec<catalog::ToolVersion>>,
    paged: BTreeMap<String, Vec<Version>>,
    definitions: BTreeMap<(String, Version), ToolDefinition>,
    principals: Vec<access::Principal>,
    grants: Vec<access::Grant>,
    grants_of: Vec<access::Grant>,
}

pub(super) async fn look(mut reads: TenantConnection) -> Seen {
    let reads = &mut reads;
    let filter = ToolFilter {
        sight: Sight::Everything,
        ..ToolFilter::default()
    };
    let all_servers = ServerFilter::default();
    let (mut servers, mut tools) = (Vec::new(), Vec::new());
    for (by, descending) in [(Order::Name, false), (Order::UpdatedAt, true)] {
        let sort = Sort { by, descending };
        servers.extend(
            pages(async |page| catalog::servers(reads, &all_servers, sort, &page).await).await,
        );
        tools.extend(pages(async |page| catalog::tools(reads, &filter, sort, &page).await).await);
    }
    // An object remembers its moment; apart from that it must be the same.
    servers
        .iter_mut()
        .for_each(|server| server.moment = Moment::Now);
    tools.iter_mut().for_each(|tool| tool.moment = Moment::Now);
    let server_ids: Vec<_> = servers.iter().map(|server| server.id.clone()).collect();
    let tool_ids: Vec<_> = tools.iter().map(|tool| tool.id.clone()).collect();
    let seen = &Sight::Everything;
    let below = catalog::tools_by_server(reads, &server_ids, seen, PAGE)
        .await
        .unwrap();
    let names = |page: projections::Page<catalog::Tool>| {
        let tools = page.items.into_iter();
        tools.map(|item| item.node.name).collect::<Vec<_>>()
    };
    let counts = catalog::tool_counts(reads, &server_ids, seen)
        .await
        .unwrap();
    let versions = catalog::versions_by_tool(reads, &tool_ids, seen)
        .await
        .unwrap();
    let named = |row: &catalog::ToolVersion| (row.tool_id.clone(), row.tool_version.clone());
    let numbers: Vec<_> = versions.values().flatten().map(named).collect();
    let definitions = catalog::definitions(reads, &numbers).await.unwrap();
    let mut paged = BTreeMap::new();
    for id in &tool_ids {
        let rows = pages(async |page| {
            let ids = std::slice::from_ref(id);
            let mut found = catalog::version_pages(reads, ids, seen, &page).await?;
            let nothing = projections::Page {
                items: Vec::new(),
                has_next: false,
            };
            Ok(found.remove(id).unwrap_or(nothing))
        });
        let rows = rows.await.into_iter().map(|row| row.tool_version).collect();
        paged.insert(id.to_string(), rows);
    }
    let listed = (
        catalog::count_servers(reads, &all_servers).await.unwrap(),
        catalog::count_tools(reads, &filter).await.unwrap(),
    );
    let principals = pages(async |page| access::principals(reads, None, &page).await).await;
    let grants = pages(async |page| access::grants(reads, &page).await).await;
    let mut grants_of = Vec::new();
    for principal in &principals {
        grants_of.extend(access::grants_of(reads, &principal.id).await.unwrap());
    }
    Seen {
        servers,
        tools,
        listed,
        below: below
            .into_iter()
            .map(|(id, page)| (id.into(), names(page)))
            .collect(),
        counts: counts
            .into_iter()
            .map(|(id, count)| (id.into(), count))
            .collect(),
        versions: versions
            .into_iter()
            .map(|(id, all)| (id.into(), all))
            .collect(),
        paged,
        definitions: definitions
            .into_iter()
            .map(|((id, version), definition)| ((id.into(), version), definition))
            .collect(),
        principals,
        grants,
        grants_of,
    }
}

/// A whole list, page by page.
async fn pages<T>(
    mut page: impl AsyncFnMut(PageRequest) -> Result<projections::Page<T>, projections::QueryError>,
) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let next = page(PageRequest { first: PAGE, after }).await.unwrap();
        after = next.items.last().map(|item| item.cursor.clone());
        all.extend(next.items.into_iter().map(|item| item.node));
        if !next.has_next {
            return all;
        }
    }
}
