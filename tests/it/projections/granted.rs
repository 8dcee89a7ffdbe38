//! What the role of queries may read.

use crate::support::Installation;
use sqlx::{Executor, Row};

/// Tables without a tenant: hashes of commits, signed tree heads, how often public tools were rated with how many
/// stars, and where the index of search lies.
const OF_NO_TENANT: [&str; 4] = [
    "ledger.nodes",
    "metamcp.tree_heads",
    "reviews.public_totals",
    "search.index_table",
];

/// What has a tenant is under row-level security, as `every_table_with_a_tenant_is_under_row_level_security` says.
#[tokio::test]
async fn what_queries_read_has_a_tenant_or_belongs_to_none_and_is_read_only() {
    let installation = Installation::start().await;
    let mut connection = installation.app.database.connect().await.unwrap();
    let granted = "SELECT relations.oid::regclass::text,
                has_any_column_privilege('metamcp_query', relations.oid, 'INSERT, UPDATE')
                OR has_table_privilege('metamcp_query', relations.oid, 'DELETE, TRUNCATE'),
                relations.relkind IN ('r', 'p')
                AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = relations.oid
                            AND attname = 'tenant' AND NOT attisdropped)
         FROM pg_class relations JOIN pg_namespace schemas ON schemas.oid = relations.relnamespace
         WHERE relations.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND schemas.nspname NOT IN ('pg_catalog', 'information_schema')
           AND has_any_column_privilege('metamcp_query', relations.oid,
                                        'SELECT, INSERT, UPDATE, REFERENCES')
         ORDER BY 1";
    let granted = connection.fetch_all(granted).await.unwrap();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for row in &granted {
        let name: String = row.get(0);
        assert!(!row.get::<bool, _>(1), "queries may write {name}");
        let has_a_tenant: bool = row.get(2);
        let list = if has_a_tenant {
            &mut with
        } else {
            &mut without
        };
        list.push(name);
    }
    assert!(with.len() > 20, "{with:?}");
    assert_eq!(without, OF_NO_TENANT);
}
