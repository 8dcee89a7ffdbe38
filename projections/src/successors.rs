//! The successors of what is deprecated, of which a caller is told those that it can reach itself.

use domain::id::ToolId;
use domain::tool::Deprecation;

/// Deprecations that are about to be told, each with the tool that its successor names.
pub(crate) struct Successors<'a>(Vec<(&'a mut Deprecation, Option<ToolId>)>);

impl<'a> Successors<'a> {
    /// `named` reads a successor as it stands in a deprecation; none where it leads to no tool.
    pub(crate) fn of(
        told: impl IntoIterator<Item = &'a mut Deprecation>,
        named: impl Fn(&str) -> Option<ToolId>,
    ) -> Self {
        let with_tool = |told: &'a mut Deprecation| {
            let tool = told.successor.as_deref().and_then(&named);
            (told, tool)
        };
        Self(told.into_iter().map(with_tool).collect())
    }

    /// The tools that are named.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let tools = self.0.iter().filter_map(|(_, tool)| tool.as_ref());
        tools.map(ToolId::as_str).collect()
    }

    /// Leaves out every successor that is not one of these tools; message and sunset stay.
    pub(crate) fn keep(self, reached: &[String]) {
        self.keep_those(|tool| tool.is_some_and(|tool| is_one_of(tool, reached)));
    }

    /// Leaves out every successor that is one of these tools; message and sunset stay.
    pub(crate) fn leave_out(self, hidden: &[String]) {
        self.keep_those(|tool| !tool.is_some_and(|tool| is_one_of(tool, hidden)));
    }

    fn keep_those(self, kept: impl Fn(Option<&ToolId>) -> bool) {
        for (told, tool) in self.0 {
            if !kept(tool.as_ref()) {
                told.successor = None;
            }
        }
    }
}

fn is_one_of(tool: &ToolId, tools: &[String]) -> bool {
    tools.iter().any(|one| one == tool.as_str())
}
