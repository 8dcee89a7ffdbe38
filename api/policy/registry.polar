# Who may do what in the registry.
#
# A rule sees the roles of the caller, the name of the action, and five things of the resource:
#   kind      "tenant", "principal", "server", "tool", "publisher", "taxonomy", "review", "installation" or
#             "ledger"; it always fits the action
#   unlisted  the tool is private, and to no team of the caller; the review is hidden by a moderator
#   reserved  the tool is private to a team that the caller is not in
#   owner     the principal is an owner, or the role to grant or revoke is that of owner
#   own       the principal is the caller; the review is of the caller
# What no rule allows is denied. The rules are evaluated once, over all values, into a table.

# A role permits.
allow(caller: Caller, action: String, resource: Object) if
    role in caller.roles and
    permits(role, action, resource);

# All may see themselves and what they wrote, and withdraw their own tokens, even without a role.
allow(_: Caller, action: String, resource: Object) if
    resource.own = true and
    action in ["read_principal", "revoke_tokens", "read_review"];

# Owners may do everything.
permits("owner", _action, _resource);

# Administrators may do everything but what concerns owners, whom they may only see.
permits("admin", action, _resource) if reads(action);
permits("admin", _action, resource) if resource.owner = false;

# Publishers see servers and tools, unlisted ones included, and keep them; what is private to a team is its own.
permits("publisher", action, resource) if finds(action) and resource.reserved = false;
permits("publisher", action, resource) if
    resource.reserved = false and
    action in [
        "claim_namespace", "verify_namespace", "revoke_namespace",
        "register_server", "describe_server", "retire_server", "restore_server",
        "register_tool", "describe_tool", "publish_tool_version", "retire_tool", "restore_tool",
        "move_tool_alias", "deprecate_tool", "yank_tool_version",
        "publish_publicly", "read_dependents", "install_tool", "repin_tool", "uninstall_tool",
        "read_server_history", "read_tool_history"
    ];

# Agents find what is listed, and say what they think of it.
permits("agent", action, resource) if finds(action) and resource.unlisted = false;
permits("agent", "review_tool", resource) if resource.unlisted = false;

# Publishers review, too. What moderators have hidden is not for everybody who finds tools.
permits("publisher", "review_tool", resource) if resource.reserved = false;
permits(role, "read_review", resource) if
    role in ["publisher", "agent"] and resource.unlisted = false;

# Auditors see everything and change nothing.
permits("auditor", action, _resource) if reads(action);

finds(action) if action in [
    "read_tenant", "read_server", "read_tool", "search_tools", "read_publisher", "read_taxonomy",
    "read_installation"
];

reads("read_principal");
reads("read_audit");
reads("read_server_history");
reads("read_tool_history");
reads("read_ledger");
reads("read_review");
reads("read_dependents");
reads(action) if finds(action);
