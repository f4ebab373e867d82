//! A recorded session in the form of section 16.1: every value in it recomputed from the inputs, and compared with what the sessions
//! themselves said.

use std::collections::BTreeMap;

use aitcp::Role;
use aitcp::crypto::provider::CryptoProvider;
use aitcp::crypto::rustcrypto::RustCrypto;
use serde_json::{Map, Value, json};

use crate::draws::Inputs;
use crate::scenario::{EXPORTS, End, Recording, Sent};
use crate::schedule::{HEADER_LEN, PacketKeys, derive_secret, expand_label, extract, next_secret, sha256};
use crate::tables;

/// The length of the trailers of Hello and of the auth packets.
const TRAILER_LEN: usize = 96;
/// Kinds of packets by their numbers.
const NAMES: [&str; 10] =
    ["", "Hello", "Retry", "Refuse", "Accept", "KemOffer", "ResponderAuth", "KemReply", "InitiatorAuth", "Data"];

pub(crate) fn describe(recording: &Recording) -> Value {
    let mut description = Description::new(recording);
    let packets: Vec<Value> = recording.packets.iter().map(|packet| description.packet(packet)).collect();
    description.document(packets)
}

struct Description<'a> {
    recording: &'a Recording,
    initiator: Inputs,
    responder: Inputs,
    /// All bytes that the transcript hash is over.
    transcript: Vec<u8>,
    marks: Vec<Value>,
    shared_secrets: Map<String, Value>,
    secrets: BTreeMap<&'static str, [u8; 32]>,
    finished: Map<String, Value>,
    params: Map<String, Value>,
    offered_suites: Value,
    /// How many packets the initiator and the responder have sealed.
    sealed: [u64; 2],
}

impl<'a> Description<'a> {
    fn new(recording: &'a Recording) -> Self {
        Self {
            recording,
            initiator: Inputs::of(Role::Initiator, &recording.initiator.seed),
            responder: Inputs::of(Role::Responder, &recording.responder.seed),
            transcript: Vec::new(),
            marks: Vec::new(),
            shared_secrets: Map::new(),
            secrets: BTreeMap::new(),
            finished: Map::new(),
            params: Map::new(),
            offered_suites: Value::Null,
            sealed: [0; 2],
        }
    }

    fn packet(&mut self, Sent { sender, wire }: &Sent) -> Value {
        let (header, body) = wire.split_at(HEADER_LEN);
        let name = NAMES[usize::from(header[1])];
        let epoch = u32::from_le_bytes(header[4..8].try_into().unwrap());
        let (number, plaintext) = match epoch {
            0 => (None, body.to_vec()),
            _ => {
                let count = &mut self.sealed[usize::from(*sender == Role::Responder)];
                let number = *count;
                *count += 1;
                (Some(number), self.keys(secret_of(*sender, epoch)).open(number, wire))
            }
        };
        self.take(name, header, &plaintext);
        let mut packet = json!({
            "name": name,
            "direction": if *sender == Role::Initiator { "I>R" } else { "R>I" },
            "epoch": epoch,
            "number": number,
            "header": hex(header),
            "plaintext": hex(&plaintext),
            "wire": hex(wire),
        });
        if name == "Data" {
            packet["content"] = tables::content(&plaintext);
        }
        packet
    }

    /// Takes a packet into the transcript, and derives what follows from it.
    fn take(&mut self, name: &'static str, header: &[u8], plaintext: &[u8]) {
        match name {
            "Data" => return,
            "ResponderAuth" | "InitiatorAuth" => self.take_auth(name, header, plaintext),
            _ => {
                self.transcript.extend(header);
                self.mark(name, plaintext);
            }
        }
        match name {
            "Hello" => self.offered_suites = tables::offered_suites(&plaintext[..plaintext.len() - TRAILER_LEN]),
            "Accept" => self.mix_x25519(),
            "ResponderAuth" if !self.recording.suite.is_hybrid() => self.mix_kem(&[0; 32]),
            "KemReply" => {
                let kem = RustCrypto.ml_kem_768().unwrap();
                let seed = self.responder.kem.as_slice().try_into().unwrap();
                let shared = kem.decapsulate(seed, plaintext.try_into().unwrap());
                self.shared_secrets.insert("ml_kem".into(), hex(&shared).into());
                self.mix_kem(&shared);
            }
            "InitiatorAuth" => {
                let (master, hash) = (self.secrets["MS"], self.hash());
                for label in ["i ap", "r ap", "exporter"] {
                    self.secrets.insert(label, derive_secret(&master, label, &hash));
                }
            }
            _ => {}
        }
    }

    fn take_auth(&mut self, name: &str, header: &[u8], plaintext: &[u8]) {
        let (role, base) = if name == "InitiatorAuth" { ("initiator", "i auth") } else { ("responder", "r hs") };
        let (table, trailer) = plaintext.split_at(plaintext.len() - TRAILER_LEN);
        let (signature, finished) = trailer.split_at(64);
        self.params.insert(role.into(), tables::params(table));
        self.transcript.extend(header);
        self.mark(&format!("{name} signature"), table);
        let key = derive_finished_key(&self.secrets[base]);
        let value = extract(&key, &self.mark(&format!("{name} finished"), signature));
        assert_eq!(value, finished, "{name}");
        self.finished.insert(role.into(), json!({ "key": hex(&key), "value": hex(&value) }));
        self.mark(name, finished);
    }

    fn mix_x25519(&mut self) {
        let share = RustCrypto.x25519_public(&self.responder.ephemeral_secret);
        let shared = RustCrypto.x25519(&self.initiator.ephemeral_secret, &share);
        self.shared_secrets.insert("x25519".into(), hex(&shared).into());
        let early = extract(&[0; 32], &[0; 32]);
        let handshake = next_secret(&early, &shared);
        let hash = self.hash();
        let traffic = ["i hs", "r hs"].map(|label| (label, derive_secret(&handshake, label, &hash)));
        self.secrets.extend([("ES", early), ("HS", handshake)].into_iter().chain(traffic));
    }

    fn mix_kem(&mut self, shared: &[u8; 32]) {
        let master = next_secret(&self.secrets["HS"], shared);
        let auth = derive_secret(&master, "i auth", &self.hash());
        self.secrets.extend([("MS", master), ("i auth", auth)]);
    }

    fn keys(&self, label: &str) -> PacketKeys {
        PacketKeys::new(self.recording.suite.aead(), &self.secrets[label])
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&self.transcript)
    }

    fn mark(&mut self, at: &str, bytes: &[u8]) -> [u8; 32] {
        self.transcript.extend(bytes);
        let hash = self.hash();
        self.marks.push(json!({ "at": at, "hash": hex(&hash) }));
        hash
    }

    fn document(mut self, packets: Vec<Value>) -> Value {
        let recording = self.recording;
        let logged = [
            ("I_HS", "i hs"),
            ("R_HS", "r hs"),
            ("I_AUTH", "i auth"),
            ("I_AP_3", "i ap"),
            ("R_AP_3", "r ap"),
            ("EXPORTER", "exporter"),
        ];
        let recomputed: BTreeMap<_, _> = logged.iter().map(|(name, label)| (*name, self.secrets[label])).collect();
        assert_eq!(recording.secrets, recomputed, "the sessions' own secrets");

        let keys = ["i hs", "r hs", "i auth", "i ap", "r ap"].map(|label| {
            let keys = self.keys(label);
            (label.to_owned(), json!({ "key": hex(&keys.key), "iv": hex(&keys.iv), "hp": hex(&keys.hp) }))
        });
        let inputs = json!({
            "app_protocol": "vectors/1",
            "realm": recording.realm,
            "offered_suites": self.offered_suites.take(),
            "peer_tag": recording.pinned,
            "initiator": self.end("initiator", "ml_kem_coins", &recording.initiator, &self.initiator),
            "responder": self.end("responder", "ml_kem_seed", &recording.responder, &self.responder),
        });
        let exports = EXPORTS.iter().zip(&recording.exports).map(|((label, context, length), value)| {
            let of_label = derive_secret(&self.secrets["exporter"], label, &sha256(b""));
            assert_eq!(*value, expand_label(&of_label, "exporter", &sha256(context), *length));
            json!({ "label": label, "context": hex(context), "length": length, "value": hex(value) })
        });
        let secrets = self.secrets.iter().map(|(label, secret)| ((*label).to_owned(), hex(secret).into()));
        json!({
            "suite": recording.suite.id(),
            "inputs": inputs,
            "packets": packets,
            "transcript": self.marks,
            "shared_secrets": self.shared_secrets,
            "secrets": secrets.collect::<Map<_, Value>>(),
            "keys": Map::from_iter(keys),
            "finished": self.finished,
            "exports": exports.collect::<Value>(),
        })
    }

    fn end(&self, role: &str, kem: &str, end: &End, inputs: &Inputs) -> Value {
        let mut described = json!({
            "identity_seed": hex(&end.identity_seed),
            "ephemeral_secret": hex(&inputs.ephemeral_secret),
            "random": hex(&inputs.random),
            "connection_id": inputs.connection_id.to_string(),
            "credentials": hex(&end.credentials),
            "params": self.params[role],
        });
        if self.recording.suite.is_hybrid() {
            described[kem] = hex(&inputs.kem).into();
        }
        described
    }
}

/// Which traffic secret protects what `sender` sends in an epoch.
fn secret_of(sender: Role, epoch: u32) -> &'static str {
    match (sender, epoch) {
        (Role::Initiator, 1) => "i hs",
        (Role::Responder, 1) => "r hs",
        (Role::Initiator, 2) => "i auth",
        (Role::Initiator, 3) => "i ap",
        (Role::Responder, 3) => "r ap",
        _ => panic!("no packet of {sender:?} is in epoch {epoch}"),
    }
}

fn derive_finished_key(base: &[u8; 32]) -> [u8; 32] {
    expand_label(base, "finished", b"", 32).try_into().unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
