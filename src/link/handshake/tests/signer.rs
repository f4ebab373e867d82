//! Identities whose keys are elsewhere.

use super::*;
use crate::config::Signer;

/// R-6.6-2, R-6.10-1.
#[test]
fn both_ends_wait_for_their_signatures_and_for_nothing_else() {
    for suite in SUITES {
        let config = ClientConfig::new(Signer::External(alice().peer_id()), "test/1").with_suites(&[suite]);
        let (mut initiator, hello) = End::connect_as(config, Expect::Pinned(bob().peer_id()), CARRIER);
        let mut responder = End::accept_as(server(Signer::External(bob().peer_id()), &[suite]), CARRIER);

        let (progress, sent) = responder.take(&hello).unwrap();
        assert!(matches!(progress, Progress::SignatureWanted) && sent.is_empty());
        assert_eq!(responder.take(&hello).err(), Some(Discarded::Unexpected), "its answer is on its way");
        assert!(responder.flight().is_empty());
        assert_eq!(responder.provide_signature(&[0; 64]), Err(SignatureRejected::Wrong));
        let signature = bob().sign(responder.handshake.to_sign().unwrap());
        let flight = responder.provide_signature(&signature).unwrap();
        assert_eq!(responder.flight(), flight);

        assert!(initiator.take_all(&flight).is_empty());
        assert!(initiator.flight().is_empty(), "the answer is here");
        for packet in &flight {
            assert_eq!(initiator.take(packet).err(), Some(Discarded::Unexpected));
        }
        assert_eq!(initiator.provide_signature(&[0; 64]), Err(SignatureRejected::Wrong));
        let signature = alice().sign(initiator.handshake.to_sign().unwrap());
        let last = initiator.provide_signature(&signature).unwrap();
        responder.take_all(&last);
        assert_linked(&mut initiator, &mut responder);
        assert_eq!(initiator.provide_signature(&signature), Err(SignatureRejected::NotWanted));
    }
}
