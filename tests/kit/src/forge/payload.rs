//! Payloads with any values (specification, section 8).

use super::table::Table;

/// The plaintext of a Data packet. What is empty or `None` is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Payload {
    pub fragments: Vec<Fragment>,
    /// The bytes of all fragments.
    pub data: Vec<u8>,
    pub acks: Vec<(u64, u64)>,
    pub ack_delay: Option<u32>,
    pub controls: Vec<Control>,
    pub datagrams: Vec<u8>,
    pub close: Option<Close>,
    pub close_reason: Option<Vec<u8>>,
    pub padding: Vec<u8>,
    /// ECT(0), ECT(1), CE.
    pub ecn: Option<[u64; 3]>,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Fragment {
    pub stream: u64,
    pub offset: u64,
    pub length: u16,
    pub flags: u16,
    pub reserved: u32,
}

impl Fragment {
    /// The flag that the offset behind the bytes is the end of a message.
    pub const END_OF_MESSAGE: u16 = 1;
    /// The flag that nothing follows.
    pub const END_OF_STREAM: u16 = 2;
    /// The flag that the message is compressed.
    pub const COMPRESSED: u16 = 4;
}

/// A control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Control {
    pub stream: u64,
    pub a: u64,
    pub b: u64,
    pub code: u8,
    pub flags: u8,
    pub reserved0: u16,
    pub reserved1: u32,
}

#[expect(missing_docs, reason = "the codes of the schema, by their names")]
impl Control {
    pub const PING: u8 = 0;
    pub const CREDIT: u8 = 1;
    pub const STREAM_CREDIT: u8 = 2;
    pub const RESET: u8 = 3;
    pub const STOP: u8 = 4;
    pub const SHUTDOWN: u8 = 5;
    pub const PATH_CHALLENGE: u8 = 6;
    pub const PATH_RESPONSE: u8 = 7;
    /// The flag on a Credit that the stream's end or reset has been received.
    pub const DONE: u8 = 1;
}

/// The end of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of the schema, by their names")]
pub struct Close {
    pub code: u64,
    pub source: u8,
    pub reserved0: u8,
    pub reserved1: u16,
    pub reserved2: u32,
}

impl Payload {
    /// A payload of one control.
    #[must_use]
    pub fn control(control: Control) -> Self {
        Self { controls: vec![control], ..Self::default() }
    }

    /// A payload of one fragment with its bytes.
    ///
    /// # Panics
    /// If there are more bytes than a fragment can have.
    #[must_use]
    pub fn fragment(stream: u64, offset: u64, data: &[u8], flags: u16) -> Self {
        let length = u16::try_from(data.len()).expect("a short fragment");
        let fragment = Fragment { stream, offset, length, flags, reserved: 0 };
        Self { fragments: vec![fragment], data: data.to_vec(), ..Self::default() }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        if !self.fragments.is_empty() {
            let bytes: Vec<_> = self.fragments.iter().flat_map(|fragment| fragment.to_bytes()).collect();
            table = table.vector(0, 8, self.fragments.len(), &bytes);
        }
        if !self.data.is_empty() {
            table = table.bytes(1, &self.data);
        }
        if !self.acks.is_empty() {
            let bytes: Vec<_> =
                self.acks.iter().flat_map(|(first, last)| [first.to_le_bytes(), last.to_le_bytes()].concat()).collect();
            table = table.vector(2, 8, self.acks.len(), &bytes);
        }
        if let Some(delay) = self.ack_delay {
            table = table.u32(3, delay);
        }
        if !self.controls.is_empty() {
            let bytes: Vec<_> = self.controls.iter().flat_map(|control| control.to_bytes()).collect();
            table = table.vector(4, 8, self.controls.len(), &bytes);
        }
        if !self.datagrams.is_empty() {
            table = table.bytes(5, &self.datagrams);
        }
        if let Some(close) = self.close {
            table = table.inline(6, 8, &close.to_bytes());
        }
        if let Some(reason) = &self.close_reason {
            table = table.bytes(7, reason);
        }
        if !self.padding.is_empty() {
            table = table.bytes(8, &self.padding);
        }
        if let Some(ecn) = self.ecn {
            table = table.inline(9, 8, &ecn.map(u64::to_le_bytes).concat());
        }
        table
    }
}

impl Fragment {
    fn to_bytes(self) -> Vec<u8> {
        let Self { stream, offset, length, flags, reserved } = self;
        [
            &stream.to_le_bytes()[..],
            &offset.to_le_bytes(),
            &length.to_le_bytes(),
            &flags.to_le_bytes(),
            &reserved.to_le_bytes(),
        ]
        .concat()
    }
}

impl Control {
    fn to_bytes(self) -> Vec<u8> {
        let Self { stream, a, b, code, flags, reserved0, reserved1 } = self;
        [
            &stream.to_le_bytes()[..],
            &a.to_le_bytes(),
            &b.to_le_bytes(),
            &[code, flags],
            &reserved0.to_le_bytes(),
            &reserved1.to_le_bytes(),
        ]
        .concat()
    }
}

impl Close {
    fn to_bytes(self) -> Vec<u8> {
        let Self { code, source, reserved0, reserved1, reserved2 } = self;
        [&code.to_le_bytes()[..], &[source, reserved0], &reserved1.to_le_bytes(), &reserved2.to_le_bytes()].concat()
    }
}
