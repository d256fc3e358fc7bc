//! Keeps the house in order: layers, lengths, headers, and a project that speaks of itself alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file.
const LINES_MAX: usize = 500;

/// Modules and the layer they are in; each may use only modules of lower layers.
const LAYERS: [(&str, u8); 26] = [
    ("identity", 0),
    ("clock", 0),
    ("proto", 0),
    ("metrics", 1),
    ("policy", 1),
    ("signing", 1),
    ("log", 1),
    ("oidc", 1),
    ("pace", 1),
    ("slots", 1),
    ("telemetry", 2),
    ("domain", 2),
    ("config", 3),
    ("ledger", 3),
    ("client", 4),
    ("service", 4),
    ("aws", 5),
    ("grpc", 5),
    ("imds", 5),
    ("load", 5),
    ("rotation", 5),
    ("rewrap", 5),
    ("retention", 5),
    ("health", 5),
    ("serve", 6),
    ("cli", 7),
];

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn layer(module: &str) -> u8 {
    let found = LAYERS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("`{module}` has no layer: give it one in this test")).1
}

/// Protects the layers: an arrow that points up or sideways is a mistake in the design.
#[test]
fn modules_use_lower_layers_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources("src") {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                let known = LAYERS.iter().any(|(name, _)| *name == used);
                if known && used != module && layer(used) >= layer(module) {
                    wrong.push(format!("{}:{}: uses {used}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects readers: no file is longer than can be kept in mind, and each says what it is for.
#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for file in ["src", "tests", "benches", "examples", "proto"].into_iter().flat_map(sources) {
        // A data folder is among the tests.
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let is_rust = file.extension().is_some_and(|ending| ending == "rs");
        if is_rust && !text.starts_with("//!") {
            wrong.push(format!("{}: no header", file.display()));
        }
        if is_rust && text.lines().count() > LINES_MAX {
            wrong.push(format!("{}: more than {LINES_MAX} lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects protobuf users: the rules of buf's STANDARD set that names can break.
#[test]
fn protos_keep_to_the_rules() {
    let mut wrong = Vec::new();
    for file in sources("proto").into_iter().filter(|file| file.extension().unwrap() == "proto") {
        let text = fs::read_to_string(&file).unwrap();
        let folder = file.parent().unwrap().to_str().unwrap().replace('/', ".");
        let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap();
        let mut complain = |what: String| wrong.push(format!("{}: {what}", file.display()));
        if !folder.ends_with(package.trim_end_matches(';')) {
            complain(format!("package {package} does not match the folder"));
        }
        let mut before = "";
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let documented = before.trim_start().starts_with("//");
            match words.as_slice() {
                ["service", name, ..] if !name.ends_with("Service") => {
                    complain(format!("service {name} lacks the suffix"));
                }
                ["rpc", ..] => {
                    let name = words[1].split('(').next().unwrap();
                    let own = |kind| [format!("({name}{kind})"), format!("(stream {name}{kind})")];
                    let has = |kind| own(kind).iter().any(|message| line.contains(message));
                    if !has("Request") || !has("Response") {
                        complain(format!("{name} needs a request and a response of its own"));
                    }
                    if !documented {
                        complain(format!("{name} has no comment"));
                    }
                }
                [first, .., "=", number]
                    if number.ends_with(';') && *first != "syntax" && !documented =>
                {
                    complain(format!("`{}` has no comment", line.trim()));
                }
                _ => {}
            }
            before = line;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects operators who trust THREAT_MODEL.md: each test that it names is there.
#[test]
fn the_threat_model_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("THREAT_MODEL.md")).unwrap();
    let named: Vec<_> = text.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 40, "{} tests are named", named.len());
    for (file, test) in named {
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("no {file}"));
        assert!(source.contains(&format!("fn {test}()")), "{file} has no test {test}");
    }
}

/// Enums of `src/domain` whose names end so tell what happened or what is asked.
const FOLLOWED: [&str; 3] = ["Event", "EventKind", "Action"];

/// The enums of `src/domain` that are to be matched in full.
fn followed() -> Vec<String> {
    let mut names = Vec::new();
    for file in sources("src/domain") {
        let text = fs::read_to_string(&file).unwrap();
        let enums = text.lines().filter_map(|line| line.strip_prefix("pub enum "));
        let enums = enums.map(|rest| rest.trim_end_matches(" {").to_owned());
        names.extend(enums.filter(|name| FOLLOWED.iter().any(|end| name.ends_with(end))));
    }
    names
}

/// The lines of arms that catch all in matches with an arm that names one of `enums`; as rustfmt indents them.
fn catch_alls(text: &str, enums: &[String]) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let pattern = |arm: &str| arm.split(" =>").next().unwrap().to_owned();
    let word = |text: &str| {
        let from = text.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        text[from..].to_owned()
    };
    let names_one = |arm: &str| {
        let pattern = pattern(arm);
        let paths: Vec<&str> = pattern.split("::").collect();
        paths.iter().rev().skip(1).any(|before| enums.contains(&word(before)))
    };
    let catches_all = |arm: &str| {
        let name = pattern(arm);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        arm.contains(" =>") && name.chars().all(plain) && name != "true" && name != "false"
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_code = !line.trim_start().starts_with("//");
        let is_match = line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "match");
        if !is_code || !is_match || !line.ends_with('{') {
            continue;
        }
        let depth = indent(line);
        let inside = |line: &&&str| line.trim().is_empty() || indent(line) > depth;
        let inside = lines.iter().skip(at + 1).take_while(inside).zip(at + 2..);
        let arms: Vec<_> = inside.filter(|(line, _)| indent(line) == depth + 4).collect();
        if arms.iter().any(|(arm, _)| names_one(arm.trim())) {
            let catching = arms.iter().filter(|(arm, _)| catches_all(arm.trim()));
            found.extend(catching.map(|(_, number)| number));
        }
    }
    found
}

/// What edges leave to `service`: commands, ids and decisions.
const NOT_IN_EDGES: [&str; 10] = [
    "Action::",
    "Command {",
    ".draw_id(",
    ".draw_hex_id(",
    ".draw_minting(",
    ".perform(",
    ".perform_own(",
    ".require(",
    "Required {",
    " Question {",
];

/// Protects callers from an edge that does or judges otherwise than the other: edges rename, and nothing else.
#[test]
fn edges_build_no_command_draw_no_id_and_judge_nothing() {
    let edges = ["src/grpc", "src/aws", "src/imds"].into_iter().flat_map(sources);
    let is_test = |file: &Path| {
        let name = file.file_stem().unwrap().to_str().unwrap();
        name == "tests" || name.ends_with("_tests")
    };
    let mut wrong = Vec::new();
    for file in edges.filter(|file| !is_test(file)) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let found = NOT_IN_EDGES.iter().find(|word| line.contains(**word));
            let comment = line.trim_start().starts_with("//");
            if let Some(word) = found.filter(|_| !comment) {
                wrong.push(format!("{}:{}: `{word}` is for `service`", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects everyone who follows events or decides actions: a new one does not compile until each says what it means
/// there.
#[test]
fn events_and_actions_are_matched_in_full() {
    let enums = followed();
    assert!(enums.len() >= 16 && enums.iter().any(|name| name == "EventKind"), "{enums:?}");
    let mut wrong = Vec::new();
    for file in sources("src") {
        let text = fs::read_to_string(&file).unwrap();
        let found = catch_alls(&text, &enums);
        wrong.extend(found.iter().map(|line| format!("{}:{line}: catches all", file.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects the test above from finding nothing: what it is to find, and what it is to leave alone.
#[test]
fn arms_that_catch_all_are_found() {
    let text = "
fn followed(kind: &EventKind) {
    let first = kinds.find(|kind| match kind {
        EventKind::User(UserEvent::Created { .. })
        | EventKind::User(UserEvent::Deleted { .. }) => 1,
        Some(_) => 2,
        _ => 0,
    });
    match event {
        (1, event::UserEvent::Created { name }) => {
            match name {
                Name::One => {}
                _ => {}
            }
        }
        other => drop(other),
    }
    match stored {
        Kind::UserCreated(_) => EventKind::User(UserEvent::Created { name }),
        _ => return Err(()),
    }
    match event {
        UserEvent::Created { .. } if late => {}
        UserEvent::Created { .. } | UserEvent::Deleted { .. } => {}
    }
    // match event {
    match other {
        OtherEvents::One => {}
        _ => {}
    }
}
";
    let enums = ["EventKind", "UserEvent"].map(str::to_owned);
    assert_eq!(catch_alls(text, &enums), [7, 16]);
}
