//! Distinguished names, read from text ([RFC 4514](https://www.rfc-editor.org/rfc/rfc4514)) and from a certificate
//! ([RFC 5280 §4.1.2.4](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.4)), so that the two can be compared.
//!
//! Two names are the same where they have the same attributes with the same values in the same order; only the order of the attributes within one
//! relative name is free. No letter counts for another: a name that is registered is copied from the certificate, and whoever could be
//! taken for somebody else by folding letters isn't. Left out: values that aren't strings.

use std::fmt::Write as _;

/// The longest name that is read, in bytes.
pub const MAX_NAME: usize = 1024;
/// The most attributes that a name may have.
const MAX_ATTRIBUTES: usize = 50;

/// Attribute types by the names that RFC 4514 §3 and OpenSSL have for them; in capitals, as their case doesn't count.
const TYPES: [(&str, &str); 21] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("TITLE", "2.5.4.12"),
    ("BUSINESSCATEGORY", "2.5.4.15"),
    ("POSTALCODE", "2.5.4.17"),
    ("GN", "2.5.4.42"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("JURISDICTIONL", "1.3.6.1.4.1.311.60.2.1.1"),
    ("JURISDICTIONST", "1.3.6.1.4.1.311.60.2.1.2"),
    ("JURISDICTIONC", "1.3.6.1.4.1.311.60.2.1.3"),
    ("DNQUALIFIER", "2.5.4.46"),
];

/// Why a name can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a distinguished name as RFC 4514 writes it, such as CN=orders,O=Example,C=DK: attributes with string values, the most specific first"
)]
pub struct InvalidName;

/// Attributes that stand side by side, sorted: a relative distinguished name.
type Relative = Vec<(String, String)>;

/// A distinguished name, in the order of certificates: the most general part first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName(Vec<Relative>);

impl DistinguishedName {
    /// Reads the text form, in which the last part of a certificate's name comes first (RFC 4514 §2.1).
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(InvalidName);
        }
        let mut reader = Text(text);
        let (mut parts, mut part, mut count) = (Vec::new(), Vec::new(), 0);
        loop {
            part.push(reader.attribute()?);
            count += 1;
            if count > MAX_ATTRIBUTES {
                return Err(InvalidName);
            }
            match reader.next() {
                Some('+') => {}
                Some(',') => parts.push(sorted(std::mem::take(&mut part))?),
                None => {
                    parts.push(sorted(part)?);
                    break;
                }
                Some(_) => return Err(InvalidName),
            }
        }
        parts.reverse();
        Ok(Self(parts))
    }

    /// Reads a certificate's `Name`.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidName> {
        let mut parts = Vec::new();
        let mut outer = Der(der);
        let mut name = Der(outer.element(0x30)?);
        outer.end()?;
        let mut count = 0;
        while !name.0.is_empty() {
            let mut set = Der(name.element(0x31)?);
            let mut part = Vec::new();
            while !set.0.is_empty() {
                let mut attribute = Der(set.element(0x30)?);
                let kind = identifier(attribute.element(0x06)?)?;
                let value = attribute.string()?;
                attribute.end()?;
                part.push((kind, value));
                count += 1;
                if count > MAX_ATTRIBUTES {
                    return Err(InvalidName);
                }
            }
            parts.push(sorted(part)?);
        }
        Ok(Self(parts))
    }
}

fn sorted(mut part: Relative) -> Result<Relative, InvalidName> {
    if part.is_empty() {
        return Err(InvalidName);
    }
    part.sort_unstable();
    Ok(part)
}

/// The text form, as far as it isn't read yet.
struct Text<'t>(&'t str);

impl Text<'_> {
    fn next(&mut self) -> Option<char> {
        let first = self.0.chars().next()?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn attribute(&mut self) -> Result<(String, String), InvalidName> {
        // What isn't RFC 4514 but its forerunner (RFC 2253 §4), and is what people write: spaces before a type.
        let (kind, rest) = self.0.split_once('=').ok_or(InvalidName)?;
        let kind = type_of(kind.trim_start_matches(' '))?;
        self.0 = rest;
        Ok((kind, self.value()?))
    }

    /// RFC 4514 §2.4.
    fn value(&mut self) -> Result<String, InvalidName> {
        // `#` begins the bytes of a value that is no string.
        if self.0.starts_with(['#', ' ']) {
            return Err(InvalidName);
        }
        let mut bytes = Vec::new();
        let mut ends_in_space = false;
        while let Some(next) = self.0.chars().next() {
            match next {
                ',' | '+' => break,
                '"' | ';' | '<' | '>' | '\0' => return Err(InvalidName),
                '\\' => {
                    self.0 = &self.0[1..];
                    bytes.push(self.escaped()?);
                    ends_in_space = false;
                }
                plain => {
                    self.0 = &self.0[plain.len_utf8()..];
                    bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                    ends_in_space = plain == ' ';
                }
            }
        }
        if ends_in_space {
            return Err(InvalidName);
        }
        sound(String::from_utf8(bytes).map_err(|_| InvalidName)?)
    }

    fn escaped(&mut self) -> Result<u8, InvalidName> {
        let bytes = self.0.as_bytes();
        let first = *bytes.first().ok_or(InvalidName)?;
        if b" \"#+,;<=>\\".contains(&first) {
            self.0 = &self.0[1..];
            return Ok(first);
        }
        let hex = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (hex(first), bytes.get(1).copied().and_then(hex));
        let byte = high.zip(low).map(|(high, low)| high * 16 + low);
        self.0 = self.0.get(2..).ok_or(InvalidName)?;
        byte.and_then(|byte| u8::try_from(byte).ok())
            .ok_or(InvalidName)
    }
}

fn type_of(name: &str) -> Result<String, InvalidName> {
    let known = TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, identifier)) = known {
        return Ok((*identifier).to_owned());
    }
    let numbers = |text: &str| {
        text.split('.').count() >= 2
            && text.split('.').all(|number| {
                !number.is_empty()
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                    && (number == "0" || !number.starts_with('0'))
            })
    };
    if numbers(name) {
        Ok(name.to_owned())
    } else {
        Err(InvalidName)
    }
}

/// No value is empty, or holds what ends a string elsewhere.
fn sound(value: String) -> Result<String, InvalidName> {
    if value.is_empty() || value.contains('\0') {
        Err(InvalidName)
    } else {
        Ok(value)
    }
}

/// DER, as far as it isn't read yet.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    fn any(&mut self) -> Result<(u8, &'d [u8]), InvalidName> {
        let (&[tag, length], rest) = self.0.split_first_chunk().ok_or(InvalidName)?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            0x81 => {
                let (&length, rest) = rest.split_first().ok_or(InvalidName)?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk().ok_or(InvalidName)?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return Err(InvalidName),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(InvalidName)?;
        self.0 = rest;
        Ok((tag, content))
    }

    fn element(&mut self, tag: u8) -> Result<&'d [u8], InvalidName> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(InvalidName),
        }
    }

    fn end(&self) -> Result<(), InvalidName> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(InvalidName)
        }
    }

    /// A `DirectoryString` or `IA5String`.
    fn string(&mut self) -> Result<String, InvalidName> {
        let (tag, content) = self.any()?;
        let text = match tag {
            // UTF8String; PrintableString and IA5String are ASCII.
            0x0c => std::str::from_utf8(content).ok().map(str::to_owned),
            0x13 | 0x16 => std::str::from_utf8(content)
                .ok()
                .filter(|text| text.is_ascii())
                .map(str::to_owned),
            // TeletexString, which everybody fills with Latin 1.
            0x14 => Some(content.iter().map(|byte| char::from(*byte)).collect()),
            // BMPString
            0x1e if content.len().is_multiple_of(2) => {
                let units = content
                    .chunks_exact(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                char::decode_utf16(units).collect::<Result<_, _>>().ok()
            }
            _ => None,
        };
        sound(text.ok_or(InvalidName)?)
    }
}

/// An object identifier in numbers.
fn identifier(content: &[u8]) -> Result<String, InvalidName> {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in content {
        number = number
            .checked_mul(128)
            .and_then(|number| number.checked_add(u64::from(byte & 0x7f)))
            .ok_or(InvalidName)?;
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let (first, rest) = numbers.split_first().ok_or(InvalidName)?;
    if content.last().is_some_and(|last| last & 0x80 != 0) {
        return Err(InvalidName);
    }
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for number in rest {
        // Writing into a string can't fail.
        let _ = write!(text, ".{number}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use openssl::nid::Nid;
    use openssl::x509::X509NameBuilder;
    use proptest::prelude::*;

    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> Vec<Relative> {
        DistinguishedName::parse(text)
            .unwrap_or_else(|_| panic!("{text}"))
            .0
    }

    fn der(entries: &[(Nid, &str)]) -> Vec<u8> {
        let mut name = X509NameBuilder::new().unwrap();
        for (kind, value) in entries {
            name.append_entry_by_nid(*kind, value).unwrap();
        }
        name.build().to_der().unwrap()
    }

    #[test]
    fn the_examples_of_rfc_4514_are_read() {
        // §4
        assert_eq!(
            read("UID=jsmith,DC=example,DC=net"),
            read("uid=jsmith, dc=example, dc=net")
        );
        assert_eq!(
            read("OU=Sales+CN=J.  Smith,DC=example,DC=net"),
            read("CN=J.  Smith+OU=Sales,DC=example,DC=net")
        );
        assert_eq!(
            read(r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#)[2][0].1,
            r#"James "Jim" Smith, III"#
        );
        assert_eq!(
            read(r"CN=Before\0dAfter,DC=example,DC=net")[2][0].1,
            "Before\rAfter"
        );
        assert_eq!(read(r"CN=Lu\C4\8Di\C4\87"), read("CN=Lučić"));
        assert_eq!(read("2.5.4.3=a"), read("CN=a"));
        // A value of bytes isn't a string.
        assert!(
            DistinguishedName::parse("1.3.6.1.4.1.1466.0=#04024869,O=Test,C=GB").is_err(),
            "no string"
        );
    }

    #[test]
    fn text_and_certificate_agree() {
        let entries = [
            (Nid::COUNTRYNAME, "DK"),
            (Nid::ORGANIZATIONNAME, "Example, Inc."),
            (Nid::COMMONNAME, "Ørders #1"),
        ];
        let name = DistinguishedName::from_der(&der(&entries)).unwrap();
        let same = r"CN=Ørders #1,O=Example\, Inc.,C=DK";
        assert_eq!(Ok(&name), DistinguishedName::parse(same).as_ref());
        for other in [
            r"C=DK,O=Example\, Inc.,CN=Ørders #1",
            r"CN=ørders #1,O=Example\, Inc.,C=DK",
            r"CN=Ørders #1,O=Example\, Inc.",
            r"CN=Ørders #1+O=Example\, Inc.,C=DK",
            r"OU=Ørders #1,O=Example\, Inc.,C=DK",
            r"CN=Ørders #1,O=Example\, Inc.,C=DK,C=DK",
        ] {
            let other = DistinguishedName::parse(other).unwrap();
            assert_ne!(name, other);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("CN={}", "a".repeat(MAX_NAME));
        let many = vec!["O=a"; MAX_ATTRIBUTES + 1].join(",");
        for text in [
            "",
            "CN",
            "CN=",
            "=a",
            "CN=a,",
            "CN=a+",
            "CN=a,,O=b",
            "CN= a",
            "CN=a ",
            "CN=#616263",
            "CN=\"a\"",
            "CN=a;O=b",
            "CN=a\\",
            "CN=a\\g1",
            "CN=a\\c3",
            "CN=a\\00b",
            "nothing=a",
            "1=a",
            "1..2=a",
            "01.2=a",
            "CN =a",
            "\u{e9}=a",
            "CN=a\0",
            &long,
            &many,
        ] {
            assert_eq!(DistinguishedName::parse(text), Err(InvalidName), "{text}");
        }
        let good = der(&[(Nid::COMMONNAME, "a")]);
        for cut in 0..good.len() {
            assert!(DistinguishedName::from_der(&good[..cut]).is_err());
        }
        assert!(DistinguishedName::from_der(&[&good[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = DistinguishedName::parse(&text);
            let _ = DistinguishedName::from_der(&bytes);
        }

        #[test]
        fn whatever_is_escaped_comes_back(value in "[^\0]{1,40}") {
            let mut escaped = String::new();
            for byte in value.bytes() {
                write!(escaped, "\\{byte:02X}").expect("a text takes everything");
            }
            let text = format!("CN={escaped}");
            let name = DistinguishedName::parse(&text).unwrap();
            prop_assert_eq!(&name.0[0][0].1, &value);
            prop_assert_eq!(DistinguishedName::from_der(&der(&[(Nid::COMMONNAME, &value)])).is_ok(), true);
        }
    }
}
