//! Any text is read as a policy or refused, in every kind; what is read is JSON to others too, and is printed
//! as the same document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use locum::policy::{Policy, PolicyKind, format, simulate};
use serde_json::Value;

const KINDS: [PolicyKind; 8] = [
    PolicyKind::Identity,
    PolicyKind::Trust,
    PolicyKind::Resource,
    PolicyKind::Boundary,
    PolicyKind::Session,
    PolicyKind::ServiceControl,
    PolicyKind::ResourceControl,
    PolicyKind::Endpoint,
];

fuzz_target!(|text: &str| {
    for kind in KINDS {
        let tolerant = Policy::parse_tolerantly(text, kind);
        if Policy::parse(text, kind).is_err() {
            continue;
        }
        assert!(tolerant.is_ok_and(|(_, mistakes)| mistakes.is_empty()), "{kind:?}");
        let printed = format(text, kind).expect("a policy can be printed");
        let read = |text| serde_json::from_str::<Value>(text).expect("a policy is JSON");
        assert_eq!(read(text), read(&printed), "{kind:?}");
        assert_eq!(format(&printed, kind).as_ref(), Ok(&printed), "{kind:?}");
    }
    let _ = simulate::answer(text);
});
