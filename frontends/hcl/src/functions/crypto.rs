//! Hashes, UUIDs and RSA.

use super::codec::from_base64;
use super::{Fault, Host, Returned, int_of, str_of};
use crate::Value;
use num_bigint::BigUint;
use sha2::Digest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hashed<D: Digest>(args: &[Value]) -> Returned {
    Ok(Value::string(hex(&D::digest(str_of(args, 0).as_bytes()))))
}

pub(super) fn md5(args: &[Value], _: &dyn Host) -> Returned {
    hashed::<md5::Md5>(args)
}

pub(super) fn sha1(args: &[Value], _: &dyn Host) -> Returned {
    hashed::<sha1::Sha1>(args)
}

pub(super) fn sha256(args: &[Value], _: &dyn Host) -> Returned {
    hashed::<sha2::Sha256>(args)
}

pub(super) fn sha512(args: &[Value], _: &dyn Host) -> Returned {
    hashed::<sha2::Sha512>(args)
}

/// Each step doubles the work; beyond this a build file waits for minutes.
const HIGHEST_COST: i64 = 16;

pub(super) fn bcrypt(args: &[Value], host: &dyn Host) -> Returned {
    let cost = if args.len() > 1 { int_of(args, 1)? } else { 10 };
    if args.len() > 2 {
        return Err(Fault::Argument(2, "`bcrypt` takes no more than a text and a cost".into()));
    }
    if cost > HIGHEST_COST {
        return Err(Fault::Argument(1, format!("the cost can be {HIGHEST_COST} at most")));
    }
    if str_of(args, 0).len() > 72 {
        return Err(Fault::Argument(0, "the text can have 72 bytes at most".into()));
    }
    // The reference takes its default for a cost below the least that bcrypt has.
    let cost = if cost < 4 { 10 } else { cost as u32 };
    match bcrypt::hash_with_salt(str_of(args, 0), cost, host.random()) {
        Ok(parts) => Ok(Value::string(parts.format_for_version(bcrypt::Version::TwoA))),
        Err(error) => Err(format!("{error}").into()),
    }
}

fn uuid_text(bytes: [u8; 16]) -> Value {
    let all = hex(&bytes);
    Value::string(format!("{}-{}-{}-{}-{}", &all[..8], &all[8..12], &all[12..16], &all[16..20], &all[20..]))
}

/// Marks the version and the variant of RFC 4122.
fn marked(mut bytes: [u8; 16], version: u8) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

pub(super) fn uuidv4(_: &[Value], host: &dyn Host) -> Returned {
    Ok(uuid_text(marked(host.random(), 4)))
}

/// Reads a UUID with hyphens, without them, in braces, or as a URN.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let plain = match text.len() {
        45 => text.get(..9).filter(|p| p.eq_ignore_ascii_case("urn:uuid:")).and_then(|_| text.get(9..))?,
        38 => text.strip_prefix('{').and_then(|t| t.strip_suffix('}'))?,
        _ => text,
    };
    let digits = if plain.len() == 36 {
        let bytes = plain.as_bytes();
        if ![8, 13, 18, 23].iter().all(|i| bytes[*i] == b'-') {
            return None;
        }
        plain.replace('-', "")
    } else {
        plain.to_owned()
    };
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

pub(super) fn uuidv5(args: &[Value], _: &dyn Host) -> Returned {
    let namespace = match str_of(args, 0) {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let Some(namespace) = parse_uuid(namespace) else {
        return Err(Fault::Argument(0, "a namespace is `dns`, `url`, `oid`, `x500` or a UUID".into()));
    };
    let mut hash = sha1::Sha1::new();
    hash.update(namespace);
    hash.update(str_of(args, 1).as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(uuid_text(marked(bytes, 5)))
}

/// Reads the elements of DER one after another.
struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    /// The content of the next element, which must have the tag.
    fn element(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (head, rest) = self.0.split_at_checked(2)?;
        if head[0] != tag {
            return None;
        }
        let (length, rest) = match head[1] {
            short @ 0..=0x7f => (usize::from(short), rest),
            long => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                if digits.len() > 4 {
                    return None;
                }
                (digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    fn integer(&mut self) -> Option<BigUint> {
        self.element(0x02).map(BigUint::from_bytes_be)
    }
}

/// Modulus and private exponent of a PKCS #1 key in PEM.
fn private_key(pem: &str) -> Result<(BigUint, BigUint), &'static str> {
    let start = pem.find("-----BEGIN ").ok_or("no key in PEM form was found")?;
    let body = pem[start..].find('\n').map(|n| &pem[start + n + 1..]).ok_or("no key in PEM form was found")?;
    let end = body.find("-----END ").ok_or("the key has no end")?;
    let body = &body[..end];
    if body.contains("ENCRYPTED") {
        return Err("the key is protected by a password; decrypt it before");
    }
    let data = body.split_once("\n\n").map_or(body, |(headers, data)| if headers.contains(':') { data } else { body });
    let compact: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = from_base64(&compact).ok_or("the key is not base64")?;
    let wrong = "the key is not an RSA key in PKCS #1 form";
    let mut inner = Der(Der(&bytes).element(0x30).ok_or(wrong)?);
    let _version = inner.integer().ok_or(wrong)?;
    let modulus = inner.integer().ok_or(wrong)?;
    let _public = inner.integer().ok_or(wrong)?;
    Ok((modulus, inner.integer().ok_or(wrong)?))
}

pub(super) fn rsadecrypt(args: &[Value], _: &dyn Host) -> Returned {
    let cipher =
        from_base64(str_of(args, 0)).ok_or_else(|| Fault::Argument(0, "the encrypted text must be base64".into()))?;
    let (modulus, exponent) = private_key(str_of(args, 1)).map_err(|why| Fault::Argument(1, why.into()))?;
    let size = (modulus.bits() as usize).div_ceil(8);
    if cipher.len() != size || modulus.bits() < 256 || modulus.bits() > 16_384 {
        return Err("the encrypted text does not belong to this key".into());
    }
    let plain = BigUint::from_bytes_be(&cipher).modpow(&exponent, &modulus).to_bytes_be();
    // PKCS #1 v1.5: 00 02, at least eight bytes that are not zero, 00, the text.
    let padded = [vec![0; size.saturating_sub(plain.len())], plain].concat();
    let text = match padded.as_slice() {
        [0, 2, rest @ ..] => rest.iter().position(|b| *b == 0).filter(|n| *n >= 8).map(|n| &rest[n + 1..]),
        _ => None,
    };
    match text.map(|t| String::from_utf8_lossy(t).into_owned()) {
        Some(text) => Ok(Value::string(text)),
        None => Err("the text cannot be decrypted with this key".into()),
    }
}
