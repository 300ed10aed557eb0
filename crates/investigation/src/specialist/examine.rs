//! What a specialist is: a name, a capability, and what it does with its nodes.

use crate::evidence::{Case, Findings};
use crate::telemetry::Metric;

/// In which wave a specialist is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// In the first, about all nodes of its scope.
    Wide,
    /// Later, about the nodes that the findings point to.
    Deep,
}

/// One who reads one kind of thing about nodes and turns it into findings.
///
/// It reads the case and nothing else; what it cannot read is an [`Unknown`](crate::Unknown), never a fact.
pub(crate) trait Examine: Send + Sync {
    /// Its name in reports; unique.
    fn name(&self) -> &'static str;

    /// The capability of the agent that does it; unique.
    fn capability(&self) -> &'static str;

    /// In which wave it is asked.
    fn depth(&self) -> Depth;

    /// The metric whose series it turns into observations, if any: who reads that of the symptom is asked first.
    fn reads(&self) -> Option<Metric> {
        None
    }

    /// The nodes that it can say something about, ascending. None: it is not asked.
    fn scope(&self, case: &Case) -> Vec<usize>;

    /// Looks at some of them. It is called in chunks, so that a deadline can end it between two.
    fn examine(&self, case: &Case, nodes: &[usize], findings: &mut Findings);

    /// Looks at all nodes of its scope at once.
    fn examine_all(&self, case: &Case) -> Findings {
        let mut findings = Findings::default();
        self.examine(case, &self.scope(case), &mut findings);
        findings
    }
}
