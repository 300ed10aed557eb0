//! The patterns of the guide.

use std::sync::Arc;
use std::time::Duration;

use universal_orchestrator::{Amount, Limits, UniversalOrchestrator};
use universal_orchestrator_patterns::{
    OrchestrationContext, SharedStep, Specialist, StepContext, StepFailure,
};

use crate::{Tested, with_readers};

async fn world() -> Result<(UniversalOrchestrator, OrchestrationContext), Box<dyn std::error::Error>>
{
    let orchestrator = with_readers().await?;
    let limits = Limits::unlimited().with_tokens(100);
    let context = OrchestrationContext::builder(&orchestrator)
        .budget(limits)
        .build()?;
    Ok((orchestrator, context))
}

/// Answers with a number after some milliseconds, and charges ten tokens.
fn asks(name: &str, ms: u64, answer: u32) -> Specialist<u32, u32> {
    Specialist::function(name, move |_: u32, step: StepContext| async move {
        step.charge(Amount::tokens(10))?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok::<_, StepFailure>(answer)
    })
}

fn fails(name: &str) -> Specialist<u32, u32> {
    Specialist::function(name, |_: u32, _: StepContext| async move {
        Err::<u32, _>(StepFailure::retryable("no answer"))
    })
}

#[tokio::test(start_paused = true)]
async fn sequential() -> Tested {
    let (orchestrator, context) = world().await?;
    use universal_orchestrator_patterns::{Sequential, StopReason};

    let expensive = asks("database", 10, 2).estimate(Amount::tokens(200));
    let observe = Sequential::new("observe")
        .step(asks("application", 10, 1))
        .step(expensive)
        .step(asks("network", 10, 3));
    let report = observe.report(&context, 0).await;
    // The budget has no room for the second: the run ends and keeps what was found.
    assert_eq!(report.found().collect::<Vec<_>>(), [("application", &1)]);
    assert!(matches!(report.stopped(), Some(StopReason::Budget { .. })));
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn parallel() -> Tested {
    let (orchestrator, context) = world().await?;
    use universal_orchestrator_patterns::{Parallel, Required, Step};

    let observe = Parallel::new("observe")
        .at_most(8)
        .required(Required::AtLeast(2))
        .step(asks("application", 300, 1))
        .step(fails("database"))
        .step(asks("network", 100, 3));
    let result = observe.run(&context, 0).await;
    let report = result.into_result()?;
    // In declared order, whatever finished first; what is missing is named.
    assert_eq!(
        report.found().collect::<Vec<_>>(),
        [("application", &1), ("network", &3)]
    );
    assert_eq!(
        report.missing(),
        [("database", "work: no answer".to_owned())]
    );
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn adaptive() -> Tested {
    let (orchestrator, context) = world().await?;
    use universal_orchestrator_patterns::{Adaptive, AdaptiveCriteria, Mode};

    let criteria = AdaptiveCriteria {
        sequential_max: Duration::from_millis(500),
        ..AdaptiveCriteria::default()
    };
    let observe = Adaptive::new("observe")
        .criteria(criteria)
        .step(asks("application", 300, 1))
        .step(asks("network", 300, 2));
    for _ in 0..3 {
        let report = observe.report(&context, 0).await;
        assert_eq!(report.decisions()[0].mode, Mode::Sequential);
    }
    // Three runs in a row took longer than half a second.
    let report = observe.report(&context, 0).await;
    assert_eq!(report.decisions()[0].mode, Mode::Parallel);
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

mod following {
    use std::sync::Arc;

    use universal_orchestrator_patterns::{Assignment, NamedStep, SharedStep, WavePlanner};

    /// Asks who is behind a service, and then who is behind those, until a cause is found.
    pub(super) struct Follow {
        pub(super) ask: SharedStep<String, Vec<String>>,
    }

    impl WavePlanner for Follow {
        type Start = String;
        type Input = String;
        type Output = Vec<String>;

        fn next(
            &self,
            start: &String,
            found: &[NamedStep<Vec<String>>],
        ) -> Vec<Assignment<String, Vec<String>>> {
            let behind = found
                .iter()
                .filter_map(|step| step.result().data())
                .flatten();
            let all = std::iter::once(start).chain(behind);
            // A key that was asked before is not asked again.
            all.map(|name| Assignment::new(name, Arc::clone(&self.ask), name.clone()))
                .collect()
        }

        fn confidence(&self, found: &[NamedStep<Vec<String>>]) -> f64 {
            let is_known = found.iter().any(|step| step.name() == "disk");
            if is_known { 0.9 } else { 0.2 }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waves() -> Tested {
    let (orchestrator, context) = world().await?;
    use following::Follow;
    let behind: SharedStep<String, Vec<String>> = Arc::new(Specialist::function(
        "behind",
        |name: String, _: StepContext| async move {
            let all: &[&str] = match &*name {
                "shop" => &["payments", "search"],
                "payments" => &["disk"],
                _ => &[],
            };
            Ok::<_, StepFailure>(all.iter().map(|name| (*name).to_owned()).collect())
        },
    ));
    use universal_orchestrator_patterns::{StopReason, WaveLimits, Waves};

    let limits = WaveLimits {
        waves_max: 5,
        confidence: 0.8,
        ..WaveLimits::default()
    };
    let follow = Waves::new("follow", Follow { ask: behind }).limits(limits);
    let report = follow.report(&context, "shop".to_owned()).await;
    let asked: Vec<_> = report.steps().iter().map(|step| step.name()).collect();
    assert_eq!(asked, ["shop", "payments", "search", "disk"]);
    assert_eq!(report.stopped(), Some(&StopReason::Enough));
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn first_of() -> Tested {
    let (orchestrator, context) = world().await?;
    use universal_orchestrator_patterns::{Fallback, Quorum, Race, Step};

    let chain = Fallback::new("model")
        .step(fails("large"))
        .step(asks("small", 10, 1));
    assert_eq!(chain.run(&context, 0).await.data(), Some(&1));
    assert_eq!((chain.counts().primary, chain.counts().fallback), (0, 1));

    let race = Race::new("mirrors")
        .step(asks("far", 300, 1))
        .step(asks("near", 50, 2));
    assert_eq!(race.run(&context, 0).await.data(), Some(&2));

    let judges = Quorum::new("judges", 2)
        .agreeing(|a, b| a == b)
        .step(asks("a", 10, 7))
        .step(asks("b", 20, 8))
        .step(asks("c", 30, 7));
    assert!(judges.run(&context, 0).await.is_success());
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn map_reduce() -> Tested {
    let (orchestrator, context) = world().await?;
    use tokio::sync::mpsc;
    use universal_orchestrator_patterns::MapReduce;

    let (sender, mut inputs) = mpsc::channel(4);
    let send = async move {
        for n in 0..6 {
            // Waits while there is no place: that is the back-pressure.
            sender.send(n).await?;
        }
        Ok::<_, mpsc::error::SendError<u32>>(())
    };
    let map = MapReduce::new(asks("one", 10, 5)).at_most(2);
    let run = map.run(&context, &mut inputs, 0, |sum, mapped| {
        *sum += mapped.result.into_data().unwrap_or(0);
    });
    let (reduced, sent) = tokio::join!(run, send);
    sent?;
    assert_eq!((reduced.value, reduced.taken, reduced.failed), (30, 6, 0));
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn costs() -> Tested {
    let (orchestrator, context) = world().await?;
    use universal_orchestrator_patterns::{CostTable, Sequential};

    let observe = Sequential::new("observe")
        .step(asks("application", 10, 1).estimate(Amount::tokens(20)))
        .step(asks("network", 10, 2).estimate(Amount::tokens(20)));
    let report = observe.report(&context, 0).await;
    let table = CostTable::of(&report).within(context.account().as_ref());
    assert_eq!((table.estimate().tokens, table.actual().tokens), (40, 20));
    assert!(
        table
            .to_string()
            .contains("run: tokens 20 of 100, utilisation 20.0 %")
    );
    let json = serde_json::to_value(&table)?;
    assert_eq!(json["steps"][0]["actual"]["tokens"], 10);
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}
