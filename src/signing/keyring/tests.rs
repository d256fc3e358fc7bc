//! Tests of the keyring: what a wrong, damaged or exposed keyring is met with.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;

const ACCOUNT: AccountId = AccountId::new(123_456_789_012).unwrap();
const OTHER: AccountId = AccountId::new(210_987_654_321).unwrap();

fn rng() -> SystemRandom {
    SystemRandom::new()
}

fn keyring() -> Keyring {
    Keyring::generate(&rng()).unwrap()
}

fn account_key() -> AccountKey {
    AccountKey::from_bytes([5; KEY_BYTES])
}

#[test]
fn a_wrapped_key_opens_only_in_its_account_version_and_keyring() {
    let keyring = keyring();
    let (version, bytes) = keyring.wrap_account_key(ACCOUNT, &account_key(), &rng()).unwrap();
    assert_eq!(version, 1);
    let opened = keyring.unwrap_account_key(ACCOUNT, 1, &bytes).unwrap();
    assert_eq!(opened.bytes(), account_key().bytes());

    let refused = |result: Result<AccountKey, KeyringError>| {
        matches!(result, Err(KeyringError::WrongKeyring { .. }))
    };
    assert!(refused(keyring.unwrap_account_key(OTHER, 1, &bytes)), "another account");
    let stranger = Keyring::generate(&rng()).unwrap();
    assert!(refused(stranger.unwrap_account_key(ACCOUNT, 1, &bytes)), "another keyring");
    assert!(matches!(
        keyring.unwrap_account_key(ACCOUNT, 2, &bytes),
        Err(KeyringError::UnknownVersion(2))
    ));
    let (_, again) = keyring.wrap_account_key(ACCOUNT, &account_key(), &rng()).unwrap();
    assert_ne!(bytes, again, "every wrapping draws its own nonce");
}

#[test]
fn a_rotation_keeps_what_was_wrapped_readable_until_the_version_is_removed() {
    let mut keyring = keyring();
    let id = keyring.id().to_owned();
    let (_, old) = keyring.wrap_account_key(ACCOUNT, &account_key(), &rng()).unwrap();
    assert!(keyring.activate_next().is_err(), "nothing is prepared");
    assert_eq!(keyring.prepare_next(&rng()).unwrap(), 2);
    assert!(keyring.prepare_next(&rng()).is_err(), "one next version at a time");
    assert_eq!(keyring.wrap_account_key(ACCOUNT, &account_key(), &rng()).unwrap().0, 1);

    assert_eq!(keyring.activate_next().unwrap(), 2);
    let (version, new) = keyring.wrap_account_key(ACCOUNT, &account_key(), &rng()).unwrap();
    assert_eq!(version, 2);
    assert!(keyring.unwrap_account_key(ACCOUNT, 1, &old).is_ok());
    assert!(keyring.unwrap_account_key(ACCOUNT, 1, &new).is_err(), "bound to its version");

    assert!(keyring.remove_retired(2).is_err(), "the active version stays");
    keyring.remove_retired(1).unwrap();
    assert!(keyring.unwrap_account_key(ACCOUNT, 1, &old).is_err());
    let read = Keyring::from_json(&keyring.to_json()).unwrap();
    assert_eq!(read.id(), id, "rotation does not change who the keyring is");
    assert!(read.unwrap_account_key(ACCOUNT, 2, &new).is_ok());
}

#[test]
fn the_file_is_for_its_owner_alone_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    let created = Keyring::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Keyring::load(&path).unwrap().id(), created.id());
    assert!(matches!(Keyring::create(&path), Err(KeyringError::Io { .. })), "a keyring is there");
    assert_eq!(Keyring::load(&path).unwrap().id(), created.id());

    for mode in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = Keyring::load(&path).unwrap_err();
        assert!(matches!(refused, KeyringError::Permissions { mode: m, .. } if m == mode));
    }
    assert!(matches!(Keyring::load(directory.path()), Err(KeyringError::Permissions { .. })));
}

#[test]
fn a_saved_keyring_replaces_the_file_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    let mut keyring = Keyring::create(&path).unwrap();
    keyring.prepare_next(&rng()).unwrap();
    fs::write(directory.path().join("keyring.json.new"), b"left by a crash").unwrap();
    keyring.save(&path).unwrap();
    assert_eq!(Keyring::load(&path).unwrap().versions(), keyring.versions());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_or_edited_keyring_is_refused() {
    let mut keyring = keyring();
    keyring.prepare_next(&rng()).unwrap();
    let json = keyring.to_json();
    let foreign = Keyring::generate(&rng()).unwrap();
    let key_of = |k: &Keyring| STANDARD.encode(k.keys[0].key.as_slice());
    let cases = [
        (json.replace(&key_of(&keyring), &key_of(&foreign)), "a key of another keyring"),
        (json.replace(keyring.id(), foreign.id()), "the id of another keyring"),
        (json.replace("\"version\": 1", "\"version\": 3"), "a version that was renamed"),
    ];
    for (edited, why) in cases {
        assert_ne!(edited, *json, "{why}: the edit must find its place");
        assert!(matches!(Keyring::from_json(&edited), Err(KeyringError::Fingerprint(_))), "{why}");
    }
    for (from, to) in [("\"next\"", "\"active\""), ("\"active\"", "\"retired\"")] {
        let edited = json.replace(from, to);
        assert!(matches!(Keyring::from_json(&edited), Err(KeyringError::States)), "{to}");
    }
    let newer = json.replace("\"format\": 1", "\"format\": 2");
    assert!(matches!(Keyring::from_json(&newer), Err(KeyringError::UnknownFormat(2))));
    let empty = "{\"format\":1,\"id\":\"00\",\"keys\":[]}";
    assert!(matches!(Keyring::from_json(empty), Err(KeyringError::States)));
    let huge = " ".repeat(KEYRING_BYTES_MAX + 1);
    assert!(matches!(Keyring::from_json(&huge), Err(KeyringError::TooLarge)));
}

#[test]
fn neither_debug_nor_errors_show_a_key() {
    let keyring = keyring();
    let key = STANDARD.encode(keyring.keys[0].key.as_slice());
    let shown = format!("{keyring:?} {keyring:#?}");
    assert!(shown.contains(keyring.id()));
    assert!(!shown.contains(&key) && !shown.contains(&hex::encode(keyring.keys[0].key.as_slice())));
    // The key stands where a number is expected: a parser's message would repeat it.
    let swapped = keyring.to_json().replace("\"version\": 1", &format!("\"version\": \"{key}\""));
    let error = Keyring::from_json(&swapped).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&key));
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in ".{0,200}", wrapped in any::<Vec<u8>>()) {
        prop_assert!(Keyring::from_json(&text).is_err());
        prop_assert!(keyring().unwrap_account_key(ACCOUNT, 1, &wrapped).is_err());
    }
}
