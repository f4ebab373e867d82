//! FlatBuffers tables with any fields, written directly.

/// A table to be written: fields by id, in any order.
///
/// Unlike a generated builder it writes whatever it is told to: missing required fields, unknown ones, vectors with a wrong count.
#[derive(Clone, Debug, Default)]
pub struct Table {
    fields: Vec<(u16, Field)>,
}

#[derive(Clone, Debug)]
enum Field {
    /// A scalar or a struct, in the table itself.
    Inline { align: usize, bytes: Vec<u8> },
    /// A vector or a string, behind the table.
    Vector { align: usize, count: u32, bytes: Vec<u8> },
    /// Another table.
    Table(Table),
}

impl Table {
    /// A table without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a byte or a boolean.
    #[must_use]
    pub fn u8(self, id: u16, value: u8) -> Self {
        self.inline(id, 1, &[value])
    }

    /// Adds a number.
    #[must_use]
    pub fn u16(self, id: u16, value: u16) -> Self {
        self.inline(id, 2, &value.to_le_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn u32(self, id: u16, value: u32) -> Self {
        self.inline(id, 4, &value.to_le_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn u64(self, id: u16, value: u64) -> Self {
        self.inline(id, 8, &value.to_le_bytes())
    }

    /// Adds a scalar or a struct, as its bytes.
    #[must_use]
    pub fn inline(mut self, id: u16, align: usize, bytes: &[u8]) -> Self {
        self.fields.push((id, Field::Inline { align, bytes: bytes.to_vec() }));
        self
    }

    /// Adds a vector, as the bytes of its elements and their count.
    #[must_use]
    pub fn vector(mut self, id: u16, align: usize, count: usize, bytes: &[u8]) -> Self {
        let count = u32::try_from(count).expect("a count of 32 bits");
        self.fields.push((id, Field::Vector { align, count, bytes: bytes.to_vec() }));
        self
    }

    /// Adds a vector of bytes.
    #[must_use]
    pub fn bytes(self, id: u16, bytes: &[u8]) -> Self {
        self.vector(id, 1, bytes.len(), bytes)
    }

    /// Adds a string, whatever its bytes.
    #[must_use]
    pub fn string(self, id: u16, text: &[u8]) -> Self {
        self.vector(id, 1, text.len(), &[text, &[0]].concat())
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, id: u16, table: Self) -> Self {
        self.fields.push((id, Field::Table(table)));
        self
    }

    /// Leaves a field out.
    #[must_use]
    pub fn without(mut self, id: u16) -> Self {
        self.fields.retain(|(other, _)| *other != id);
        self
    }

    /// The buffer with this table as its root.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut buffer = vec![0; 4];
        let root = self.write(&mut buffer);
        put_u32(&mut buffer, 0, root);
        buffer
    }

    /// Appends vtable, table and what the table refers to; where the table is.
    fn write(&self, buffer: &mut Vec<u8>) -> usize {
        let slots = self.fields.iter().map(|(id, _)| usize::from(*id) + 1).max().unwrap_or(0);
        let vtable = buffer.len();
        let vtable_len = 4 + 2 * slots;
        buffer.resize(vtable + vtable_len, 0);
        pad(buffer, 8);
        let table = buffer.len();
        buffer.extend(u32::try_from(table - vtable).expect("a short buffer").to_le_bytes());
        let mut references = Vec::new();
        for (id, field) in &self.fields {
            pad(buffer, if let Field::Inline { align, .. } = field { *align } else { 4 });
            let place = buffer.len();
            match field {
                Field::Inline { bytes, .. } => buffer.extend(bytes),
                reference => {
                    buffer.extend([0; 4]);
                    references.push((place, reference));
                }
            }
            put_u16(buffer, vtable + 4 + 2 * usize::from(*id), place - table);
        }
        let table_len = buffer.len() - table;
        put_u16(buffer, vtable, vtable_len);
        put_u16(buffer, vtable + 2, table_len);
        for (place, reference) in references {
            let target = match reference {
                Field::Inline { .. } => continue,
                Field::Table(table) => {
                    pad(buffer, 2);
                    table.write(buffer)
                }
                Field::Vector { align, count, bytes } => {
                    while !buffer.len().is_multiple_of(4) || !(buffer.len() + 4).is_multiple_of(*align) {
                        buffer.push(0);
                    }
                    let vector = buffer.len();
                    buffer.extend(count.to_le_bytes());
                    buffer.extend(bytes);
                    vector
                }
            };
            put_u32(buffer, place, target - place);
        }
        table
    }
}

fn pad(buffer: &mut Vec<u8>, align: usize) {
    buffer.resize(buffer.len().next_multiple_of(align), 0);
}

fn put_u16(buffer: &mut [u8], at: usize, value: usize) {
    buffer[at..at + 2].copy_from_slice(&u16::try_from(value).expect("16 bits").to_le_bytes());
}

fn put_u32(buffer: &mut [u8], at: usize, value: usize) {
    buffer[at..at + 4].copy_from_slice(&u32::try_from(value).expect("32 bits").to_le_bytes());
}

/// Reads a 16-bit field of a well-formed root table.
#[must_use]
pub fn read_u16(buffer: &[u8], id: usize) -> Option<u16> {
    field(buffer, id)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

/// Reads a 64-bit field of a well-formed root table.
#[must_use]
pub fn read_u64(buffer: &[u8], id: usize) -> Option<u64> {
    field(buffer, id)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads a vector of a well-formed root table: its elements, of so many bytes each. Empty if it is absent.
///
/// # Panics
/// If it reaches beyond the buffer.
#[must_use]
pub fn read_vector(buffer: &[u8], id: usize, element: usize) -> Vec<&[u8]> {
    let Some(field) = field(buffer, id) else { return Vec::new() };
    let u32_at = |at: usize| u32::from_le_bytes(*field[at..].first_chunk().expect("4 bytes")) as usize;
    let vector = u32_at(0);
    let bytes = &field[vector + 4..][..u32_at(vector) * element];
    bytes.chunks(element).collect()
}

/// Where an inline field of the root table begins, and what is behind it.
fn field(buffer: &[u8], id: usize) -> Option<&[u8]> {
    let u16_at = |at: usize| Some(usize::from(u16::from_le_bytes(*buffer.get(at..)?.first_chunk()?)));
    let table = usize::try_from(u32::from_le_bytes(*buffer.first_chunk()?)).ok()?;
    let back = i32::from_le_bytes(*buffer.get(table..)?.first_chunk()?);
    let vtable = table.checked_add_signed(isize::try_from(back).ok()?.checked_neg()?)?;
    if 4 + 2 * id >= u16_at(vtable)? {
        return None;
    }
    let offset = u16_at(vtable + 4 + 2 * id).filter(|offset| *offset != 0)?;
    buffer.get(table + offset..)
}
