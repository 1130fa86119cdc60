//! The fields of one protobuf message as they stand there.

use super::Unread;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Value<'b> {
    pub(super) fn bytes(self) -> Result<&'b [u8], Unread> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Unread::Broken("a number stands where bytes should")),
        }
    }

    pub(super) fn number(self) -> Result<u64, Unread> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(Unread::Broken("bytes stand where a number should")),
        }
    }

    /// Numbers of fewer bits are written as if they had 64: <https://protobuf.dev/programming-guides/encoding/>.
    pub(super) fn signed(self) -> Result<i64, Unread> {
        Ok(i64::from_ne_bytes(self.number()?.to_ne_bytes()))
    }
}

/// Number and content of each field.
pub(super) struct Fields<'b>(pub(super) &'b [u8]);

impl<'b> Fields<'b> {
    /// The content of the one field that is asked for, the last when there are several.
    pub(super) fn find(self, number: u64) -> Result<Option<Value<'b>>, Unread> {
        let mut found = None;
        for field in self {
            let (known, value) = field?;
            if known == number {
                found = Some(value);
            }
        }
        Ok(found)
    }

    fn field(&mut self) -> Result<(u64, Value<'b>), Unread> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| CUT)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(Unread::Broken("a field is of a type that Kubernetes does not use")),
        };
        Ok((key >> 3, value))
    }

    /// Seven bits per byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> Result<u64, Unread> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(CUT)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unread::Broken("a number is longer than ten bytes"))
    }
}

const CUT: Unread = Unread::Broken("it ends too early");

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Value<'b>), Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
