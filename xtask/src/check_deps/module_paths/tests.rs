use super::*;

/// Scans `source` as the module `a::b` and returns `line:name` of what it names.
fn check(source: &str) -> Vec<String> {
    let module = ["a".to_owned(), "b".to_owned()];
    scan(source.parse().unwrap(), &module)
        .references
        .iter()
        .map(|found| format!("{}:{}", found.line, found.name))
        .collect()
}

#[test]
fn finds_use_declarations_and_inline_paths() {
    assert_eq!(check("use crate::engine::Engine;"), ["1:engine"]);
    assert_eq!(
        check("pub use crate::{\n  task::{Task, TaskId},\n  id as identity,\n};"),
        ["2:task", "3:id"]
    );
    assert_eq!(
        check("fn f() -> crate::x::Y {\n  crate::z::g(|| crate::r#w::h())\n}"),
        ["1:x", "2:z", "2:w"]
    );
    assert_eq!(
        check("use crate::a_name_at_the_root;"),
        ["1:a_name_at_the_root"]
    );
}

#[test]
fn finds_paths_inside_macros_and_attributes() {
    assert_eq!(
        check(
            "fn f() { select! { x = crate::one::g() => {} } }\nmacro_rules! m { () => { $crate::two::h() } }"
        ),
        ["1:one", "2:two"]
    );
    assert_eq!(check("#[derive(crate::three::D)] struct S;"), ["1:three"]);
}

#[test]
fn follows_super_to_the_root() {
    assert_eq!(check("use super::super::engine::Engine;"), ["1:engine"]);
    assert_eq!(check("use super::{super::engine, c};"), ["1:engine"]);
    assert_eq!(check("use self::super::super::engine;"), ["1:engine"]);
    assert_eq!(
        check("use super::c::D; use super::*; use self::e;"),
        Vec::<String>::new()
    );
    assert_eq!(
        check("mod inner { use super::super::c; use super::super::super::engine; }"),
        ["1:engine"]
    );
    assert_eq!(
        check("use super::super::super::too_far;"),
        Vec::<String>::new()
    );
}

#[test]
fn a_glob_of_the_root_is_a_star() {
    assert_eq!(check("use crate::*;"), ["1:*"]);
    assert_eq!(check("use crate::{self as root};"), ["1:*"]);
    assert_eq!(check("use super::super::*;"), ["1:*"]);
}

#[test]
fn comments_strings_and_visibility_are_ignored() {
    let source = r#"
        //! crate::one::X
        // crate::two::X
        /* crate::three::X /* crate::four::X */ */
        /// [`crate::five::X`]
        pub(crate) fn f() -> &'static str { "crate::six::X" }
    "#;
    assert_eq!(check(source), Vec::<String>::new());
}

#[test]
fn test_code_is_ignored_and_what_follows_is_not() {
    for item in [
        "mod tests { use crate::hidden::X; }",
        "mod tests;",
        "use crate::{hidden::X, hidden::Y};",
        "pub(crate) fn f(x: crate::hidden::X) { crate::hidden::f(); }",
        "const fn f() { crate::hidden::f() }",
        "const X: crate::hidden::X = crate::hidden::X { y: 1 };",
        "#[derive(Debug)] struct S { x: crate::hidden::X }",
        "impl crate::hidden::X { }",
    ] {
        let source = format!("#[cfg(test)] {item}\nuse crate::seen::X;");
        assert_eq!(check(&source), ["2:seen"], "{item}");
    }
    assert_eq!(
        check("struct S { #[cfg(test)] x: crate::hidden::X, y: crate::seen::Y }"),
        ["1:seen"]
    );
    assert_eq!(
        check("#![cfg(test)] use crate::hidden::X;"),
        Vec::<String>::new()
    );
}

#[test]
fn only_conditions_that_require_tests_hide_code() {
    let condition = |text: &str| check(&format!("#[cfg({text})] use crate::x::Y;"));
    assert_eq!(condition("all(unix, test)"), Vec::<String>::new());
    assert_eq!(condition("not(test)"), ["1:x"]);
    assert_eq!(condition("any(test, feature = \"f\")"), ["1:x"]);
    assert_eq!(condition("feature = \"test\""), ["1:x"]);
}

#[test]
fn test_modules_in_other_files_are_noted() {
    let source = "#[cfg(test)] mod fixtures; #[cfg(test)] mod inline { } mod real;";
    let scan = scan(source.parse().unwrap(), &["a".to_owned()]);
    assert_eq!(scan.test_modules, [["a".to_owned(), "fixtures".to_owned()]]);
}
