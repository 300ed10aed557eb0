//! Costs of real runs: estimates before, actuals after, and what is left of the budget.

#[path = "common/mod.rs"]
mod common;

use std::sync::Arc;

use universal_orchestrator::{Amount, Decimal, Limits};
use universal_orchestrator_patterns::{CostTable, Sequential, SharedStep, Step as _};

use common::{Behaviour, agent, buys, orchestrator, with_budget};

#[tokio::test(start_paused = true)]
async fn a_table_before_and_after_a_run() {
    let o = orchestrator().await;
    let context = with_budget(&o, Limits::unlimited().with_tokens(40).with_calls(0));
    let planned: [SharedStep<u32, u32>; 2] =
        [Arc::new(buys("a", 10, 4)), Arc::new(buys("b", 5, 5))];
    let before = CostTable::planned(&planned);
    assert_eq!(
        (
            before.estimate().tokens,
            before.actual(),
            before.steps().len()
        ),
        (15, Amount::default(), 2)
    );
    let none = CostTable::planned::<u32, u32>(&[]).within(context.account().as_ref());
    assert_eq!(
        none.utilisation()[1].percent,
        None,
        "nothing is a share of zero"
    );
    drop(context);

    let context = with_budget(&o, Limits::unlimited().with_tokens(40));
    let (asked, _) = agent(&o, "model", Behaviour::Healthy).await;
    let [a, b] = planned;
    let run = Sequential::new("run").step(a).step(b).step(asked);
    assert_eq!(run.estimate().tokens, 15);
    let report = run.report(&context, 1).await;
    // Somebody else spends from the same run, which the table of this report does not hold but the run's use does.
    context
        .spending()
        .begin(Amount::tokens(1))
        .unwrap()
        .lose(Amount::default());
    let table = CostTable::of(&report).within(context.account().as_ref());
    let rows: Vec<_> = table
        .steps()
        .iter()
        .map(|r| (&*r.name, r.estimate.tokens, r.actual.tokens, r.actual.calls))
        .collect();
    assert_eq!(rows, [("a", 10, 4, 1), ("b", 5, 5, 1), ("model", 0, 0, 1)]);
    assert_eq!((table.actual().tokens, table.actual().calls), (9, 3));
    assert_eq!(
        table
            .agents()
            .iter()
            .map(|r| (&*r.name, &*r.status))
            .collect::<Vec<_>>(),
        [("model", "1 step")]
    );
    assert_eq!(
        table.utilisation()[0].percent,
        Some(Decimal::new(250, 1)),
        "10 of 40"
    );
    drop(context);
    o.shutdown().await;
}
