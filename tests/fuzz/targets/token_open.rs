//! No token opens that was not sealed here: whatever the input is, as a text or as the bytes behind one, it is
//! refused; and a real token that is changed anywhere is.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use locum::clock::Timestamp;
use locum::identity::{AccessKeyId, AccountId, Subject};
use locum::signing::{
    AccountKey, Claims, message_account, open, open_message, peek, seal,
};

fuzz_target!(|input: &[u8]| {
    let key = AccountKey::from_bytes([7; 32]);
    let encoded = URL_SAFE_NO_PAD.encode(input);
    let text = String::from_utf8_lossy(input);
    for token in [&*encoded, &*text] {
        assert!(open(&key, token).is_err(), "a token that nobody sealed");
        if let Ok(sealed) = peek(token) {
            assert!(AccessKeyId::parse(sealed.key()).is_ok());
            assert!(sealed.open(&key).is_err());
        }
        let _ = message_account(token);
        assert!(open_message(&key, token).is_err(), "a message that nobody sealed");
    }
    // The first bytes say where and how a real token is changed.
    let [at_high, at_low, flip, seconds, ..] = input else { return };
    let id = AccessKeyId::parse("ASIAIOSFODNN7EXAMPLE").expect("an id");
    let account = AccountId::new(123_456_789_012).expect("an account");
    let start = Timestamp::from_unix_seconds(1_780_000_000 + i64::from(*seconds));
    let claims = Claims::new(Subject::Root, start, start);
    let token = seal(&key, &id, account, &claims).expect("a token");
    assert_eq!(open(&key, &token).as_ref(), Ok(&claims));
    let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("base64url");
    let at = usize::from(u16::from_be_bytes([*at_high, *at_low])) % bytes.len();
    bytes[at] ^= flip;
    let changed = open(&key, &URL_SAFE_NO_PAD.encode(&bytes));
    assert_eq!(changed.is_ok(), *flip == 0, "byte {at}");
});
