//! Identities and their texts, good ones and bad ones (section 16.3).

use aitcp::PeerId;
use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::rustcrypto::RustCrypto;
use hex_literal::hex;
use serde_json::{Value, json};

use crate::document::hex;
use crate::schedule::sha256;

/// Not canonical, or of small order (specification, section 5.4).
const BAD_KEYS: [[u8; 32]; 12] = [
    hex!("0000000000000000000000000000000000000000000000000000000000000000"),
    hex!("0000000000000000000000000000000000000000000000000000000000000080"),
    hex!("0100000000000000000000000000000000000000000000000000000000000000"),
    hex!("0100000000000000000000000000000000000000000000000000000000000080"),
    hex!("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    hex!("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    hex!("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    hex!("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    hex!("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p
    hex!("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p + 3, which is on the curve
];

pub(crate) fn document() -> Value {
    let identities: Vec<PeerId> = (0..4_u8)
        .map(|index| {
            let seed = sha256(format!("identity {index}").as_bytes());
            IdentityKey::from_seed(&RustCrypto, seed).unwrap().peer_id()
        })
        .collect();
    for identity in &identities {
        assert_eq!(identity.to_string().to_uppercase().parse(), Ok(*identity));
    }
    let bad_texts = bad_texts(&identities[0].to_string());
    for text in &bad_texts {
        assert!(text.parse::<PeerId>().is_err(), "{text}");
    }
    for key in BAD_KEYS {
        assert!(PeerId::from_bytes(key).is_err(), "{}", hex(&key));
    }
    let good =
        identities.iter().map(|identity| json!({ "key": hex(identity.as_bytes()), "text": identity.to_string() }));
    json!({
        "good": good.collect::<Value>(),
        "bad_keys": BAD_KEYS.iter().map(|key| hex(key)).collect::<Value>(),
        "bad_texts": bad_texts,
    })
}

/// Cut, lengthened, with a changed character, another prefix, in mixed case.
fn bad_texts(good: &str) -> Vec<String> {
    let (start, last) = good.split_at(good.len() - 1);
    let other = if last == "q" { "p" } else { "q" };
    vec![
        String::new(),
        start.to_owned(),
        format!("{good}q"),
        format!("{start}{other}"),
        good.replacen("aitcp1", "aitcq1", 1),
        format!("{}{}", &good[..20], good[20..].to_uppercase()),
        format!(" {good}"),
        good.replacen("aitcp1", "", 1),
    ]
}
