//! What a stranger tries, for every root field. `<server>` and the like stand for the names of another tenant's
//! objects, and once more for names that nobody has.

/// Queries that name an object: whoever it belongs to is answered, a stranger is refused.
pub(super) const READS: &[&str] = &[
    r#"principal(handle: "<handle>") { id }"#,
    r#"server(slug: "<server>") { id }"#,
    r#"tool(server: "<server>", name: "<tool>") { id }"#,
    r#"node(id: "<server_id>") { id }"#,
    r#"node(id: "<tool_id>") { id }"#,
    r#"node(id: "<tool_id>", asOf: { sequence: <moment> }) { id }"#,
    r#"node(id: "<principal_id>") { id }"#,
    r#"node(id: "<tenant_id>") { id }"#,
    r#"node(id: "<taxonomy_id>") { id }"#,
    r#"node(id: "<review_id>") { id }"#,
    r#"node(id: "<installation_id>") { id }"#,
    r#"auditProof(commit: "<commit>") { leafHash }"#,
    r#"auditProof(sequence: <sequence>) { leafHash }"#,
    r#"publisher(namespace: "<namespace>") { namespace challenge }"#,
    r#"resolveTool(reference: "<server>/<tool>") { exact }"#,
    r#"compatibility(server: "<server>", tool: "<tool>", from: "1.0.0", to: "1.1.0") { verdict }"#,
    r#"proposedCompatibility(server: "<server>", tool: "<tool>", proposed: { description: "Lands" }) { verdict }"#,
];

/// Queries that name an object which its tenant does not offer.
pub(super) const NOT_OFFERED: &[&str] = &[
    r#"listing(publisher: "<tenant>", server: "<server>", tool: "<tool>") { name }"#,
    r#"resolveTool(reference: "@<tenant>/<server>/<tool>") { exact }"#,
    r#"compatibility(publisher: "<tenant>", server: "<server>", tool: "<tool>", from: "1.0.0", to: "1.1.0") { verdict }"#,
];

/// Queries that say in their answer, and not by an error, that there is no such thing.
pub(super) const ANSWERED: &[&str] = &[
    r#"accessAt(principal: "<handle>", server: "<server>", tool: "<tool>") {
        allowed obstacles principal { handle } tool { name } }"#,
    r#"accessAt(principal: "owner-of-beta", publisher: "<tenant>", server: "<server>", tool: "<tool>") {
        allowed obstacles installation { reference } }"#,
];

/// Queries that list, and a word that the tenant itself reads there.
pub(super) const LISTS: &[(&str, &str)] = &[
    ("viewer { handle tenant { id } }", "owner-of-acme"),
    ("principals { nodes { handle } }", "ada-lovelace"),
    ("servers { totalCount nodes { slug } }", "secret-lab"),
    ("tools { totalCount nodes { name } }", "launch_rockets"),
    (
        r#"searchTools(query: "launch rockets") { totalCount hits { tool { name } } }"#,
        "launch_rockets",
    ),
    ("grants { nodes { principal { handle } } }", "ada-lovelace"),
    ("auditLog(first: 100) { nodes { type data } }", "secret-lab"),
    ("publishers { nodes { namespace } }", "com.secretive"),
    ("taxonomy { categories { slug } }", "rocketry"),
    (
        "toolFacets { tags { value count } servers { value } }",
        "in-orbit",
    ),
    (
        "installations { nodes { reference } }",
        "@gamma/maps/compass",
    ),
];

/// Queries of what all tenants offer, and a word that everybody reads there.
pub(super) const OFFERS: &[(&str, &str)] = &[
    ("marketplace { nodes { reference } }", "@gamma/maps/compass"),
    (
        r#"compatibility(publisher: "gamma", server: "maps", tool: "compass", from: "1.0.0", to: "1.0.0") { verdict }"#,
        "IDENTICAL",
    ),
];

/// Mutations of an object that is named.
pub(super) const CHANGES: &[&str] = &[
    r#"describeServer(input: { slug: "<server>", name: "Mine" }) { sequence }"#,
    r#"retireServer(input: { slug: "<server>" }) { sequence }"#,
    r#"restoreServer(input: { slug: "<server>" }) { sequence }"#,
    r#"registerTool(input: { server: "<server>", name: "spy", description: "Spies" }) { sequence }"#,
    r#"describeTool(input: { server: "<server>", name: "<tool>", title: "Mine" }) { sequence }"#,
    r#"publishToolVersion(input: { server: "<server>", name: "<tool>", version: "2.0.0",
        description: "Mine" }) { sequence }"#,
    r#"retireTool(input: { server: "<server>", name: "<tool>" }) { sequence }"#,
    r#"restoreTool(input: { server: "<server>", name: "<tool>" }) { sequence }"#,
    r#"moveToolAlias(input: { server: "<server>", name: "<tool>", alias: "stable", version: "1.0.0" })
        { sequence }"#,
    r#"rollbackToolAlias(input: { server: "<server>", name: "<tool>", alias: "stable" }) { sequence }"#,
    r#"removeToolAlias(input: { server: "<server>", name: "<tool>", alias: "stable" }) { sequence }"#,
    r#"deprecateTool(input: { server: "<server>", name: "<tool>", message: "Mine" }) { sequence }"#,
    r#"undeprecateTool(input: { server: "<server>", name: "<tool>" }) { sequence }"#,
    r#"yankToolVersion(input: { server: "<server>", name: "<tool>", version: "1.0.0" }) { sequence }"#,
    r#"unyankToolVersion(input: { server: "<server>", name: "<tool>", version: "1.0.0" }) { sequence }"#,
    r#"describePrincipal(input: { handle: "<handle>", displayName: "Mine" }) { sequence }"#,
    r#"grantRole(input: { handle: "<handle>", role: ADMIN }) { sequence }"#,
    r#"revokeRole(input: { handle: "<handle>", role: AGENT }) { sequence }"#,
    r#"joinTeam(input: { handle: "<handle>", team: "spies" }) { sequence }"#,
    r#"leaveTeam(input: { handle: "<handle>", team: "spies" }) { sequence }"#,
    r#"deactivatePrincipal(input: { handle: "<handle>" }) { sequence }"#,
    r#"reactivatePrincipal(input: { handle: "<handle>" }) { sequence }"#,
    r#"revokeTokens(input: { handle: "<handle>" }) { sequence }"#,
    r#"erasePrincipal(input: { handle: "<handle>" }) { sequence }"#,
    r#"undo(commit: "<commit>") { sequence }"#,
    r#"undo(commit: "<sequence>") { sequence }"#,
    r#"publishManifest(input: { server: "<server>",
        manifest: { name: "io.github.acme/weather", description: "Mine", version: "1.0.0" } }) { sequence }"#,
    r#"setManifestStatus(input: { server: "<server>", version: "1.0.0", status: DELETED }) { sequence }"#,
    r#"verifyNamespace(input: { namespace: "<namespace>", method: DNS, signedAt: "2026-01-31T12:00:00Z",
        signature: "00" }) { sequence }"#,
    r#"revokeNamespace(input: { namespace: "<namespace>" }) { sequence }"#,
    r#"addCategory(input: { slug: "spies", title: "Spies", parent: "<category>" }) { sequence }"#,
    r#"describeCategory(input: { slug: "<category>", title: "Mine" }) { sequence }"#,
    r#"retireCategory(input: { slug: "<category>" }) { sequence }"#,
    r#"reviewTool(input: { server: "<server>", name: "<tool>", rating: 1 }) { sequence }"#,
    r#"reviewTool(input: { publisher: "<tenant>", server: "<server>", name: "<tool>", rating: 1 })
        { sequence }"#,
    r#"reviseReview(input: { review: "<review_id>", rating: 1 }) { sequence }"#,
    r#"withdrawReview(input: { review: "<review_id>" }) { sequence }"#,
    r#"moderateReview(input: { review: "<review_id>", action: HIDE, reason: "Mine" }) { sequence }"#,
    r#"appealReview(input: { review: "<review_id>", text: "Mine" }) { sequence }"#,
    r#"decideAppeal(input: { review: "<review_id>", decision: UPHELD, reason: "Mine" }) { sequence }"#,
    r#"installTool(input: { publisher: "<tenant>", server: "<server>", tool: "<tool>" }) { sequence }"#,
    r#"repinTool(input: { publisher: "<tenant>", server: "<server>", tool: "<tool>", range: "*" })
        { sequence }"#,
    r#"uninstallTool(input: { publisher: "<tenant>", server: "<server>", tool: "<tool>" }) { sequence }"#,
    // The other tenant has installed it, and keeps it.
    r#"uninstallTool(input: { publisher: "gamma", server: "maps", tool: "compass" }) { sequence }"#,
];

/// Mutations that make an object: one of the same name stands in nobody's way, and is not told of.
pub(super) const CREATES: &[&str] = &[
    r#"registerServer(input: { slug: "<server>", name: "Mine" }) { sequence }"#,
    r#"registerTool(input: { server: "<server>", name: "<tool>", description: "Mine" }) { sequence }"#,
    r#"registerPrincipal(input: { handle: "<handle>", kind: AGENT }) { sequence }"#,
    r#"claimNamespace(input: { namespace: "<namespace>" }) { sequence }"#,
    r#"addCategory(input: { slug: "<category>", title: "Mine" }) { sequence }"#,
];

/// Fields that name no object of a tenant, and why that is so.
pub(super) const EXEMPT: &[(&str, &str)] = &[
    ("registry", "the machinery of the whole installation"),
    ("policies", "one policy judges the callers of all tenants"),
    (
        "treeHead",
        "a hash over the whole log, which tells nothing of what it covers",
    ),
    ("treeHeads", "as `treeHead`"),
    (
        "signTreeHead",
        "as `treeHead`; it writes nothing to the log",
    ),
    (
        "renameTenant",
        "the caller's own tenant: its input names none",
    ),
    ("setAfterSunset", "as `renameTenant`"),
];
