//! A registry as files, and an OpenAPI document as a server: plans, laws and refusals, on real servers.

mod lives;
mod manifests;
mod openapi;
mod owners;
mod plans;
mod program;
mod round_trip;

use crate::support::{Installation, PATIENCE};
use domain::envelope::Actor;
use domain::id::TenantId;
use metamcp::app::Backend;
use metamcp::files::{FORMAT, Manifest, write};
use metamcp::plan::{
    Applied, Observed, Plan, Problem, Reader, RegistrySpec, Rehearsed, ServerSpec,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// An installation with projectors, and the parts that the program would connect to it.
struct World {
    installation: Installation,
    backend: Backend,
}

impl World {
    async fn start() -> Self {
        let installation = Installation::start().await;
        let backend = Backend::connect(&installation.config).await.unwrap();
        Self {
            installation,
            backend,
        }
    }

    /// A tenant without servers, of this name.
    async fn tenant(&self, slug: &str) -> TenantId {
        let tenant = TenantId::new(slug).unwrap();
        metamcp::provision_tenant(&self.backend.dispatcher, &tenant, &actor())
            .await
            .unwrap();
        tenant
    }

    async fn observe(&self, tenant: &TenantId) -> Observed {
        let reader = Reader::new(&self.backend);
        reader.observe(tenant, None).await.unwrap()
    }

    /// With all that a plan looks at.
    async fn observe_for(&self, tenant: &TenantId, wanted: &RegistrySpec) -> Observed {
        let reader = Reader::new(&self.backend);
        reader.observe_for(tenant, wanted).await.unwrap()
    }

    /// A plan that was checked.
    async fn plan(&self, tenant: &TenantId, wanted: &RegistrySpec, prune: bool) -> Rehearsed {
        let observed = self.observe_for(tenant, wanted).await;
        let plan = Plan::make(tenant, wanted, &observed, prune).unwrap();
        plan.rehearse(&self.backend.dispatcher).await.unwrap()
    }

    async fn apply(&self, tenant: &TenantId, wanted: &RegistrySpec, prune: bool) -> Applied {
        let planned = self.plan(tenant, wanted, prune).await;
        self.carry_out(&planned).await
    }

    async fn carry_out(&self, planned: &Rehearsed) -> Applied {
        let sent = planned.carry_out(&self.backend, &actor(), PATIENCE).await;
        sent.unwrap()
    }

    /// The files of a tenant's registry, by name; without the manifest, which names tenant and position.
    async fn export(&self, tenant: &TenantId, folder: &Path) -> BTreeMap<String, String> {
        let observed = self.observe(tenant).await;
        let manifest = Manifest {
            format: FORMAT,
            tenant: tenant.to_string(),
            position: observed.position,
        };
        write(folder, &manifest, &observed.into()).unwrap();
        let mut files = files(folder);
        files.remove("registry.yaml").unwrap();
        files
    }

    async fn head(&self) -> u64 {
        self.backend.log.head().await.unwrap()
    }
}

fn actor() -> Actor {
    Actor::operator("test")
}

/// Every file of a folder and of those in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(place) = open.pop() {
        for entry in std::fs::read_dir(place).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// A registry of one server with tools of these names, versions and descriptions.
fn registry(server: &str, tools: &[(&str, &str, &str)]) -> RegistrySpec {
    let tools: BTreeMap<_, _> = tools
        .iter()
        .map(|(name, version, description)| {
            (
                *name,
                json!({ "version": version, "description": description }),
            )
        })
        .collect();
    let spec: ServerSpec =
        serde_json::from_value(json!({ "name": server, "tools": tools })).unwrap();
    RegistrySpec {
        servers: [(server.to_owned(), spec)].into(),
        ..RegistrySpec::default()
    }
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code).collect()
}
