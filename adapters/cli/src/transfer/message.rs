//! The messages of `aitcp-file/1`: one bidirectional stream a file.
//!
//! The sender opens the stream and sends a [`Header`] as one message of JSON, then the content in messages of at most
//! [`MAX_CHUNK`] bytes, and finishes. The receiver answers with one [`Receipt`], once the file is safe under its name, and finishes.
//! Whoever gives up resets or stops the stream with a [`Code`]. A stream that ends without a receipt has delivered nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The application protocol that both ends name in the handshake.
pub(crate) const APP_PROTOCOL: &str = "aitcp-file/1";
/// The longest header or receipt, in bytes.
pub(crate) const MAX_JSON: usize = 4 << 10;
/// The longest message of content, in bytes.
pub(crate) const MAX_CHUNK: usize = 1 << 20;

/// What comes: the first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) name: String,
    /// Bytes of content; absent if the sender does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
}

/// What has come: the receiver's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) bytes: u64,
    /// In lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// Why one end gave a file up: the code with which it resets or stops the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Abandoned,
    BadHeader,
    BadName,
    Exists,
    TooLarge,
    WrongSize,
    Storage,
}

impl Code {
    const ALL: [Self; 7] =
        [Self::Abandoned, Self::BadHeader, Self::BadName, Self::Exists, Self::TooLarge, Self::WrongSize, Self::Storage];

    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Abandoned => 1,
            Self::BadHeader => 2,
            Self::BadName => 3,
            Self::Exists => 4,
            Self::TooLarge => 5,
            Self::WrongSize => 6,
            Self::Storage => 7,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "given up",
            Self::BadHeader => "the header of the file is not understood",
            Self::BadName => "the name of the file is not allowed",
            Self::Exists => "a file of this name is there already",
            Self::TooLarge => "the file is larger than is allowed",
            Self::WrongSize => "the content is not as long as was announced",
            Self::Storage => "the file could not be stored",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_documented_json() {
        let header = Header { name: "a.txt".to_owned(), size: Some(3) };
        assert_eq!(serde_json::to_string(&header).unwrap(), r#"{"name":"a.txt","size":3}"#);
        assert_eq!(serde_json::from_str::<Header>(r#"{"name":"a.txt","later":true}"#).unwrap().size, None);
        let receipt = Receipt { bytes: 3, sha256: "00".to_owned() };
        assert_eq!(serde_json::to_string(&receipt).unwrap(), r#"{"bytes":3,"sha256":"00"}"#);
        for wrong in ["", "[]", "{}", r#"{"name":1}"#, r#"{"name":"a","size":-1}"#, r#"{"name":"a"} {}"#] {
            assert!(serde_json::from_str::<Header>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_are_distinct() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(8), None);
    }
}
