//! What a tenant has installed, and its principals, as they are.

use super::observed::PAGE;
use super::{Observed, ObservedPrincipal, PrincipalSpec};
use domain::principal::{PrincipalKind, Role};
use projections::{PageRequest, TenantConnection, access, marketplace};

impl Observed {
    pub(super) async fn read_installations(
        &mut self,
        connection: &mut TenantConnection,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let request = PageRequest { first: PAGE, after };
            let page = marketplace::installations(connection, &request).await?;
            after = page.items.last().map(|item| item.cursor.clone());
            let rows = page.items.into_iter().map(|item| item.node);
            self.installations
                .extend(rows.map(|row| (row.tool, row.range)));
            if !page.has_next {
                return Ok(());
            }
        }
    }

    /// Persons are counted and not named: what is personal is in no file.
    pub(super) async fn read_principals(
        &mut self,
        connection: &mut TenantConnection,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let request = PageRequest { first: PAGE, after };
            let page = access::principals(connection, None, &request).await?;
            after = page.items.last().map(|item| item.cursor.clone());
            for row in page.items.into_iter().map(|item| item.node) {
                let (kind, roles, teams) = (row.kind, row.roles, row.teams);
                if kind == PrincipalKind::User {
                    self.owners += usize::from(row.active && roles.contains(&Role::Owner));
                } else if row.erased_at.is_none() {
                    let principal = ObservedPrincipal {
                        spec: PrincipalSpec { kind, roles, teams },
                        active: row.active,
                    };
                    self.principals.insert(row.handle, principal);
                }
            }
            if !page.has_next {
                return Ok(());
            }
        }
    }
}
