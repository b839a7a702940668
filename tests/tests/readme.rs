//! What the README quotes is what is compiled.

use std::fs;
use std::path::Path;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect("the start of the quoted part");
    rest.split_once(end).expect("the end of the quoted part").0.trim()
}

#[test]
fn the_readme_quotes_the_run_loop_of_the_core() {
    let example = file("core/examples/blocking.rs");
    let quoted = between(&example, "// [run-loop]", "// [/run-loop]");
    assert!(file("README.md").contains(quoted), "README.md and core/examples/blocking.rs differ");
}

#[test]
fn the_readme_quotes_the_axum_app() {
    let example = file("shell-tokio/examples/axum.rs");
    let (_, quoted) = example.split_once("\n\n").expect("code after the example's comment");
    assert!(file("README.md").contains(quoted.trim()), "README.md and shell-tokio/examples/axum.rs differ");
}
