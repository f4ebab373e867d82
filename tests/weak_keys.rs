//! Keys that give secrets away, identities that are somebody else's, signatures and MACs that are not what they should be: all from a
//! peer that does everything else right.

use aitcp::crypto::keygen::IdentityKey;
use aitcp::crypto::provider::CryptoProvider;
use aitcp::crypto::rustcrypto::RustCrypto;
use aitcp::{Admission, CloseReason, Event, Expect, PeerId, PeerMisbehaved, Role, Suite, Verdict};
use aitcp_testkit::forge::{Accept, Auth, Header, Hello, HostilePeer, Kind, Payload, read_u64};
use aitcp_testkit::{Rng, Setup};
use hex_literal::hex;

/// The canonical y of the points of small order (specification, section 5.4).
const SMALL_ORDER: [[u8; 32]; 5] = [
    hex!("0100000000000000000000000000000000000000000000000000000000000000"),
    hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("0000000000000000000000000000000000000000000000000000000000000000"),
    hex!("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    hex!("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
];

/// The u of the points of Curve25519 and its twist with which every secret gives zeros, not reduced ones included
/// (<https://cr.yp.to/ecdh.html#validate>).
const ZERO_SHARES: [[u8; 32]; 7] = [
    hex!("0000000000000000000000000000000000000000000000000000000000000000"),
    hex!("0100000000000000000000000000000000000000000000000000000000000000"),
    hex!("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    hex!("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// The same key with the bit set that does not count (X25519), or that is the sign of x (Ed25519).
fn with_top_bit(keys: &[[u8; 32]]) -> impl Iterator<Item = [u8; 32]> {
    keys.iter().flat_map(|key| {
        let mut other = *key;
        other[31] |= 0x80;
        [*key, other]
    })
}

/// Nobody is pinned and nobody turned away: what fails, fails for its own reason.
fn trusting(suite: Suite) -> Setup {
    Setup { expect: Expect::Ask, admission: Admission::Any, ..Setup::with_suite(suite) }
}

/// A victim that waits for this side's auth packet, and the key that it should be signed with.
fn before_auth(setup: &Setup, victim: Role) -> (HostilePeer, IdentityKey) {
    (HostilePeer::before_auth(setup, victim), setup.agent(victim.peer()).key())
}

/// The victim ends the link for this reason, in silence, without having established anything or asked anybody.
fn assert_silent(hostile: &mut HostilePeer, expected: impl Into<CloseReason>, what: &str) {
    let expected = expected.into();
    assert_eq!(hostile.victim.session.close_reason(), Some(expected), "{what}");
    assert!(hostile.receive().is_empty(), "{what}: not a word (R-6.2-4, R-6.3-6)");
    assert!(hostile.victim.session.is_drained(), "{what}");
    assert_eq!(hostile.victim.events, [], "{what}: nobody was asked");
    assert_eq!(hostile.victim.poll_events(), [Event::Closed(expected)], "{what}");
    assert!(hostile.victim.session.handshake().is_none(), "{what}: there is no peer to speak of");
}

fn misbehaved(what: PeerMisbehaved) -> CloseReason {
    CloseReason::Misbehaved(what)
}

/// R-5.5-1.
#[test]
fn a_key_share_that_makes_the_secret_zero_is_refused() {
    for suite in Setup::SUITES {
        for key_share in with_top_bit(&ZERO_SHARES) {
            let what = format!("{key_share:x?}");
            let mut to_responder = HostilePeer::new(&trusting(suite), Role::Responder);
            to_responder.send_clear(&Hello { suites: vec![suite.id()], key_share, ..Hello::default() }.packet());
            assert_silent(&mut to_responder, misbehaved(PeerMisbehaved::WeakKeyShare), &what);

            let mut to_initiator = HostilePeer::new(&trusting(suite), Role::Initiator);
            let victim_id = read_u64(&to_initiator.received[0].1, 4).expect("the Hello's id");
            let accept = Accept { suite: suite.id(), key_share, ..Accept::default() };
            to_initiator.send_clear(&Header::new(Kind::Accept, victim_id).packet(&accept.table().build()));
            assert_silent(&mut to_initiator, misbehaved(PeerMisbehaved::WeakKeyShare), &what);
        }
    }
}

/// R-5.5-2, R-6.2-4: a coefficient that is not below 3329, anywhere in the key. It is looked at when it is used: by then the responder
/// is verified, and has learnt nothing of the initiator.
#[test]
fn an_encapsulation_key_out_of_range_is_refused() {
    for suite in Setup::SUITES.into_iter().filter(|suite| suite.is_hybrid()) {
        let setup = Setup::with_suite(suite);
        for (coefficient, value) in [(0, 3_329_u16), (1, 4_095), (255, 3_329), (256, 3_330), (766, 4_000), (767, 3_329)]
        {
            let mut key = [0; 1_184];
            RustCrypto.ml_kem_768().expect("built with it").encapsulation_key(&[0x5A; 64], &mut key);
            // Two coefficients of twelve bits in three bytes (FIPS 203, algorithm 5).
            let [b0, b1, b2] = &mut key[coefficient / 2 * 3..][..3] else { unreachable!("three bytes") };
            let (low, high) = (value.to_le_bytes()[0], value.to_le_bytes()[1]);
            if coefficient % 2 == 0 {
                (*b0, *b1) = (low, *b1 & 0xF0 | high);
            } else {
                (*b1, *b2) = (*b1 & 0x0F | (low << 4), (low >> 4) | (high << 4));
            }
            let mut hostile = HostilePeer::new(&setup, Role::Initiator);
            hostile.send_first();
            hostile.send_sealed(Kind::KemOffer, &key);
            assert!(hostile.receive().is_empty(), "nothing is said before the responder is verified");
            hostile.send_auth(&Auth::default());
            let what = format!("coefficient {coefficient} = {value}");
            assert_silent(&mut hostile, misbehaved(PeerMisbehaved::WeakKeyShare), &what);
        }
    }
}

/// A ciphertext that is none gives the responder another secret (implicit rejection), and InitiatorAuth does not open: R-5.3-4.
#[test]
fn a_ciphertext_of_another_key_leads_nowhere() {
    let setup = trusting(Suite::HybridChaCha20Poly1305);
    let mut honest = HostilePeer::before_auth(&setup, Role::Responder);
    let auth = honest.seal(Kind::InitiatorAuth, &[0; 200]);
    let mut hostile = HostilePeer::new(&setup, Role::Responder);
    hostile.send_first();
    hostile.send_sealed(Kind::KemReply, &[0xA5; 1_088]);
    hostile.victim.feed(hostile.now, &auth);
    assert_silent(
        &mut hostile,
        misbehaved(PeerMisbehaved::DoesNotOpen),
        "sealed under the secret of another ciphertext",
    );
}

/// R-5.4-1 (libp2p-core RUSTSEC-2022-0009): with such an identity anybody could sign.
#[test]
fn weak_and_non_canonical_identities_are_refused() {
    // y = p and p + 1, the points of orders 4 and 1 once more, and two more y that are not below p.
    let mut non_canonical = vec![[0xFF; 32], hex!("efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")];
    non_canonical.extend(with_top_bit(&[ZERO_SHARES[5], ZERO_SHARES[6]]));
    let weak: Vec<_> = with_top_bit(&SMALL_ORDER).chain(non_canonical).collect();
    for role in ROLES {
        for identity in &weak {
            assert!(PeerId::from_bytes(*identity).is_err(), "nobody can pin it either");
            for suite in Setup::SUITES {
                let (hostile, key) = before_auth(&trusting(suite), role);
                let table = Auth { identity: Some(*identity), ..Auth::default() }.table(&[0; 32]).build();
                // For the identity of order 1 this is a signature that an equation with cofactor takes for any message.
                for signature in [key.sign(b"anything"), [&SMALL_ORDER[0][..], &[0; 32]].concat().try_into().unwrap()] {
                    let plaintext = hostile.auth_plaintext(&table, |_| signature);
                    let mut hostile = HostilePeer::before_auth(&trusting(suite), role);
                    hostile.send_sealed(hostile.auth_kind(), &plaintext);
                    assert_silent(&mut hostile, misbehaved(PeerMisbehaved::WeakIdentity), &format!("{identity:x?}"));
                }
            }
        }
    }
}

/// R-4.6-1, RUSTSEC-2022-0009: no identity is no identity.
#[test]
fn an_absent_identity_is_refused() {
    for role in ROLES {
        let (mut hostile, key) = before_auth(&trusting(Suite::X25519ChaCha20Poly1305), role);
        let table = Auth::default().table(key.peer_id().as_bytes()).without(1).build();
        let plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        assert_silent(&mut hostile, misbehaved(PeerMisbehaved::MalformedPacket), "absent");
    }
}

/// What is wrong about a signature.
type Forgery = (&'static str, fn(&IdentityKey, &[u8]) -> [u8; 64]);

/// Signatures by the right key over something else, by another key over the right thing, and bytes that are none.
const FORGERIES: [Forgery; 9] = [
    ("zeros", |_, _| [0; 64]),
    ("ones", |_, _| [0xFF; 64]),
    ("over nothing", |key, _| key.sign(b"")),
    ("over the transcript's hash alone", |key, message| key.sign(&message[89..])),
    ("over the other role's message", |key, message| {
        let mut other = message.to_vec();
        let role: &[u8] = if message[74] == b'i' { b"responder" } else { b"initiator" };
        other[74..83].copy_from_slice(role);
        key.sign(&other)
    }),
    ("by another key", |_, message| stranger().sign(message)),
    ("with its last bit flipped", |key, message| {
        let mut signature = key.sign(message);
        signature[63] ^= 1;
        signature
    }),
    ("with its first bit flipped", |key, message| {
        let mut signature = key.sign(message);
        signature[0] ^= 1;
        signature
    }),
    ("with S + L", |key, message| {
        const L: [u8; 32] = hex!("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut signature = key.sign(message);
        let mut carry = 0;
        for (s, l) in signature[32..].iter_mut().zip(L) {
            let sum = u16::from(*s) + u16::from(l) + carry;
            (*s, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        signature
    }),
];

fn stranger() -> IdentityKey {
    IdentityKey::from_seed(&RustCrypto, [0xC2; 32]).expect("a seed that is not zero")
}

/// R-5.4-3, R-5.4-4, R-6.5-2, R-6.3-4, R-6.2-2: the MAC is right, so that the signature alone decides.
#[test]
fn signatures_that_are_not_the_identitys_are_refused() {
    for (name, forge) in FORGERIES {
        for (role, suite) in ROLES.into_iter().flat_map(|role| Setup::SUITES.map(|suite| (role, suite))) {
            for setup in [trusting(suite), Setup::with_suite(suite)] {
                let (mut hostile, key) = before_auth(&setup, role);
                let table = Auth::default().table(key.peer_id().as_bytes()).build();
                let plaintext = hostile.auth_plaintext(&table, |message| {
                    assert_eq!(
                        message[64..89],
                        *if role == Role::Responder {
                            b"AI-TCP v1 initiator auth\0"
                        } else {
                            b"AI-TCP v1 responder auth\0"
                        }
                    );
                    forge(&key, message)
                });
                hostile.send_sealed(hostile.auth_kind(), &plaintext);
                assert_silent(
                    &mut hostile,
                    misbehaved(PeerMisbehaved::BadSignature),
                    &format!("signature {name}, to {role:?}"),
                );
            }
        }
    }
}

/// R-5.4-3: none of many random signatures passes (libp2p-core RUSTSEC-2019-0004).
#[test]
fn random_signatures_are_refused() {
    let mut rng = Rng::new(1);
    let setup = trusting(Suite::X25519ChaCha20Poly1305);
    for case in 0..aitcp_testkit::campaign(100_000) {
        let role = ROLES[usize::from(case % 2 == 0)];
        let (mut hostile, key) = before_auth(&setup, role);
        let table = Auth::default().table(key.peer_id().as_bytes()).build();
        let mut signature = [0; 64];
        rng.fill(&mut signature);
        signature[63] &= 0x0F; // S below the group order, so that it is the equation that fails
        let plaintext = hostile.auth_plaintext(&table, |_| signature);
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        assert_silent(&mut hostile, misbehaved(PeerMisbehaved::BadSignature), &format!("{signature:x?}"));
    }
}

/// R-6.3-4, R-6.5-3: the signature is right, so that the MAC alone decides. Every bit of it counts.
#[test]
fn a_wrong_finished_is_refused() {
    for (role, bit) in ROLES.into_iter().flat_map(|role| (0..256).map(move |bit| (role, bit))) {
        let (mut hostile, key) = before_auth(&trusting(Suite::X25519ChaCha20Poly1305), role);
        let table = Auth::default().table(key.peer_id().as_bytes()).build();
        let mut plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
        let finished = plaintext.len() - 32;
        plaintext[finished + bit / 8] ^= 1 << (bit % 8);
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        assert_silent(&mut hostile, misbehaved(PeerMisbehaved::BadFinished), &format!("bit {bit}, to {role:?}"));
    }
}

/// R-6.3-4: who knows the keys of the exchange, but signs with a key of its own, cannot name another's identity.
#[test]
fn nobody_can_name_another_identity() {
    for role in ROLES {
        let setup = trusting(Suite::X25519ChaCha20Poly1305);
        let (mut hostile, _) = before_auth(&setup, role);
        let named = setup.agent(role.peer()).id();
        let table = Auth::default().table(named.as_bytes()).build();
        let plaintext = hostile.auth_plaintext(&table, |message| stranger().sign(message));
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        assert_silent(&mut hostile, misbehaved(PeerMisbehaved::BadSignature), "another's name");

        // Nor that of the victim itself.
        let (mut hostile, key) = before_auth(&setup, role);
        let table = Auth::default().table(setup.agent(role).id().as_bytes()).build();
        let plaintext = hostile.auth_plaintext(&table, |message| key.sign(message));
        hostile.send_sealed(hostile.auth_kind(), &plaintext);
        assert_silent(&mut hostile, misbehaved(PeerMisbehaved::BadSignature), "the victim's name");
    }
}

/// R-6.2-2, section 6.9: an agent that proves who it is, and is not the pinned one, hears nothing. The order of the checks: the pin comes
/// before the signature, the MAC before both.
#[test]
fn another_agent_than_the_pinned_one_is_refused() {
    for suite in Setup::SUITES {
        let (mut hostile, _) = before_auth(&Setup::with_suite(suite), Role::Initiator);
        let other = stranger();
        let table = Auth::default().table(other.peer_id().as_bytes()).build();
        let plaintext = hostile.auth_plaintext(&table, |message| other.sign(message));
        hostile.send_sealed(Kind::ResponderAuth, &plaintext);
        assert_silent(&mut hostile, CloseReason::WrongPeer(other.peer_id()), "another agent");

        for (spoilt, expected) in [
            (64, CloseReason::WrongPeer(other.peer_id())),              // the signature
            (32, CloseReason::Misbehaved(PeerMisbehaved::BadFinished)), // the MAC
        ] {
            let (mut hostile, _) = before_auth(&Setup::with_suite(suite), Role::Initiator);
            let mut plaintext = if spoilt == 64 {
                hostile.auth_plaintext(&table, |_| [0; 64])
            } else {
                hostile.auth_plaintext(&table, |message| other.sign(message))
            };
            if spoilt == 32 {
                *plaintext.last_mut().expect("a MAC") ^= 1;
            }
            hostile.send_sealed(Kind::ResponderAuth, &plaintext);
            assert_silent(&mut hostile, expected, "another agent, spoilt");
        }
    }
}

/// R-6.3-7: an initiator that proves who it is, and is not admitted, is told so, under the keys of the session.
#[test]
fn an_agent_that_is_not_admitted_is_told() {
    for suite in Setup::SUITES {
        let (mut hostile, _) = before_auth(&Setup::with_suite(suite), Role::Responder);
        let other = stranger();
        let table = Auth::default().table(other.peer_id().as_bytes()).build();
        let plaintext = hostile.auth_plaintext(&table, |message| other.sign(message));
        hostile.send_sealed(Kind::InitiatorAuth, &plaintext);
        let expected = CloseReason::NotAdmitted(other.peer_id());
        assert_eq!(hostile.victim.session.close_reason(), Some(expected));
        let told = hostile.receive().to_vec();
        let [(Kind::Data, close)] = &told[..] else { panic!("one packet: {told:?}") };
        assert_eq!(read_u64(close, 6), Some(aitcp::ProtocolCode::NotAdmitted.code()));
        assert!(!hostile.victim.was_established());
        hostile.send_data(&Payload::default());
        assert!(hostile.receive().is_empty());
    }
}

/// The same stage with everything right: so that the tests above can fail.
#[test]
fn an_honest_peer_is_taken() {
    for (role, suite) in ROLES.into_iter().flat_map(|role| Setup::SUITES.map(|suite| (role, suite))) {
        for setup in [trusting(suite), Setup::with_suite(suite)] {
            let (mut hostile, _) = before_auth(&setup, role);
            hostile.send_auth(&Auth::default());
            hostile.victim.session.decide(hostile.now, Verdict::Accept);
            assert!(hostile.victim.was_established(), "{role:?}, {suite}");
            assert!(!hostile.receive().is_empty());
        }
    }
}
