//! Servers, and the versions that they publish: documents that never change, and the status of each, which may.

use super::difference::{Making, document};
use super::{Action, Commands, ManifestSpec, Object, ServerSpec};
use crate::files::manifest_file;
use domain::canonical;
use domain::diff::diff;
use domain::server::{
    PublishManifest, RegisterServer, ServerCommand, SetManifestStatus, compare_versions,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Manifests = BTreeMap<String, ManifestSpec>;

impl Making<'_> {
    /// The steps of a server and of its tools.
    pub(super) fn server(&mut self, slug: &str, wanted: &ServerSpec) {
        let object = Object::Server(slug.to_owned());
        if self.observed.retired_servers.contains_key(slug) {
            self.problem(
                &object,
                "SERVER_RETIRED",
                "the server is retired: restore it with `restoreServer`, or remove it from the files",
            );
            return;
        }
        let observed = self.observed;
        match observed.servers.get(slug) {
            None => self.new_server(object, slug, wanted),
            Some(there) => self.known_server(object, slug, there, wanted),
        }
        for (name, tool) in &wanted.tools {
            self.tool(slug, name, tool);
        }
    }

    fn new_server(&mut self, object: Object, slug: &str, wanted: &ServerSpec) {
        let Some(publish) = self.manifests(slug, &Manifests::new(), &wanted.manifests) else {
            return;
        };
        let register = ServerCommand::Register(RegisterServer {
            slug: slug.to_owned(),
            profile: wanted.profile(),
        });
        let commands = std::iter::once(register).chain(publish).collect();
        let commands = Commands::Server(commands);
        self.step(object, Action::Create, commands, &wanted.alone());
    }

    fn known_server(
        &mut self,
        object: Object,
        slug: &str,
        there: &ServerSpec,
        wanted: &ServerSpec,
    ) {
        let Some(publish) = self.manifests(slug, &there.manifests, &wanted.manifests) else {
            return;
        };
        let restored = self.observed.restored.contains(&object);
        let mut commands = Vec::new();
        if restored {
            commands.push(ServerCommand::Restore);
        }
        if there.profile() != wanted.profile() {
            commands.push(ServerCommand::Describe(wanted.profile()));
        }
        commands.extend(publish);
        let changes = diff(
            &shown(there, &wanted.manifests),
            &shown(wanted, &wanted.manifests),
        );
        let commands = Commands::Server(commands);
        self.change(object, restored, changes, commands, &wanted.alone());
    }

    /// What publishes the versions that are missing and gives the others the status that they should have; none when
    /// something of it is refused. A version that the document does not name stays as it is.
    fn manifests(
        &mut self,
        slug: &str,
        there: &Manifests,
        wanted: &Manifests,
    ) -> Option<Vec<ServerCommand>> {
        let (mut missing, mut statuses, mut refused) = (Vec::new(), Vec::new(), false);
        for (version, spec) in wanted {
            match (there.get(version), &spec.document) {
                (None, Some(document)) => missing.push((version, publish(spec, document))),
                (None, None) => {
                    refused = true;
                    self.without_document(slug, version);
                }
                (Some(known), Some(document)) if !is_same(known.document.as_ref(), document) => {
                    refused = true;
                    self.other_document(slug, version);
                }
                (Some(known), _) if known.said() != spec.said() => {
                    statuses.push(set_status(version, spec));
                }
                (Some(_), _) => {}
            }
        }
        // Where numbers do not tell which is the newest, the last published is.
        missing.sort_by(|(a, _), (b, _)| compare_versions(a, b));
        let missing = missing.into_iter().map(|(_, publish)| publish);
        (!refused).then(|| missing.chain(statuses).collect())
    }

    fn without_document(&mut self, slug: &str, version: &str) {
        let message = format!(
            "version {version} is under `manifests` and is not published: put its document into {}, or take the key \
             out",
            manifest_file(slug, version)
        );
        let server = Object::Server(slug.to_owned());
        self.problem(&server, "VERSION_NOT_FOUND", &message);
    }

    fn other_document(&mut self, slug: &str, version: &str) {
        let message = format!(
            "version {version} is published with another document, which never changes: give the change a `version` \
             and a file of its own, and take this file as `metamcp export` writes it, or remove it"
        );
        self.problem_at(&manifest_file(slug, version), "VERSION_TAKEN", &message);
    }
}

fn publish(spec: &ManifestSpec, document: &Value) -> ServerCommand {
    ServerCommand::PublishManifest(Box::new(PublishManifest {
        manifest: document.clone(),
        status: Some(spec.status),
        status_message: spec.message.clone(),
        mirrored: None,
    }))
}

fn set_status(version: &str, spec: &ManifestSpec) -> ServerCommand {
    ServerCommand::SetManifestStatus(SetManifestStatus {
        server_version: version.to_owned(),
        status: spec.status,
        status_message: spec.message.clone(),
        mirrored: None,
    })
}

/// Whether two documents are one, as their hashes tell: `1` and `1.0` are the same number.
fn is_same(known: Option<&Value>, document: &Value) -> bool {
    known.is_some_and(|known| {
        let canonical = |document: &Value| canonical::to_vec(document).ok();
        known == document || canonical(known) == canonical(document)
    })
}

/// What a plan shows of a server: of these versions, what is said of each, and not the documents.
fn shown(server: &ServerSpec, named: &Manifests) -> Value {
    let versions = server.manifests.iter();
    let versions = versions.filter(|(version, _)| named.contains_key(*version));
    let versions: Map<String, Value> = versions
        .map(|(version, spec)| {
            let mut said = json!({ "status": spec.status });
            if let Some(message) = &spec.message {
                said["message"] = json!(message);
            }
            (version.clone(), said)
        })
        .collect();
    let mut shown = document(&ServerSpec {
        manifests: BTreeMap::new(),
        ..server.alone()
    });
    shown["manifests"] = Value::Object(versions);
    shown
}
