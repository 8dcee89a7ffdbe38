use super::super::ResourceKind;
use super::super::table::cases;
use super::*;
use domain::id::{CorrelationId, PrincipalId, TenantId};
use domain::principal::PrincipalKind;
use std::sync::LazyLock;

static BUILT: LazyLock<PolarAuthorizer> = LazyLock::new(|| PolarAuthorizer::built_in().unwrap());

fn caller(roles: &[Role]) -> Caller {
    let tenant = TenantId::new("acme").unwrap();
    Caller {
        principal: PrincipalId::derive(&tenant, "me"),
        tenant,
        handle: "me".into(),
        kind: PrincipalKind::User,
        roles: roles.iter().copied().collect(),
        teams: [team("payments")].into(),
        correlation_id: CorrelationId(uuid::Uuid::nil()),
    }
}

fn team(name: &str) -> Team {
    Team::new(name).unwrap()
}

/// A private tool that belongs to no team.
fn private() -> Resource {
    Resource::tool(Visibility::Private, None, &BTreeSet::new())
}

fn listed() -> Resource {
    Resource::tool(Visibility::Tenant, None, &BTreeSet::new())
}

fn allows(roles: &[Role], action: Action, resource: Resource) -> bool {
    BUILT.authorize(&caller(roles), action, &resource).is_ok()
}

/// The space is small enough to be complete: all 32 sets of roles, every action, every flag.
#[test]
fn the_table_equals_the_policy_for_every_set_of_roles() {
    let oso = engine(BUILT_IN).unwrap();
    let authorizer = &*BUILT;
    for bits in 0..1usize << Role::ALL.len() {
        let roles: BTreeSet<Role> = Role::ALL
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> i & 1 == 1)
            .map(|(_, r)| *r)
            .collect();
        for (action, resource) in cases() {
            let policy = ask(&oso, &roles, action, &resource).unwrap();
            assert_eq!(
                authorizer.permits(&roles, action, &resource),
                policy,
                "{roles:?} {action} {resource:?}"
            );
        }
    }
}

#[test]
fn without_a_role_one_sees_and_protects_oneself_only() {
    let (me, other) = (caller(&[]), caller(&[Role::Owner]));
    let own = Resource::principal(&me, &me.principal, []);
    for (action, resource) in cases().filter(|(_, resource)| !resource.own) {
        assert!(!allows(&[], action, resource), "{action} {resource:?}");
    }
    assert!(allows(&[], Action::ReadPrincipal, own));
    assert!(allows(&[], Action::RevokeTokens, own));
    assert!(!allows(&[], Action::GrantRole, own));
    let stranger = PrincipalId::derive(&other.tenant, "stranger");
    assert!(!allows(
        &[],
        Action::ReadPrincipal,
        Resource::principal(&me, &stranger, [])
    ));
}

#[test]
fn owners_may_do_everything() {
    assert!(cases().all(|(action, resource)| allows(&[Role::Owner], action, resource)));
}

#[test]
fn admins_may_do_everything_but_touch_owners() {
    for (action, resource) in cases().filter(|(_, resource)| !resource.own) {
        let expected = !resource.owner
            || [
                Action::ReadPrincipal,
                Action::ReadServer,
                Action::ReadTool,
                Action::SearchTools,
                Action::ReadTenant,
                Action::ReadServerHistory,
                Action::ReadToolHistory,
                Action::ReadAudit,
                Action::ReadLedger,
                Action::ReadPublisher,
                Action::ReadTaxonomy,
                Action::ReadReview,
                Action::ReadDependents,
                Action::ReadInstallation,
            ]
            .contains(&action);
        assert_eq!(
            allows(&[Role::Admin], action, resource),
            expected,
            "{action} {resource:?}"
        );
    }
    let grant_owner = Resource::principal(
        &caller(&[Role::Admin]),
        &PrincipalId::derive(&TenantId::new("acme").unwrap(), "other"),
        &[Role::Owner],
    );
    assert!(!allows(&[Role::Admin], Action::GrantRole, grant_owner));
}

#[test]
fn publishers_keep_servers_and_tools_and_no_principals() {
    let unlisted = private();
    assert!(allows(&[Role::Publisher], Action::ReadTool, unlisted));
    assert!(allows(
        &[Role::Publisher],
        Action::PublishToolVersion,
        unlisted
    ));
    assert!(allows(
        &[Role::Publisher],
        Action::RegisterServer,
        Resource::any(ResourceKind::Server)
    ));
    assert!(!allows(
        &[Role::Publisher],
        Action::ReadPrincipal,
        Resource::any(ResourceKind::Principal)
    ));
    for action in [Action::RenameTenant, Action::SetAfterSunset] {
        assert!(!allows(&[Role::Publisher], action, Resource::tenant()));
        assert!(allows(&[Role::Admin], action, Resource::tenant()));
    }
}

#[test]
fn agents_and_auditors_change_nothing_but_agents_review() {
    let audits = [
        Action::ReadServerHistory,
        Action::ReadToolHistory,
        Action::ReadAudit,
        Action::ReadDependents,
    ];
    for (action, resource) in cases().filter(|(_, resource)| !resource.own) {
        let reads = action == action.kind().read_action() || action == Action::SearchTools;
        assert_eq!(
            allows(&[Role::Auditor], action, resource),
            reads || audits.contains(&action),
            "{action} {resource:?}"
        );
        let reviews = action == Action::ReviewTool;
        assert!(
            reads || reviews || !allows(&[Role::Agent], action, resource),
            "{action} {resource:?}"
        );
    }
}

/// The decision table of what auditors ask: by role, the log of the tenant, and the history of an object.
#[test]
fn who_may_read_the_log_and_the_histories() {
    let tool = private();
    for (role, log, history) in [
        (Role::Owner, true, true),
        (Role::Admin, true, true),
        (Role::Auditor, true, true),
        (Role::Publisher, false, true),
        (Role::Agent, false, false),
    ] {
        let may = |action, resource| allows(&[role], action, resource);
        assert_eq!(may(Action::ReadAudit, Resource::tenant()), log, "{role}");
        assert_eq!(may(Action::ReadToolHistory, tool), history, "{role}");
        let server = may(Action::ReadServerHistory, Resource::server());
        assert_eq!(server, history, "{role}");
    }
    assert!(!allows(&[], Action::ReadAudit, Resource::tenant()));
}

/// The decision table of what is private to a team: by role, from within and from outside.
#[test]
fn what_is_private_to_a_team_is_for_those_within_and_for_those_who_see_everything() {
    let teams = caller(&[]).teams;
    let of = |name| Resource::tool(Visibility::Private, Some(&team(name)), &teams);
    let (own, other) = (of("payments"), of("search"));
    for (role, reads_own, reads_other, keeps_own, keeps_other) in [
        (Role::Owner, true, true, true, true),
        (Role::Admin, true, true, true, true),
        (Role::Publisher, true, false, true, false),
        (Role::Agent, true, false, false, false),
        (Role::Auditor, true, true, false, false),
    ] {
        let may = |action, resource| allows(&[role], action, resource);
        for action in [Action::ReadTool, Action::SearchTools] {
            assert_eq!(may(action, own), reads_own, "{role} {action}");
            assert_eq!(may(action, other), reads_other, "{role} {action}");
        }
        for action in [
            Action::DescribeTool,
            Action::PublishToolVersion,
            Action::RetireTool,
            Action::PublishPublicly,
        ] {
            assert_eq!(may(action, own), keeps_own, "{role} {action}");
            assert_eq!(may(action, other), keeps_other, "{role} {action}");
        }
    }
    assert!(allows(&[Role::Agent], Action::ReviewTool, own));
    assert!(!allows(&[Role::Publisher], Action::ReviewTool, other));
    assert!(!allows(&[], Action::ReadTool, own));
    // A team says nothing of a tool that is not private.
    for visibility in [Visibility::Tenant, Visibility::Public] {
        let shown = Resource::tool(visibility, Some(&team("search")), &teams);
        assert!(allows(&[Role::Agent], Action::ReadTool, shown));
    }
}

#[test]
fn who_puts_principals_into_teams() {
    let me = caller(&[]);
    let other = PrincipalId::derive(&me.tenant, "other");
    let agent = Resource::principal(&me, &other, &[Role::Agent]);
    let owner = Resource::principal(&me, &other, &[Role::Owner]);
    for (role, agents, owners) in [
        (Role::Owner, true, true),
        (Role::Admin, true, false),
        (Role::Publisher, false, false),
        (Role::Agent, false, false),
        (Role::Auditor, false, false),
    ] {
        let may = |resource| allows(&[role], Action::ChangeTeams, resource);
        assert_eq!((may(agent), may(owner)), (agents, owners), "{role}");
    }
}

#[test]
fn the_sight_of_a_caller_is_what_it_may_read() {
    let only = |visibilities: &[Visibility], teams: &[&str]| Sight::Only {
        visibilities: visibilities.iter().copied().collect(),
        teams: teams.iter().map(|name| team(name)).collect(),
    };
    let shown = [Visibility::Tenant, Visibility::Public];
    for (roles, expected) in [
        (&[Role::Owner][..], Sight::Everything),
        (&[Role::Admin], Sight::Everything),
        (&[Role::Auditor], Sight::Everything),
        (&[Role::Agent, Role::Auditor], Sight::Everything),
        (&[Role::Publisher], only(Visibility::ALL, &["payments"])),
        (&[Role::Agent], only(&shown, &["payments"])),
        (&[], only(&[], &[])),
    ] {
        assert_eq!(BUILT.sight(&caller(roles)), expected, "{roles:?}");
    }
}

/// Written before there were teams: it does not ask whose a private tool is.
const OLDER: &str = r#"allow(caller: Caller, action: String, _: Object) if
    "publisher" in caller.roles and action = "read_tool";
    allow(caller: Caller, action: String, tool: Object) if
    "agent" in caller.roles and action = "read_tool" and tool.unlisted = false;"#;

/// What a filter lets through is what each tool's own decision says: for all sets of roles, visibilities and teams.
#[test]
fn a_filter_lets_through_what_each_decision_allows() {
    let older = PolarAuthorizer::from_text(OLDER).unwrap();
    for authorizer in [&*BUILT, &older] {
        for bits in 0..1usize << Role::ALL.len() {
            let roles = Role::ALL.iter().enumerate();
            let roles = roles.filter(|(i, _)| bits >> i & 1 == 1);
            let roles: Vec<Role> = roles.map(|(_, role)| *role).collect();
            let caller = caller(&roles);
            let sight = authorizer.sight(&caller);
            for visibility in Visibility::ALL {
                for team in [None, Some(team("payments")), Some(team("search"))] {
                    let resource = Resource::tool(*visibility, team.as_ref(), &caller.teams);
                    assert_eq!(
                        sight.shows(*visibility, team.as_ref()),
                        authorizer.permits(&caller.roles, Action::ReadTool, &resource),
                        "{roles:?} {visibility} {team:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_older_policy_of_ones_own_shows_publishers_what_it_showed_them() {
    let older = PolarAuthorizer::from_text(OLDER).unwrap();
    assert_eq!(older.sight(&caller(&[Role::Publisher])), Sight::Everything);
    let agent = Sight::Only {
        visibilities: [Visibility::Tenant, Visibility::Public].into(),
        teams: [team("payments")].into(),
    };
    assert_eq!(older.sight(&caller(&[Role::Agent])), agent);
}

/// The decision table of reviews and of the taxonomy, by role.
#[test]
fn who_may_review_moderate_and_name_categories() {
    let private = private();
    let listed = listed();
    let (shown, hidden) = (
        Resource::review(false, false),
        Resource::review(true, false),
    );
    let taxonomy = Resource::any(ResourceKind::Taxonomy);
    for (role, reviews, reviews_private, sees_hidden, moderates, names) in [
        (Role::Owner, true, true, true, true, true),
        (Role::Admin, true, true, true, true, true),
        (Role::Publisher, true, true, false, false, false),
        (Role::Agent, true, false, false, false, false),
        (Role::Auditor, false, false, true, false, false),
    ] {
        let may = |action, resource| allows(&[role], action, resource);
        assert_eq!(may(Action::ReviewTool, listed), reviews, "{role}");
        assert_eq!(may(Action::ReviewTool, private), reviews_private, "{role}");
        assert!(may(Action::ReadReview, shown), "{role}");
        assert_eq!(may(Action::ReadReview, hidden), sees_hidden, "{role}");
        for review in [shown, hidden] {
            assert_eq!(may(Action::ModerateReview, review), moderates, "{role}");
        }
        assert!(may(Action::ReadTaxonomy, taxonomy), "{role}");
        assert_eq!(may(Action::ChangeTaxonomy, taxonomy), names, "{role}");
    }
    let own = Resource::review(true, true);
    assert!(allows(&[], Action::ReadReview, own), "one's own, whatever");
    assert!(!allows(&[], Action::ReadReview, shown));
}

#[test]
fn publishers_and_administrators_prove_namespaces_and_all_see_them() {
    let namespaces = Resource::any(ResourceKind::Publisher);
    for (role, changes) in [
        (Role::Owner, true),
        (Role::Admin, true),
        (Role::Publisher, true),
        (Role::Auditor, false),
        (Role::Agent, false),
    ] {
        for action in [
            Action::ClaimNamespace,
            Action::VerifyNamespace,
            Action::RevokeNamespace,
        ] {
            assert_eq!(
                allows(&[role], action, namespaces),
                changes,
                "{role} {action}"
            );
        }
        assert!(allows(&[role], Action::ReadPublisher, namespaces), "{role}");
    }
}

/// The decision table of versions: who keeps tools moves them, and agents and auditors do not.
#[test]
fn who_may_move_deprecate_yank_and_restore() {
    let tool = listed();
    for (role, may) in [
        (Role::Owner, true),
        (Role::Admin, true),
        (Role::Publisher, true),
        (Role::Agent, false),
        (Role::Auditor, false),
    ] {
        for action in [
            Action::MoveToolAlias,
            Action::DeprecateTool,
            Action::YankToolVersion,
            Action::RestoreTool,
        ] {
            assert_eq!(allows(&[role], action, tool), may, "{role} {action}");
        }
        let server = Resource::server();
        assert_eq!(
            allows(&[role], Action::RestoreServer, server),
            may,
            "{role}"
        );
    }
}

/// The decision table of the marketplace: by role, who offers and installs, who sees what is installed and
/// who depends on a tool.
#[test]
fn who_may_offer_and_install() {
    let tool = listed();
    let installation = Resource::any(ResourceKind::Installation);
    for (role, keeps, depends, sees) in [
        (Role::Owner, true, true, true),
        (Role::Admin, true, true, true),
        (Role::Publisher, true, true, true),
        (Role::Auditor, false, true, true),
        (Role::Agent, false, false, true),
    ] {
        let may = |action, resource| allows(&[role], action, resource);
        assert_eq!(may(Action::PublishPublicly, tool), keeps, "{role}");
        for action in [
            Action::InstallTool,
            Action::RepinTool,
            Action::UninstallTool,
        ] {
            assert_eq!(may(action, installation), keeps, "{role} {action}");
        }
        assert_eq!(may(Action::ReadDependents, tool), depends, "{role}");
        assert_eq!(may(Action::ReadInstallation, installation), sees, "{role}");
    }
}

#[test]
fn which_object_it_is_decides_nothing() {
    let id = PrincipalId::derive(&TenantId::new("acme").unwrap(), "other");
    let resource = Resource::server().named(id.as_str());
    assert_eq!(resource.id.unwrap().as_str(), id.as_str());
    assert!(allows(&[Role::Agent], Action::ReadServer, resource));
    assert!(!allows(&[Role::Agent], Action::RetireServer, resource));
    assert_eq!(Resource::server().named("no id of ours").id, None);
}

#[test]
fn a_hidden_object_is_denied_as_if_it_were_absent() {
    let authorizer = &*BUILT;
    let unlisted = private();
    let agent = caller(&[Role::Agent]);
    assert!(
        authorizer
            .authorize(&agent, Action::RetireTool, &unlisted)
            .unwrap_err()
            .hidden
    );
    let listed = listed();
    let denied = authorizer
        .authorize(&agent, Action::RetireTool, &listed)
        .unwrap_err();
    assert!(!denied.hidden);
    assert_eq!(denied.policy_version, version_of(BUILT_IN));
    let list = Resource::any(ResourceKind::Principal);
    assert!(
        !authorizer
            .authorize(&agent, Action::ReadPrincipal, &list)
            .unwrap_err()
            .hidden
    );
}

#[test]
fn an_action_on_another_kind_of_resource_is_denied() {
    assert!(!allows(
        &[Role::Owner],
        Action::RetireTool,
        Resource::server()
    ));
}

#[test]
fn a_policy_that_fails_is_refused_at_load() {
    assert!(PolarAuthorizer::from_text("allow(caller, action, resource) if").is_err());
    assert!(PolarAuthorizer::from_text("allow(c, _a, _r) if c.unknown_field = 1;").is_err());
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        PolarAuthorizer::from_folder(folder.path()),
        Err(PolicyError::Empty(_))
    ));
    std::fs::write(folder.path().join("a.polar"), BUILT_IN).unwrap();
    let copied = PolarAuthorizer::from_folder(folder.path()).unwrap();
    assert_eq!(copied.policy_version(), BUILT.policy_version());
}
