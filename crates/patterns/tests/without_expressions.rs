//! A program without the feature `expressions`: files without them work, others are refused with its name.
#![cfg(not(feature = "expressions"))]

use universal_orchestrator_patterns::{ProblemKind, StepLibrary, Workflow};

#[test]
fn an_expression_is_refused_with_the_name_of_the_feature() {
    let text = "name = \"w\"\n[[steps]]\nname = \"a\"\n[[steps]]\nname = \"b\"\nneeds = [\"a\"]\n";
    let workflow = Workflow::from_toml(text, &StepLibrary::new()).expect("it has no expression");
    assert_eq!(workflow.plan().waves(), [["a"], ["b"]]);
    let text = format!("{text}when = \"1 == 1\"\n");
    let errors = Workflow::from_toml(&text, &StepLibrary::new()).expect_err("it has one");
    let [problem] = errors.problems() else {
        panic!("{errors}")
    };
    assert_eq!(problem.problem().kind(), &ProblemKind::Feature);
    assert_eq!((problem.line(), problem.column()), (7, 8));
    assert!(problem.problem().remedy().contains("feature expressions"));
}
