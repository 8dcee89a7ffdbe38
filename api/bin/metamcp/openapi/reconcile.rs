//! What a document does not know: how the registry has called, grouped and shown its tools since.

use super::Translation;
use crate::plan::{Observed, RegistrySpec, is_permitted, suggested_version};

/// The registry that the document asks for, given what is there. An operation whose tool has the same definition
/// keeps its version, whatever the document's is; a changed one gets the document's version where that is above
/// the latest and says enough of the change, else the version that the change calls for. Category, visibility and
/// team, and of the server licence, transport, category and registry name where the document says nothing, stay as they
/// are.
#[must_use]
pub fn reconcile(translation: &Translation, observed: &Observed) -> RegistrySpec {
    let Translation { slug, server, .. } = translation;
    let mut server = server.clone();
    if let Some(there) = observed.servers.get(slug) {
        server.registry_name.clone_from(&there.registry_name);
        server.transport = there.transport;
        server.category.clone_from(&there.category);
        server.license = server.license.or_else(|| there.license.clone());
        server.homepage = server.homepage.or_else(|| there.homepage.clone());
    }
    for (name, tool) in &mut server.tools {
        let Some(there) = observed.tools.get(&(slug.clone(), name.clone())) else {
            continue;
        };
        tool.category.clone_from(&there.spec.category);
        tool.visibility = there.spec.visibility;
        tool.team.clone_from(&there.spec.team);
        let latest = &there.spec.version;
        let hash = tool.definition().checked_hash(name);
        if hash.is_ok_and(|hash| hash == there.definition_hash) {
            tool.version = latest.clone();
        } else if tool.version <= *latest || !is_permitted(&there.spec, tool) {
            tool.version = suggested_version(&there.spec, tool);
        }
    }
    RegistrySpec {
        servers: [(slug.clone(), server)].into(),
        ..RegistrySpec::default()
    }
}
