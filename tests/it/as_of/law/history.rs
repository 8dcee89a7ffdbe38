//! Random histories: commands of two tenants, sent to a real log.

use super::tenants;
use bus::{CommandContext, DispatchError, Dispatcher, Log};
use chrono::{DateTime, TimeDelta};
use domain::AggregateRoot;
use domain::envelope::Actor;
use domain::id::{PrincipalId, ServerId, TenantId, ToolId};
use domain::principal::{
    Principal, PrincipalCommand, PrincipalKind, RegisterPrincipal, Role, SealedFields,
};
use domain::server::{RegisterServer, Server, ServerCommand, ServerProfile};
use domain::team::Team;
use domain::tool::{
    Alias, Deprecation, PublishToolVersion, RegisterTool, Tool, ToolCommand, ToolDefinition,
    ToolProfile, Visibility,
};
use projections::Recorded;
use proptest::prelude::*;
use semver::Version;
use std::fmt::Debug;
use std::sync::Arc;

/// A command: of which tenant, what, to whom, and how far off the clock of its process is.
#[derive(Debug, Clone)]
pub(super) struct Step {
    tenant: u8,
    command: u8,
    object: u8,
    detail: u8,
    skew_millis: i64,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..2u8, 0..23u8, 0..2u8, 0..3u8, -40..40i64);
    let step = step.prop_map(|(tenant, command, object, detail, skew_millis)| Step {
        tenant,
        command,
        object,
        detail,
        skew_millis,
    });
    prop::collection::vec(step, 40..80)
}

/// Sends the commands and reads back what was decided. What the domain refuses is no part of the history.
pub(super) async fn write(log: &Log, steps: &[Step]) -> Vec<Recorded> {
    let dispatcher = Dispatcher::new(log.clone());
    let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    for (number, step) in steps.iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        let now = begin + TimeDelta::milliseconds(10 * number + step.skew_millis);
        let tenant = tenants()[usize::from(step.tenant)].clone();
        let mut context = CommandContext::new(tenant, Actor::system("test"));
        context.now = now;
        send(&dispatcher, &context, step, number.unsigned_abs()).await;
    }
    let head = log.head().await.unwrap();
    let (mut history, mut reader) = (Vec::new(), log.read_from(1).await.unwrap());
    while u64::try_from(history.len()).unwrap() < head {
        for entry in reader.next_batch(100).await.unwrap() {
            history.push(Recorded::decode(&entry).unwrap());
        }
    }
    history
}

async fn send(to: &Dispatcher, context: &CommandContext, step: &Step, number: u64) {
    let (server, name) = (
        format!("server-{}", step.object),
        format!("tool_{}", step.detail),
    );
    let handle = format!("principal-{}", step.object);
    let tenant = &context.tenant;
    match step.command {
        0..=3 | 14 => {
            let profile = ServerProfile {
                name: format!("name {}", number % 3),
                ..ServerProfile::default()
            };
            let command = match step.command {
                0 | 1 => ServerCommand::Register(RegisterServer {
                    slug: server.clone(),
                    profile,
                }),
                2 => ServerCommand::Describe(profile),
                14 => ServerCommand::Restore,
                _ => ServerCommand::Retire {
                    reason: String::new(),
                },
            };
            let id = ServerId::derive(tenant, &server);
            dispatch::<Server>(to, context, id.as_str(), command).await;
        }
        4..=8 | 15.. => {
            let id = ToolId::derive(tenant, &server, &name);
            let command = tool_command(tenant, step.command, (server, name), number);
            dispatch::<Tool>(to, context, id.as_str(), command).await;
        }
        _ => {
            let role = [Role::Agent, Role::Publisher, Role::Admin][usize::from(step.detail)];
            let command = match step.command {
                9 => PrincipalCommand::Register(RegisterPrincipal {
                    // Not a person, so nothing is sealed and no vault is needed.
                    kind: PrincipalKind::Service,
                    handle: handle.clone(),
                    roles: vec![role],
                    display_name: None,
                    email: None,
                    sealed: SealedFields::default(),
                }),
                10 => PrincipalCommand::GrantRole(role),
                11 => PrincipalCommand::RevokeRole(role),
                12 if step.detail == 0 => PrincipalCommand::Reactivate,
                12 => PrincipalCommand::Deactivate,
                13 if step.detail == 0 => PrincipalCommand::JoinTeam(team()),
                13 if step.detail == 1 => PrincipalCommand::LeaveTeam(team()),
                _ => PrincipalCommand::RevokeTokens {
                    issued_before: context.now,
                },
            };
            let id = PrincipalId::derive(tenant, &handle);
            dispatch::<Principal>(to, context, id.as_str(), command).await;
        }
    }
}

fn team() -> Team {
    Team::new("payments").unwrap()
}

fn tool_command(
    tenant: &TenantId,
    command: u8,
    (server, name): (String, String),
    number: u64,
) -> ToolCommand {
    let definition = Arc::new(ToolDefinition {
        description: format!("does {number}"),
        input_schema: Some(serde_json::json!({ "type": "object", "title": number })),
        output_schema: None,
        annotations: number
            .is_multiple_of(2)
            .then(|| serde_json::json!({ "readOnlyHint": true })),
    });
    let visibility = match number % 2 {
        0 => Visibility::Tenant,
        _ => Visibility::Private,
    };
    let profile = ToolProfile {
        visibility,
        team: number.is_multiple_of(3).then(team),
        ..ToolProfile::default()
    };
    match command {
        4 | 5 => ToolCommand::Register(Box::new(RegisterTool {
            server_id: ServerId::derive(tenant, &server),
            server,
            name,
            profile,
            tool_version: Version::new(1, 0, 0),
            definition,
        })),
        6 => ToolCommand::Describe(profile),
        7 => ToolCommand::PublishVersion(Box::new(PublishToolVersion {
            tool_version: tool_version(number),
            definition,
        })),
        15.. => version_command(command, number),
        _ => ToolCommand::Retire {
            reason: String::new(),
        },
    }
}

/// One of five versions, so that most are published again, marked more than once, or absent.
fn tool_version(number: u64) -> Version {
    match number % 5 {
        0 => Version::parse("3.0.0-rc.1").unwrap(),
        minor => Version::new(2, minor - 1, 0),
    }
}

fn version_command(command: u8, number: u64) -> ToolCommand {
    let tool_version = match number % 3 {
        0 => Version::new(1, 0, 0),
        _ => tool_version(number),
    };
    let alias = Alias::new(["stable", "beta"][usize::from(number.is_multiple_of(2))]).unwrap();
    let some = number.is_multiple_of(2).then(|| tool_version.clone());
    match command {
        15 => ToolCommand::MoveAlias {
            alias,
            to: tool_version,
        },
        16 => ToolCommand::RollbackAlias { alias },
        17 => ToolCommand::RemoveAlias { alias },
        18 => ToolCommand::Deprecate {
            tool_version: some,
            deprecation: Deprecation {
                message: format!("says {number}"),
                successor: None,
                sunset: None,
            },
        },
        19 => ToolCommand::Undeprecate { tool_version: some },
        20 => ToolCommand::YankVersion {
            tool_version,
            reason: String::new(),
        },
        21 => ToolCommand::UnyankVersion { tool_version },
        _ => ToolCommand::Restore,
    }
}

async fn dispatch<A>(to: &Dispatcher, context: &CommandContext, id: &str, command: A::Command)
where
    A: AggregateRoot,
    A::Error: Debug,
{
    match to.dispatch::<A>(context, id, command).await {
        Ok(_) | Err(DispatchError::Rejected(_)) => {}
        Err(error) => panic!("{error:?}"),
    }
}
