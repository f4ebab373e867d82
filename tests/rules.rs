//! The specification against the code: every rule has an id, and every id is kept by code and shown by a test.
//!
//! Only the ids are compared. Whether code keeps a rule, and whether the test that cites it can fail, is for reviewers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const SPECIFICATION: &str = "schemas/SPECIFICATION.md";

type Citations = BTreeMap<String, BTreeSet<PathBuf>>;

#[test]
fn every_rule_is_defined_once_and_cited_by_code_and_by_a_test() {
    let specification = read(&root().join(SPECIFICATION));
    let mut defined = BTreeSet::new();
    let mut offences = Vec::new();
    for id in definitions(&specification) {
        if !defined.insert(id.clone()) {
            offences.push(format!("{id}: defined twice"));
        }
    }
    assert!(defined.len() > 100, "only {} rules found: the specification's form has changed", defined.len());

    let (in_code, in_tests) = citations_of_sources();
    for id in &defined {
        if !in_code.contains_key(id) {
            offences.push(format!("{id}: no code cites it"));
        }
        if !in_tests.contains_key(id) {
            offences.push(format!("{id}: no test cites it"));
        }
    }
    let in_specification = cited_ids(&specification).into_iter().map(|id| (id, BTreeSet::from([SPECIFICATION.into()])));
    for (id, places) in in_code.into_iter().chain(in_tests).chain(in_specification) {
        if !defined.contains(&id) {
            offences.push(format!("{id}: not defined, but cited in {places:?}"));
        }
    }
    offences.sort();
    offences.dedup();
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

#[test]
fn requirement_words_and_ids_go_together() {
    let specification = read(&root().join(SPECIFICATION));
    let mut offences = Vec::new();
    for block in blocks(&specification) {
        let words = block
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| matches!(*word, "MUST" | "SHALL" | "SHOULD" | "REQUIRED"))
            .count();
        let ids = definitions(&block).len();
        if words != ids || ids > 1 {
            offences.push(format!("{words} requirement words and {ids} ids in: {block}"));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n\n"));
}

/// Ids as they are defined: bold.
fn definitions(text: &str) -> Vec<String> {
    text.split("**")
        .skip(1)
        .step_by(2)
        .filter(|bold| cited_ids(bold).first().is_some_and(|id| id == bold))
        .map(String::from)
        .collect()
}

/// Everything that looks like an id: `R-`, a section's number, `-`, a number.
fn cited_ids(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for (start, _) in text.match_indices("R-") {
        let goes_on = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
        let rest = &text[start + 2..];
        let section = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())];
        let Some(number) = rest[section.len()..].strip_prefix('-') else { continue };
        let number = &number[..number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len())];
        if !goes_on && section.starts_with(|c: char| c.is_ascii_digit()) && !number.is_empty() {
            ids.push(format!("R-{section}-{number}"));
        }
    }
    ids
}

/// Paragraphs, items of lists and rows of tables.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        if line.is_empty() || line.starts_with("- ") || line.starts_with('|') {
            blocks.push(String::new());
        }
        let block = blocks.last_mut().unwrap();
        block.push_str(line);
        block.push('\n');
    }
    blocks
}

/// What the library and the adapters cite, and what tests cite.
fn citations_of_sources() -> (Citations, Citations) {
    let (mut code, mut tests) = (Citations::new(), Citations::new());
    for folder in ["src", "adapters", "tests", "fuzz"] {
        for path in sources_below(&root().join(folder)) {
            let text = read(&path);
            let path = path.strip_prefix(root()).unwrap().to_path_buf();
            if path.starts_with("tests/kit") {
                continue; // neither keeps rules nor shows them
            }
            let (own, own_tests) = if is_test(&path) { ("", text.as_str()) } else { split_at_tests(&text) };
            for (part, citations) in [(own, &mut code), (own_tests, &mut tests)] {
                for id in cited_ids(part) {
                    citations.entry(id).or_default().insert(path.clone());
                }
            }
        }
    }
    (code, tests)
}

fn is_test(path: &Path) -> bool {
    let in_folder = path.iter().any(|part| part == "tests" || part == "fuzz");
    let stem = path.file_stem().unwrap().to_string_lossy();
    in_folder || stem == "tests" || stem.ends_with("_tests")
}

/// Unit tests stand at the end of a file, in a module that is compiled for tests alone.
fn split_at_tests(text: &str) -> (&str, &str) {
    let begins = text.match_indices("\n#[cfg(").map(|(place, _)| place).find(|place| {
        let mut lines = text[*place..].lines().skip(1);
        let condition = lines.next().unwrap_or_default();
        let for_tests = condition == "#[cfg(test)]" || condition.starts_with("#[cfg(all(test, ");
        let module = lines.next().unwrap_or_default();
        for_tests && module.starts_with("mod ") && module.ends_with('{')
    });
    text.split_at(begins.unwrap_or(text.len()))
}

fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("generated") {
                sources.extend(sources_below(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    sources
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
