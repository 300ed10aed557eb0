//! What is wrong is found before anything runs, all of it at once.

use serde_json::json;
use universal_orchestrator::RetryPolicy;
use universal_orchestrator_patterns::{
    Join, PROBLEMS_MAX, ProblemKind, ValueType, Workflow, WorkflowStep,
};

use crate::{constant, echo, errors, said};

#[test]
fn all_problems_are_listed_at_once() {
    let builder = Workflow::builder("w")
        .step(constant("a", json!(1)).gives(ValueType::record([("n", ValueType::Integer)])))
        .step(
            WorkflowStep::run("b", echo("b"))
                .takes(ValueType::record([("n", ValueType::Text)]))
                .input("n", "steps.a.n"),
        )
        .step(WorkflowStep::collect("b").needs(["aa"]))
        .step(WorkflowStep::collect("c").needs(["d"]))
        .step(WorkflowStep::collect("d").needs(["c"]))
        .step(WorkflowStep::collect("e").when("steps.a.m == 1"))
        .step(WorkflowStep::collect("f").when("1 +"))
        .step(WorkflowStep::collect("g").when("false"))
        .output("x", "steps.zz");
    let errors = errors(builder);
    let kinds: Vec<_> = errors
        .problems()
        .iter()
        .map(|p| (p.step(), p.kind().clone()))
        .collect();
    let has =
        |step: Option<&str>, kind: &ProblemKind| kinds.iter().any(|(s, k)| *s == step && k == kind);
    assert!(has(Some("b"), &ProblemKind::Duplicate));
    assert!(has(Some("b"), &ProblemKind::Unknown));
    assert!(has(Some("b"), &ProblemKind::Type));
    let path = ["c", "d", "c"].map(str::to_owned).to_vec();
    assert!(has(Some("c"), &ProblemKind::Cycle { path }));
    assert!(has(Some("e"), &ProblemKind::Unknown));
    assert!(has(Some("f"), &ProblemKind::Expression));
    assert!(has(Some("g"), &ProblemKind::Unreachable));
    assert!(has(None, &ProblemKind::Unknown));
    assert_eq!(errors.problems().len(), 8, "{errors}");
}

#[test]
fn a_cycle_is_shown_as_its_path() {
    let step =
        |name: &str, needs: &[&str]| WorkflowStep::collect(name).needs(needs.iter().copied());
    let builder = Workflow::builder("w")
        .step(step("behind", &["a"]))
        .step(step("a", &["b"]))
        .step(step("b", &["c"]))
        .step(step("c", &["a", "start"]))
        .step(step("start", &[]))
        .step(step("self", &["self"]));
    assert_eq!(
        said(builder),
        [
            "step \"a\", steps[1]: a cycle: a -> b -> c -> a, where -> is \"needs\"; take out one of these dependencies, or write a loop with until",
            "step \"self\", steps[5]: a cycle: self -> self, where -> is \"needs\"; take out one of these dependencies, or write a loop with until",
        ]
    );
}

#[test]
fn references_are_checked_with_their_types() {
    let given = ValueType::record([
        ("text", ValueType::Text),
        ("list", ValueType::list(ValueType::Integer)),
    ]);
    let takes = |name: &str, of: ValueType, reference: &str| {
        WorkflowStep::run(name, echo(name))
            .takes(ValueType::record([("x", of)]))
            .input("x", reference)
    };
    let builder = Workflow::builder("w")
        .takes(ValueType::record([("n", ValueType::Integer)]))
        .step(constant("a", json!(1)).gives(given).when("input.n > 1"))
        .step(takes("fits", ValueType::Number, "input.n"))
        .step(takes("wrong", ValueType::Number, "steps.a.text"))
        .step(takes("near", ValueType::Text, "steps.a.txt"))
        .step(takes("deep", ValueType::Any, "steps.a.text.more"))
        .step(takes("missing", ValueType::Text, "steps.a.text").join(Join::Done))
        .step(takes("maybe", ValueType::Text.optional(), "steps.a.text").join(Join::Done))
        .step(takes("item", ValueType::Any, "item"))
        .step(takes("root", ValueType::Any, "stepz.a"))
        .step(
            WorkflowStep::collect("each")
                .for_each("steps.a.text")
                .input("x", "item"),
        )
        .step(takes("of_list", ValueType::Text, "item").for_each("steps.a.list"));
    assert_eq!(
        said(builder),
        [
            "step \"item\", steps[7].inputs.x: item outside of a fan-out; use it in a step with for_each",
            "step \"root\", steps[8].inputs.x: the reference \"stepz.a\" begins with none of input, steps, item, index, last, iteration; write input.FIELD or steps.NAME.FIELD, or set the value under constants",
            "step \"wrong\", steps[2].inputs.x: \"x\" is text where number is declared; read another value, or declare another type",
            "step \"near\", steps[3].inputs.x: unknown field \"txt\"; did you mean text?",
            "step \"deep\", steps[4].inputs.x: the field \"more\" of a value that is text; only a record has fields",
            "step \"missing\", steps[5].inputs.x: \"x\" is text that may be missing where text is declared; read another value, or declare another type",
            "step \"each\", steps[9].for_each: for_each over a value that is text; name a list",
            "step \"of_list\", steps[10].inputs.x: \"x\" is integer where text is declared; read another value, or declare another type",
        ]
    );
}

#[test]
fn settings_that_do_nothing_or_exclude_each_other_are_refused() {
    let builder = Workflow::builder("w")
        .step(
            WorkflowStep::gate("gate", "?")
                .decides_after(std::time::Duration::from_secs(1), "maybe"),
        )
        .step(WorkflowStep::collect("retried").retry(RetryPolicy::immediate(2)))
        .step(constant("both", json!(1)).until("true").for_each("input"))
        .step(constant("many", json!(1)).iterations_max(3))
        .step(
            constant("far", json!(1))
                .until("iteration > 1")
                .iterations_max(1_000_000),
        )
        .step(
            constant("twice", json!(1))
                .input("x", "input")
                .constant("x", 1),
        )
        .step(constant("for", json!(1)))
        .step(
            constant("my-step", json!(1))
                .fallback("x")
                .gives(ValueType::Integer),
        );
    assert_eq!(
        said(builder),
        [
            "step \"gate\", steps[0].gate.default: the default \"maybe\" is none of the choices; write one of approve, reject",
            "step \"both\", steps[2].for_each: a loop and for_each in one step; put one of them into a workflow of its own, and run that as a step",
            "step \"many\", steps[3].iterations_max: iterations_max without a loop; write until or while, or leave it out",
            "step \"far\", steps[4].iterations_max: 1000000 iterations; write 1 to 10000",
            "step \"twice\", steps[5].constants.x: the field \"x\" is read and constant; keep one of the two",
            "step \"for\", steps[6].name: \"for\" is a word of the expression language; write another name",
            "step \"my-step\", steps[7].name: \"my-step\" cannot be a name; write letters, digits and _, and begin with a letter, for example my_step",
            "step \"my-step\", steps[7].fallback: the fallback does not fit what the step gives: it is text where integer is declared; write a value of the type under gives",
            "step \"retried\", steps[1].retry: retry of a step that does nothing by itself; leave it out, or write run or agent",
        ]
    );
}

#[test]
fn what_can_never_run_is_found() {
    let builder = Workflow::builder("w")
        .step(constant("never", json!(1)).when("1 > 2"))
        .step(WorkflowStep::collect("behind").needs(["never"]))
        .step(
            WorkflowStep::collect("done")
                .needs(["never"])
                .join(Join::Done),
        );
    assert_eq!(
        said(builder),
        [
            "step \"never\", steps[0].when: the step can never run: its condition is always false; compare something that is known when it runs, or take the step out",
            "step \"behind\", steps[1]: the step can never run: it needs \"never\", which never runs; take out \"never\" and what needs it, or write join = \"done\"",
        ]
    );
}

#[test]
fn expressions_are_checked_with_their_types() {
    let given = ValueType::record([
        ("text", ValueType::Text),
        ("number", ValueType::Number),
        (
            "list",
            ValueType::list(ValueType::record([("n", ValueType::Integer)])),
        ),
    ]);
    let cases = [
        (
            "steps.a.text",
            "the expression is text, and a condition is true or false; compare it with something",
        ),
        (
            "steps.a.text == 1",
            "text is compared with integer, and they are never equal; compare values of one type",
        ),
        (
            "steps.a.text > 1",
            "text > integer, which have no order; compare two numbers or two texts",
        ),
        (
            "steps.a.number + 1 > 2.0",
            "number + integer; write a number with a fraction, as 1.0, or double(…) around an integer",
        ),
        (
            "steps.a.tex == 'x'",
            "unknown field \"tex\"; did you mean text?",
        ),
        ("steps.b.text == 'x'", "unknown step \"b\"; did you mean a?"),
        (
            "steps == 1",
            "steps without the name of a step; write steps.NAME",
        ),
        (
            "step.a == 1",
            "unknown variable \"step\"; did you mean steps?",
        ),
        (
            "steps.a.list.exists(x, x.m == 1)",
            "unknown field \"m\"; did you mean n?",
        ),
        (
            "steps.a.list.map(x, x.n) == 'x'",
            "list of integer is compared with text, and they are never equal; compare values of one type",
        ),
        (
            "size(steps.a.number) > 1",
            "the size of a value that is number; a text, a list and a record have a size",
        ),
        (
            "steps.a.text.contain('x')",
            "unknown function \"contain\"; did you mean contains?",
        ),
        (
            "steps.a.text.matches('x')",
            "unknown function \"matches\"; known are all, contains, double, endsWith, exists, exists_one, filter, has, int, map, size, startsWith, string",
        ),
        (
            "steps.a.list[0].n[1] == 1",
            "an element of a value that is integer; only a list has elements, and a record fields",
        ),
        (
            "'x' in steps.a.list.map(x, x.n)",
            "text in a value that is list of integer; look for an element in a list of its type",
        ),
        (
            "last.n == 1",
            "last outside of a loop; use it in until or while",
        ),
        (
            "!steps.a.text",
            "! of a value that is text; compare it with something",
        ),
        (
            "status.a == 1",
            "text is compared with integer, and they are never equal; compare values of one type",
        ),
        (
            "{'a': 1}.a == 1",
            "a record in an expression; compare its fields one by one",
        ),
        (
            "1u == 1",
            "an unsigned number in an expression; write it without the u",
        ),
        (
            "steps.a.text == \"x\" and true",
            "the expression cannot be read: mismatched input 'and'; write && for and",
        ),
        (
            "steps.a.text = 'x'",
            "the expression cannot be read at \"= 'x'\"; write == to compare",
        ),
        (
            "steps.a.text == 'x",
            "the expression cannot be read at \"'x\"; close the text with the quote that opens it",
        ),
        (
            "steps.a.number ==",
            "the expression cannot be read: mismatched input '<EOF>'; complete the expression",
        ),
        (
            "  ",
            "an empty expression; write a condition, or leave the key out",
        ),
    ];
    for (expression, expected) in cases {
        let builder = Workflow::builder("w")
            .step(constant("a", json!(1)).gives(given.clone()))
            .step(WorkflowStep::collect("c").when(expression));
        let place = "step \"c\", steps[1].when: ";
        assert_eq!(
            said(builder),
            [format!("{place}{expected}")],
            "{expression}"
        );
    }
}

#[test]
fn hostile_expressions_are_refused_or_read_and_never_overflow() {
    let deep =
        |open: &str, close: &str, n: usize| format!("{}true{}", open.repeat(n), close.repeat(n));
    let texts = [
        vec!["1"; 200].join("+") + " > 1",
        deep("(", ")", 200),
        deep("[", "]", 100),
        deep("!", "", 400),
        format!("{}1 > 0", "-".repeat(400)),
        deep("size(", ")", 60),
        deep("input.all(x, ", ")", 30),
        "true ? ".repeat(60) + "true",
        "input".to_owned() + &".a".repeat(200),
        "input".to_owned() + &"[0]".repeat(150),
        "x".repeat(600),
        "'".repeat(501),
        "\u{0}\u{1}\u{feff}é€😀".repeat(20),
    ];
    for text in texts {
        let _ = Workflow::builder("w")
            .step(WorkflowStep::collect("c").when(text))
            .build();
    }
    let chain = vec!["true"; 60].join(" && ");
    let builder = Workflow::builder("w").step(WorkflowStep::collect("c").when(chain));
    assert!(builder.build().is_ok());
}

#[test]
fn problems_beyond_the_limit_are_counted() {
    let mut builder = Workflow::builder("w");
    for step in 0..PROBLEMS_MAX + 50 {
        builder = builder.step(WorkflowStep::collect(format!("s{step}")).needs(["nowhere"]));
    }
    let errors = errors(builder);
    assert_eq!(
        (errors.problems().len(), errors.unlisted()),
        (PROBLEMS_MAX, 50)
    );
    assert!(errors.to_string().ends_with("- and 50 more"));
}
