//! What takes an event of a tenant back.

use super::{Tenant, TenantCommand, TenantEvent};
use crate::undo::{Respect, Undo};

impl Undo for Tenant {
    fn respect(event: &TenantEvent) -> Respect {
        match event {
            TenantEvent::Registered(_) => Respect::Life,
            TenantEvent::Renamed(_) => Respect::Profile,
            TenantEvent::AfterSunsetSet(_) => Respect::AfterSunset,
        }
    }

    fn compensation(event: &TenantEvent, before: &Self) -> Result<TenantCommand, &'static str> {
        match event {
            TenantEvent::Renamed(_) => before
                .display_name()
                .map(|name| TenantCommand::Rename {
                    display_name: name.to_owned(),
                })
                .ok_or("the tenant had no name before"),
            TenantEvent::AfterSunsetSet(_) => {
                Ok(TenantCommand::SetAfterSunset(before.after_sunset()))
            }
            TenantEvent::Registered(_) => Err("a tenant stays registered"),
        }
    }
}
