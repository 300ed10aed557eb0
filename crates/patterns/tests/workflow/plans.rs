//! What is known before a run, and what a run tells.

use std::time::Duration;

use serde_json::{Value, json};
use universal_orchestrator::Amount;
use universal_orchestrator_patterns::{
    Certainty, Join, OrchestrationContext, Progress, ProgressKind, Progressed, STEPS_MAX, Workflow,
    WorkflowStep,
};

use crate::common::orchestrator;
use crate::{built, constant, echo, fails, gives};

fn release() -> Workflow {
    let ms = Duration::from_millis;
    built(
        Workflow::builder("release")
            .step(
                WorkflowStep::run("build", echo("build"))
                    .expected_duration(ms(300))
                    .expected_cost(Amount::tokens(10)),
            )
            .step(
                WorkflowStep::run("test", echo("test"))
                    .needs(["build"])
                    .for_each("input.suites")
                    .expected_duration(ms(500)),
            )
            .step(
                WorkflowStep::run("lint", echo("lint"))
                    .needs(["build"])
                    .expected_duration(ms(50))
                    .until("iteration > 1")
                    .iterations_max(3),
            )
            .step(
                WorkflowStep::gate("approve", "Publish \"1.0\" <now>?")
                    .needs(["test", "lint"])
                    .decides_after(ms(5), "reject"),
            )
            .step(
                WorkflowStep::run("publish", echo("publish"))
                    .title("Publish; [all]")
                    .when("steps.approve.decision == 'approve'")
                    .expected_cost(Amount::tokens(5)),
            )
            .step(
                WorkflowStep::collect("nightly")
                    .needs(["build"])
                    .when("input.nightly == true"),
            )
            .step(WorkflowStep::collect("announce").needs(["publish"]))
            .step(
                WorkflowStep::collect("clean")
                    .needs(["publish", "nightly"])
                    .join(Join::Done),
            ),
    )
}

#[test]
fn a_plan_says_what_would_run_in_which_wave_and_what_decides() {
    let workflow = release();
    let plan = workflow.plan_for(&json!({"nightly": false, "suites": []}));
    let expected = "\
plan of release
   1  build, 300ms
   2  test, for each item, 500ms
   2  lint, up to 3 times, 50ms
   2  nightly, skipped by nightly
   3  approve, waits for a decision
   4  publish, depends on publish
   5  announce, depends on publish
   5  clean
critical path: 800ms, build -> test (4 steps without an expected duration)
";
    assert_eq!(plan.to_string(), expected);
    assert_eq!(plan.cost(), Amount::tokens(15));
    let unknown = workflow.plan();
    let on = |name: &str| Certainty::Depends {
        on: vec![name.to_owned()],
    };
    assert_eq!(unknown.steps()[5].certainty, on("nightly"));
    assert_eq!(unknown.steps()[7].certainty, Certainty::Certain);
    assert_eq!(unknown.costs().estimate(), Amount::tokens(15));
    let json = serde_json::to_value(&plan).expect("it is JSON");
    assert_eq!(json["steps"][5]["certainty"], "skipped");
    assert_eq!(json["critical_path"]["steps"], json!(["build", "test"]));
}

#[tokio::test(start_paused = true)]
async fn it_is_drawn_with_escaped_texts() {
    let workflow = release();
    let expected = "\
flowchart TD
    s0[\"build\"]
    s1[[\"test<br/>for each item\"]]
    s2[\"lint<br/>until iteration #62; 1\"]
    s3{{\"approve<br/>Publish #34;1.0#34; #60;now#62;?\"}}
    s4[\"Publish#59; #91;all#93;<br/>when steps.approve.decision #61;#61; #39;approve#39;\"]
    s5[\"nightly<br/>when input.nightly #61;#61; true\"]
    s6[\"announce\"]
    s7[\"clean\"]
    s0 --> s1
    s0 --> s2
    s1 --> s3
    s2 --> s3
    s3 --> s4
    s0 --> s5
    s4 --> s6
    s4 --> s7
    s5 --> s7
";
    assert_eq!(workflow.mermaid(), expected);
    let o = orchestrator().await;
    let input = json!({"nightly": true, "suites": [1]});
    let report = workflow.report(&crate::common::context(&o), input).await;
    let drawn = workflow.mermaid_of(&report);
    assert!(drawn.contains("s0[\"build\"]:::success\n"), "{drawn}");
    assert!(drawn.contains("s6[\"announce\"]:::skipped\n"), "{drawn}");
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_steps_are_planned_and_drawn_on_a_small_stack() {
    let mut chain = Workflow::builder("chain");
    for step in 0..STEPS_MAX {
        let made =
            WorkflowStep::collect(format!("s{step}")).expected_duration(Duration::from_millis(1));
        chain = chain.step(match step {
            0 => made,
            _ => made.needs([format!("s{}", step - 1)]),
        });
    }
    let workflow = built(chain);
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let work = move || (workflow.plan(), workflow.mermaid());
    let (plan, picture) = thread
        .spawn(work)
        .expect("there is a thread")
        .join()
        .expect("it ended");
    assert_eq!(plan.critical_path().duration, Duration::from_secs(10));
    assert_eq!(plan.waves().len(), STEPS_MAX);
    assert_eq!(picture.lines().count(), 2 * STEPS_MAX);
}

#[tokio::test(start_paused = true)]
async fn progress_tells_what_happens_as_it_happens() {
    let o = orchestrator().await;
    let workflow = built(
        Workflow::builder("w")
            .step(WorkflowStep::run("a", gives("a", 10, json!(1))))
            .step(WorkflowStep::run("bad", fails("bad")).needs(["a"]))
            .step(WorkflowStep::collect("after").needs(["bad"]))
            .step(
                WorkflowStep::gate("gate", "?")
                    .needs(["a"])
                    .decides_after(Duration::from_secs(1), "reject"),
            ),
    );
    let progress = Progress::new(64);
    let mut reader = progress.reader();
    let context = OrchestrationContext::builder(&o)
        .request("r-1")
        .with(progress)
        .build()
        .expect("the parts are valid");
    let report = workflow.report(&context, Value::Null).await;
    assert!(!report.is_success());
    drop(context);
    let mut told = Vec::new();
    while let Some(read) = reader.next().await {
        let Progressed::Event(event) = read else {
            panic!("{read:?}")
        };
        assert_eq!(event.request, "r-1");
        told.push(event.to_string());
    }
    assert_eq!(
        told,
        [
            "w 0/4: began",
            "w 0/4: a started",
            "w 1/4: a succeeded",
            "w 1/4: bad started",
            "w 1/4: gate started",
            "w 1/4: gate waits at gate-1",
            "w 2/4: bad failed: work: told to fail",
            "w 3/4: after skipped: step bad, which it needs, failed",
            "w 4/4: gate succeeded",
            "w 4/4: did not succeed",
        ]
    );
    o.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_events_and_learns_how_many() {
    let o = orchestrator().await;
    let mut builder = Workflow::builder("w");
    for step in 0..50 {
        builder = builder.step(constant(&format!("s{step}"), json!(1)));
    }
    let progress = Progress::new(8);
    let (mut slow, _idle) = (progress.reader(), progress.reader());
    let context = OrchestrationContext::builder(&o)
        .with(progress)
        .build()
        .expect("the parts are valid");
    let report = built(builder).report(&context, Value::Null).await;
    assert!(report.is_success());
    let Some(Progressed::Lost(lost)) = slow.next().await else {
        panic!("it lost events")
    };
    assert_eq!(lost, 102 - 8);
    let Some(Progressed::Event(event)) = slow.next().await else {
        panic!("the rest is there")
    };
    assert!(!matches!(event.kind, ProgressKind::Began));
    o.shutdown().await;
}
