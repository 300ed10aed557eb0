//! The beginning of the guide.

use crate::{Tested, with_readers};

#[tokio::test(start_paused = true)]
async fn quick_start() -> Tested {
    let orchestrator = with_readers().await?;
    use std::time::Duration;
    use universal_orchestrator::{Limits, Task};
    use universal_orchestrator_patterns::{OrchestrationContext, Parallel, Specialist};

    let context = OrchestrationContext::builder(&orchestrator)
        .request("incident-17")
        .tenant("shop")
        .deadline_in(Duration::from_secs(30))
        .budget(Limits::unlimited().with_tokens(10_000))
        .build()?;
    let logs: Specialist<String, usize> =
        Specialist::agent("logs", Task::new("read").requires(["logs"]));
    let metrics: Specialist<String, usize> =
        Specialist::agent("metrics", Task::new("read").requires(["metrics"]));

    let observe = Parallel::new("observe").step(logs).step(metrics);
    let report = observe.report(&context, "one\ntwo".to_owned()).await;
    assert_eq!(
        report.found().collect::<Vec<_>>(),
        [("logs", &2), ("metrics", &2)]
    );
    assert!(report.missing().is_empty());
    assert_eq!(report.cost().tokens, 14);
    drop(context);
    orchestrator.shutdown().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn contexts_narrow() -> Tested {
    let orchestrator = with_readers().await?;
    use std::time::Duration;
    use universal_orchestrator::Limits;
    use universal_orchestrator_patterns::OrchestrationContext;

    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = OrchestrationContext::builder(&orchestrator)
        .trace(header, None)
        .with(Region("eu-west-1"))
        .budget(Limits::unlimited().with_tokens(1_000))
        .build()?;
    let child = context
        .child()
        .name("network")
        .deadline_in(Duration::from_secs(5))
        .budget(Limits::unlimited().with_tokens(100))
        .build()?;
    assert_eq!(
        child.get::<Region>().map(|region| region.0),
        Some("eu-west-1")
    );
    assert_eq!(child.trace().trace_id(), context.trace().trace_id());
    context.cancel();
    assert!(child.is_cancelled());
    drop((context, child));
    orchestrator.shutdown().await;
    Ok(())
}

struct Region(&'static str);
