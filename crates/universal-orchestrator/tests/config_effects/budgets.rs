//! `[budget]`: each unit of each account.

use universal_orchestrator::config::BudgetLimits;
use universal_orchestrator::{
    AgentError, Amount, BudgetError, OrchestratorConfig, TaskContext, Unit, agent_fn,
};

use crate::common::*;

/// A unit, a limit on it, and a third of what it allows.
type Limited = (Unit, fn(&mut BudgetLimits), Amount);

type Section = fn(&mut OrchestratorConfig) -> &mut BudgetLimits;

#[tokio::test(start_paused = true)]
async fn each_unit_of_each_section_refuses_what_is_beyond_it() {
    let sections: [(&str, Section); 3] = [
        ("global", |c| &mut c.budget.global),
        ("tenant shop on day", |c| &mut c.budget.tenant_per_day),
        ("tenant shop on day", |c| {
            c.budget.tenants.entry("shop".to_owned()).or_default()
        }),
    ];
    let units: [Limited; 4] = [
        (
            Unit::Money,
            |l| l.money = Some("0.30".to_owned()),
            Amount::money("0.10".parse().unwrap()),
        ),
        (Unit::Tokens, |l| l.tokens = Some(3), Amount::tokens(1)),
        (Unit::Calls, |l| l.calls = Some(4), Amount::calls(1)),
        (Unit::Busy, |l| l.busy_ms = Some(30), Amount::busy(ms(10))),
    ];
    for (account, section) in sections {
        for (unit, limit, amount) in units {
            let o = with_config(|c| limit(section(c))).await;
            // Pays until it is refused.
            let agent = agent_fn(move |_: (), context: TaskContext| async move {
                let mut paid = 0;
                let refusal = loop {
                    match context.charge(amount) {
                        Ok(()) if paid < 10 => paid += 1,
                        Ok(()) => break "never".to_owned(),
                        Err(BudgetError::Exhausted { account, unit, .. }) => {
                            break format!("{account}: {unit}");
                        }
                        Err(other) => break other.to_string(),
                    }
                };
                Ok::<_, AgentError>((paid, refusal))
            });
            o.register_agent(worker("a", &["pay"], agent))
                .await
                .unwrap();
            let outcome = o.execute(task("pay").tenant("shop")).await.unwrap();
            let (paid, refusal) = (&outcome.result()[0], outcome.result()[1].as_str().unwrap());
            assert_eq!(paid, 3, "{account} {unit}");
            let named = refusal.starts_with(account) && refusal.ends_with(&unit.to_string());
            assert!(named, "{account} {unit}: {refusal}");
            // Another tenant is held by the global account alone.
            let outcome = o.execute(task("pay").tenant("bank")).await;
            let paid = outcome.map_or(0, |outcome| outcome.result()[0].as_u64().unwrap_or(0));
            let expected = match section(&mut o.config().clone()) {
                _ if account == "global" => 0,
                _ if o.config().budget.tenants.is_empty() => 3,
                _ => 10,
            };
            assert_eq!(paid, expected, "{account} {unit}: another tenant");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_tenants_table_replaces_that_of_all_tenants_as_a_whole() {
    let o = with_config(|c| {
        c.budget.tenant_per_day.tokens = Some(5);
        let big = c.budget.tenants.entry("big".to_owned()).or_default();
        big.calls = Some(2);
    })
    .await;
    let agent = agent_fn(|tokens: u64, context: TaskContext| async move {
        Ok::<_, AgentError>(context.charge(Amount::tokens(tokens)).is_ok())
    });
    o.register_agent(worker("a", &["pay"], agent))
        .await
        .unwrap();
    let pay = |tenant: &str| o.execute(task("pay").tenant(tenant).payload(6));
    assert_eq!(pay("small").await.unwrap().result(), false);
    assert_eq!(
        pay("big").await.unwrap().result(),
        true,
        "no limit of tokens"
    );
    assert_eq!(pay("big").await.unwrap().result(), true);
    let third = pay("big").await.unwrap_err();
    assert_eq!(third.reason().as_str(), "over_budget", "two calls");
}
