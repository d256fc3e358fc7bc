//! The table of permissions beside AWS's Service Authorization Reference, of which two public copies are fetched by
//! `make reference`. What is compared is not what the table declares but what decisions have: every permission is refused
//! once in an account that has everything (`world.rs`), and the refusal's evidence holds the condition keys. All changes
//! and sessions are decided by `decide`; reads are asked as `service/read.rs` asks them, and of a real server besides.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod changes;
mod documented;
mod reads;
mod sessions;
mod stage;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use documented::{Documented, Reference};
use locum::domain::access::reference::{
    ACTIONS_BEYOND, BEYOND, DEPENDENT_BEYOND, DEPENDENT_NOT_NEEDED, Difference, GLOBAL_NEVER_SET,
    JUDGED_BEYOND, NEVER_SET, NOT_JUDGED,
};
use locum::domain::access::{GLOBAL_KEYS, Permission, ResourceKind};
use serde_json::json;
use world::{Asked, Keys, World};

static REFERENCE: LazyLock<Reference> = LazyLock::new(Reference::read);

/// What every permission of AWS's services was refused with.
static ASKED: LazyLock<Plays> = LazyLock::new(|| {
    let mut issuers = issuers();
    issuers.insert(changes::ISSUER.to_owned());
    let issuers: Vec<_> = issuers.into_iter().collect();
    let mut world = World::full(&issuers);
    let mut asked = changes::refused(&mut world);
    asked.extend(sessions::refused(&mut world, &issuers));
    let covered = asked.iter().map(|asked| asked.permission).collect();
    let reads = reads::refused(&world, &covered);
    Plays { changes: asked, reads }
});

/// What was refused.
struct Plays {
    /// Changes and requests for sessions.
    changes: Vec<Asked>,
    reads: Vec<Asked>,
}

impl Plays {
    fn iter(&self) -> impl Iterator<Item = &Asked> {
        self.changes.iter().chain(&self.reads)
    }
}

/// The permissions of AWS's services.
fn permissions() -> impl Iterator<Item = Permission> {
    let all = Permission::ALL.iter().copied();
    all.filter(|permission| !permission.action().starts_with("locum:"))
}

fn documented(permission: Permission) -> Option<Documented> {
    let is_beyond = ACTIONS_BEYOND.iter().any(|(beyond, _)| *beyond == permission);
    let documented = REFERENCE.action(permission);
    assert_eq!(
        documented.is_none(),
        is_beyond,
        "{permission:?}: listed and not so, or so and not listed"
    );
    documented
}

/// The issuers whose claims AWS documents as condition keys.
fn issuers() -> BTreeSet<String> {
    let documented = documented(Permission::AssumeRoleWithWebIdentity).unwrap();
    let keys = documented.of_request.into_iter();
    let issuers = keys.filter_map(|key| Some(key.split_once(':')?.0.to_owned()));
    issuers.filter(|issuer| issuer.contains('.')).collect()
}

/// The keys that decisions on a permission had, on resources of a kind or on any.
fn seen(permission: Permission, kind: Option<ResourceKind>) -> Keys {
    let about = |asked: &&Asked| {
        asked.permission == permission && kind.is_none_or(|kind| asked.kind == kind)
    };
    ASKED.iter().filter(about).flat_map(|asked| asked.keys.iter().cloned()).collect()
}

/// Keys that AWS counts among the global ones, and documents by action and resource.
const BY_ACTION: [&str; 3] = ["aws:requesttag/", "aws:resourcetag/", "aws:tagkeys"];

/// Whether a key is that of every caller or request.
fn is_global(key: &str) -> bool {
    REFERENCE.global.contains(key) && !BY_ACTION.contains(&key)
}

/// `ISSUER:` for what is a claim of a provider that AWS does not name.
fn family(key: &str) -> &str {
    match key.split_once(':') {
        Some((issuer, _)) if issuer.contains('.') => "ISSUER:",
        _ => key,
    }
}

/// A key that AWS documents for a permission: of the request, or of a kind of resource.
type Pair = (Permission, Option<ResourceKind>, String);

/// Every pair that AWS documents and whether a decision had the key.
fn documented_pairs() -> BTreeMap<Pair, bool> {
    let mut pairs = BTreeMap::new();
    for permission in permissions() {
        let Some(documented) = documented(permission) else { continue };
        let all = seen(permission, None);
        for key in documented.of_request {
            let is_set = all.contains(&key);
            pairs.insert((permission, None, key), is_set);
        }
        for kind in permission.row().resources {
            let keys = kind.documented_type().and_then(|name| documented.types.get(name));
            let had = seen(permission, Some(*kind));
            for key in keys.iter().flat_map(|keys| &keys.all) {
                pairs.insert((permission, Some(*kind), key.clone()), had.contains(key));
            }
        }
    }
    pairs
}

fn listed(list: &[Difference], (permission, kind, key): &Pair) -> bool {
    list.iter().any(|entry| entry.covers(*permission, *kind, key))
}

/// The entries that cover none of `pairs`, by key.
fn stale(list: &[Difference], pairs: &BTreeSet<&Pair>) -> Vec<String> {
    let mut stale = Vec::new();
    for entry in list {
        for key in entry.keys {
            let one = Difference { keys: std::slice::from_ref(key), ..*entry };
            let needed = |(permission, kind, key): &&&Pair| one.covers(*permission, *kind, key);
            if !pairs.iter().any(|pair| needed(&pair)) {
                stale.push(format!("{key} of {:?} on {:?}", entry.permissions, entry.kinds));
            }
        }
    }
    stale
}

/// Protects policies that are written for AWS: a condition key that AWS documents for an action or its resources is set,
/// or stands in the list of those that never are, with the reason.
#[test]
fn every_documented_key_is_set_or_listed_as_never_set() {
    let pairs = documented_pairs();
    let (set, unset): (BTreeSet<_>, BTreeSet<_>) = pairs.keys().partition(|pair| pairs[*pair]);
    let missing: Vec<_> = unset.iter().filter(|pair| !listed(NEVER_SET, pair)).collect();
    assert!(missing.is_empty(), "neither set nor listed: {missing:#?}");
    let both: Vec<_> = set.iter().filter(|pair| listed(NEVER_SET, pair)).collect();
    assert!(both.is_empty(), "set, and listed as never set: {both:#?}");
    let stale = stale(NEVER_SET, &unset);
    assert!(stale.is_empty(), "listed as never set for nothing: {stale:#?}");
    println!(
        "{} actions, {} decisions, {} documented pairs of action, resource and key: {} set, {} never set",
        permissions().count(),
        ASKED.iter().count(),
        pairs.len(),
        set.len(),
        unset.len()
    );
}

/// Protects the same policies from keys that AWS would not set: an Allow by one would pass here alone.
#[test]
fn every_key_that_is_set_is_documented_or_listed() {
    let mut beyond = BTreeSet::new();
    for Asked { permission, kind, keys } in ASKED.iter() {
        let Some(documented) = documented(*permission) else { continue };
        let of_kind = kind.documented_type().and_then(|name| documented.types.get(name));
        let known = |key: &String| {
            is_global(key)
                || documented.of_request.contains(key)
                || of_kind.is_some_and(|keys| keys.of_action.contains(key))
        };
        let others = keys.iter().filter(|key| !known(key));
        beyond.extend(others.map(|key| (*permission, Some(*kind), family(key).to_owned())));
    }
    let missing: Vec<_> = beyond.iter().filter(|pair| !listed(BEYOND, pair)).collect();
    assert!(missing.is_empty(), "set, and neither documented nor listed: {missing:#?}");
    let stale = stale(BEYOND, &beyond.iter().collect());
    assert!(stale.is_empty(), "listed as set beyond the reference for nothing: {stale:#?}");
    println!("{} pairs set beyond the reference", beyond.len());
}

/// Protects the lint and the documentation, which go by the table: what it declares is what decisions have.
#[test]
fn decisions_have_the_keys_that_the_table_declares() {
    let mut wrong = Vec::new();
    for Asked { permission, keys, .. } in ASKED.iter() {
        let undeclared = keys.iter().filter(|key| !permission.may_have(key));
        wrong.extend(
            undeclared.map(|key| format!("{permission:?} has {key}, which is not declared")),
        );
    }
    for permission in permissions() {
        let (row, had) = (permission.row(), seen(permission, None));
        let has = |had: &Keys, name: &str| match name {
            "ISSUER:" => had.iter().any(|key| family(key) == name),
            _ => had.contains(&name.to_lowercase()),
        };
        let of_request = row.keys.iter().flat_map(|keys| keys.names());
        let missing = of_request.filter(|name| !has(&had, name));
        wrong.extend(missing.map(|name| format!("{permission:?} never had {name}")));
        for kind in row.resources {
            let had = seen(permission, Some(*kind));
            let missing = permission.resource_keys(*kind).filter(|name| !has(&had, name));
            wrong
                .extend(missing.map(|name| format!("{permission:?} on {kind:?} never had {name}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Protects policies that name resources: an action is judged on what AWS judges it on, or it stands in a list.
#[test]
fn resources_are_those_that_are_documented_or_listed() {
    let mut wrong = Vec::new();
    let (mut not_judged, mut beyond) = (BTreeSet::new(), BTreeSet::new());
    for permission in permissions() {
        let Some(documented) = documented(permission) else { continue };
        let kinds = permission.row().resources;
        let own: BTreeSet<_> = kinds.iter().filter_map(|kind| kind.documented_type()).collect();
        for name in documented.types.keys().filter(|name| !own.contains(name.as_str())) {
            let covers =
                |(at, entry): (usize, &locum::domain::access::reference::OtherResources)| {
                    let named = entry.types.is_empty() || entry.types.contains(&name.as_str());
                    (named && entry.permissions.contains(&permission)).then_some((at, permission))
                };
            match NOT_JUDGED.iter().enumerate().find_map(covers) {
                Some(entry) => drop(not_judged.insert(entry)),
                None => wrong.push(format!("{permission:?} is not judged on {name}")),
            }
        }
        for kind in kinds {
            let named = kind.documented_type().filter(|name| documented.types.contains_key(*name));
            let nothing = *kind == ResourceKind::Everything && documented.types.is_empty();
            if named.is_some() || nothing {
                continue;
            }
            let covers = |(permissions, listed, _): &(&[Permission], ResourceKind, &str)| {
                listed == kind && permissions.contains(&permission)
            };
            match JUDGED_BEYOND.iter().position(covers) {
                Some(at) => drop(beyond.insert(at)),
                None => wrong.push(format!("{permission:?} is judged on {kind:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let listed: usize = NOT_JUDGED.iter().map(|entry| entry.permissions.len()).sum();
    assert_eq!(not_judged.len(), listed, "NOT_JUDGED lists what is not so: {not_judged:?}");
    assert_eq!(beyond.len(), JUDGED_BEYOND.len(), "JUDGED_BEYOND lists what is not so: {beyond:?}");
}

/// Protects those who grant an operation from finding out late what else it needs.
#[test]
fn dependent_actions_are_those_that_are_documented_or_listed() {
    let mut wrong = Vec::new();
    let (mut needed, mut not_needed) = (BTreeSet::new(), BTreeSet::new());
    for permission in permissions() {
        let Some(documented) = documented(permission) else { continue };
        let own: BTreeSet<_> = permission.row().dependent.iter().copied().collect();
        for action in &documented.dependent {
            let listed = DEPENDENT_NOT_NEEDED
                .iter()
                .position(|(of, other, _)| *of == permission && *other == action.as_str());
            match (own.iter().any(|own| own.action() == action.as_str()), listed) {
                (true, None) => {}
                (false, Some(at)) => drop(not_needed.insert(at)),
                (is_own, _) => wrong.push(format!("{permission:?} and {action}: needed {is_own}")),
            }
        }
        for other in own.iter().filter(|own| !documented.dependent.contains(own.action())) {
            let listed = DEPENDENT_BEYOND
                .iter()
                .position(|(of, others, _)| of.contains(&permission) && others.contains(other));
            match listed {
                Some(at) => drop(needed.insert((at, permission))),
                None => wrong.push(format!("{permission:?} needs {other:?}, which AWS's does not")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let listed: usize = DEPENDENT_BEYOND.iter().map(|(of, _, _)| of.len()).sum();
    assert_eq!(needed.len(), listed, "DEPENDENT_BEYOND lists what is not so: {needed:?}");
    assert_eq!(not_needed.len(), DEPENDENT_NOT_NEEDED.len(), "{not_needed:?}");
}

/// Protects fences by caller, network and organization: a key of every request, or of callers of a kind, is set for some
/// caller or stands in the list, and what is declared as such is set.
#[test]
fn global_keys_are_set_or_listed_as_never_set() {
    let seen: Keys = ASKED.iter().flat_map(|asked| asked.keys.iter().cloned()).collect();
    let never: Keys = GLOBAL_NEVER_SET
        .iter()
        .flat_map(|(keys, _)| keys.iter().map(|key| key.to_lowercase()))
        .collect();
    let is_listed = |key: &&String| never.contains(*key);
    let missing: Vec<_> =
        REFERENCE.global.iter().filter(|key| !seen.contains(*key) && !is_listed(key)).collect();
    assert!(missing.is_empty(), "neither set nor listed: {missing:?}");
    let wrong: Vec<_> = never.iter().filter(|key| seen.contains(*key)).collect();
    assert!(wrong.is_empty(), "set, and listed as never set: {wrong:?}");
    // AWS documents this one in words alone.
    let known = |key: &String| REFERENCE.global.contains(key) || key == "aws:signinsessionarn";
    let unknown: Vec<_> = never.iter().filter(|key| !known(key)).collect();
    assert!(unknown.is_empty(), "listed, and not documented: {unknown:?}");
    let absent = |name: &&&str| {
        let claim = name.strip_prefix("ISSUER:");
        !seen.iter().any(|key| {
            key.eq_ignore_ascii_case(name)
                || claim.is_some_and(|claim| {
                    family(key) == "ISSUER:" && key.ends_with(&format!(":{claim}"))
                })
        })
    };
    let declared: Vec<_> = GLOBAL_KEYS.iter().filter(absent).collect();
    assert!(declared.is_empty(), "declared, and never had: {declared:?}");
    println!(
        "{} global keys: {} set, {} never set",
        REFERENCE.global.len(),
        REFERENCE.global.iter().filter(|key| seen.contains(*key)).count(),
        REFERENCE.global.iter().filter(is_listed).count()
    );
}

/// Protects policies on reads: a real server judges each on the resource and with the keys that are compared here.
#[test]
fn a_server_reads_with_the_same_keys() {
    let expected = ASKED.reads.iter().map(|Asked { permission, kind, keys }| {
        json!({ "action": permission.action(), "kind": format!("{kind:?}"), "keys": keys })
    });
    let expected = serde_json::Value::from_iter(expected).to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/reads.py");
    let mut played = Command::new(documented::python().join("bin/python"))
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_locum"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    played.stdin.take().unwrap().write_all(expected.as_bytes()).unwrap();
    let played = played.wait_with_output().unwrap();
    let (told, errors) = (lossy(&played.stdout), lossy(&played.stderr));
    assert!(played.status.success(), "{told}\n{errors}");
    print!("{told}");
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Protects readers of `docs/condition-keys.md`: the page is what the tables say now.
#[test]
fn the_page_of_condition_keys_is_as_it_is_printed() {
    let printed =
        Command::new(env!("CARGO_BIN_EXE_locum")).args(["policy", "keys"]).output().unwrap();
    assert!(printed.status.success());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/condition-keys.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(page == printed, "run `make condition-keys`, and commit what it writes");
}
