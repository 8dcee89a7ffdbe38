//! A plan that changes who owns a tenant leaves it an owner, whatever has happened since it was made.

use super::{World, actor};
use crate::support::PATIENCE;
use bus::CommandContext;
use domain::id::{PrincipalId, TenantId};
use domain::principal::{Principal, PrincipalCommand, PrincipalKind, Role};
use metamcp::plan::{PrincipalSpec, RegistrySpec};

/// Services of these handles, owners or without a role.
fn services(services: &[(&str, bool)]) -> RegistrySpec {
    let services = services.iter().map(|(handle, owner)| {
        let spec = PrincipalSpec {
            kind: PrincipalKind::Service,
            roles: owner.then_some(Role::Owner).into_iter().collect(),
            teams: [].into(),
        };
        ((*handle).to_owned(), spec)
    });
    RegistrySpec {
        principals: Some(services.collect()),
        ..RegistrySpec::default()
    }
}

async fn is_owner(world: &World, tenant: &TenantId, handle: &str) -> bool {
    let id = PrincipalId::derive(tenant, handle);
    let dispatcher = &world.backend.dispatcher;
    let found = dispatcher.load::<Principal>(tenant, id.as_str()).await;
    let principal = found.unwrap().unwrap();
    principal.roles().unwrap().contains(&Role::Owner)
}

/// Somebody else takes the role of an owner away.
async fn revoke(world: &World, tenant: &TenantId, handle: &str) {
    let id = PrincipalId::derive(tenant, handle);
    let context = CommandContext::new(tenant.clone(), actor());
    let revoke = PrincipalCommand::RevokeRole(Role::Owner);
    let dispatcher = &world.backend.dispatcher;
    let revoked = dispatcher.dispatch::<Principal>(&context, id.as_str(), revoke);
    revoked.await.unwrap();
}

#[tokio::test]
async fn one_owner_hands_over_to_another_in_one_plan() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    world
        .apply(&tenant, &services(&[("old", true)]), false)
        .await;
    let wanted = services(&[("new", true), ("old", false)]);
    let planned = world.plan(&tenant, &wanted, false).await;
    assert_eq!(world.carry_out(&planned).await.steps, 2);
    assert!(is_owner(&world, &tenant, "new").await);
    assert!(!is_owner(&world, &tenant, "old").await);
    // Who has lost the role counts for nobody when it is done again.
    assert_eq!(world.carry_out(&planned).await.steps, 2);
}

#[tokio::test]
async fn an_owner_that_the_plan_counted_on_may_be_none_by_now() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let both = services(&[("one", true), ("two", true)]);
    world.apply(&tenant, &both, false).await;
    let wanted = services(&[("one", false), ("two", true)]);
    let planned = world.plan(&tenant, &wanted, false).await;
    revoke(&world, &tenant, "two").await;
    let stopped = planned.carry_out(&world.backend, &actor(), PATIENCE).await;
    let stopped = stopped.unwrap_err();
    assert_eq!((stopped.done, stopped.all), (0, 1));
    let why = stopped.cause.to_string();
    assert!(
        why.contains("principal one") && why.contains("LAST_OWNER"),
        "{why}"
    );
    assert!(is_owner(&world, &tenant, "one").await);
}
