//! The tenant's rules.

use super::error::MAX_DISPLAY_NAME;
use super::{
    AfterSunset, TenantAfterSunsetSet, TenantCommand, TenantError, TenantEvent, TenantRegistered,
    TenantRenamed,
};
use crate::aggregate::AggregateRoot;
use crate::text::is_clean;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

/// A tenant, folded from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    display_name: Option<String>,
    after_sunset: Option<AfterSunset>,
}

impl Aggregate for Tenant {
    const TYPE: &'static str = "tenant";
    type Command = TenantCommand;
    type Event = TenantEvent;
    type Error = TenantError;
    type Services = ();

    async fn handle(
        &mut self,
        command: TenantCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TenantError> {
        let event = match command {
            TenantCommand::Register { display_name } => self.register(display_name)?,
            TenantCommand::Rename { display_name } => self.rename(display_name)?,
            TenantCommand::SetAfterSunset(rule) => self.set_after_sunset(rule)?,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: TenantEvent) {
        match event {
            TenantEvent::Registered(TenantRegistered { display_name })
            | TenantEvent::Renamed(TenantRenamed { display_name }) => {
                self.display_name = Some(display_name);
            }
            TenantEvent::AfterSunsetSet(event) => self.after_sunset = event.after_sunset,
        }
    }
}

impl AggregateRoot for Tenant {
    fn is_creation(command: &TenantCommand) -> bool {
        matches!(command, TenantCommand::Register { .. })
    }
}

impl Tenant {
    /// The name that people read; none before its registration.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// What it says of versions whose sunset has come; none to do as the installation does.
    #[must_use]
    pub fn after_sunset(&self) -> Option<AfterSunset> {
        self.after_sunset
    }

    fn register(&self, display_name: String) -> Result<TenantEvent, TenantError> {
        if self.display_name.is_some() {
            return Err(TenantError::AlreadyRegistered);
        }
        check_display_name(&display_name)?;
        Ok(TenantEvent::Registered(TenantRegistered { display_name }))
    }

    fn rename(&self, display_name: String) -> Result<TenantEvent, TenantError> {
        let current = self
            .display_name
            .as_ref()
            .ok_or(TenantError::NotRegistered)?;
        check_display_name(&display_name)?;
        if *current == display_name {
            return Err(TenantError::Unchanged);
        }
        Ok(TenantEvent::Renamed(TenantRenamed { display_name }))
    }

    fn set_after_sunset(
        &self,
        after_sunset: Option<AfterSunset>,
    ) -> Result<TenantEvent, TenantError> {
        if self.display_name.is_none() {
            return Err(TenantError::NotRegistered);
        }
        if self.after_sunset == after_sunset {
            return Err(TenantError::Unchanged);
        }
        Ok(TenantEvent::AfterSunsetSet(TenantAfterSunsetSet {
            after_sunset,
        }))
    }
}

fn check_display_name(name: &str) -> Result<(), TenantError> {
    let sound = (1..=MAX_DISPLAY_NAME).contains(&name.chars().count())
        && !name.trim().is_empty()
        && is_clean(name);
    if sound {
        Ok(())
    } else {
        Err(TenantError::InvalidDisplayName)
    }
}
