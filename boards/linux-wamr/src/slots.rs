//! Updates of the application (boards/common/update.h): two slots and their table as files in a folder.
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::shared::{self, UpdateOptions, UpdateStart};

const BOARD: &std::ffi::CStr = c"linux-wamr";
const CONTRACT_VERSION: u16 = 2;
/// No module of a device comes near.
pub const SLOT_BYTES_MAX: u32 = 1 << 20;
/// What stands before an Ed25519 key in a PEM file (RFC 8410): SubjectPublicKeyInfo up to the key itself.
const KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What the board was shipped with, and whom it trusts.
pub struct Shipped {
    pub module: PathBuf,
    pub name: String,
    pub version: [u16; 3],
    /// How long an update may take to confirm.
    pub trial_ms: u32,
    pub key: PathBuf,
}

pub struct Slots {
    folder: PathBuf,
    shipped: PathBuf,
    key: VerifyingKey,
    /// update.c keeps a pointer to it.
    options: &'static UpdateOptions,
}

impl Slots {
    pub fn new(folder: PathBuf, shipped: Shipped) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| format!("--slots {}: {error}", folder.display()))?;
        let key = read_key(&shipped.key).map_err(|reason| format!("--key {}: {reason}", shipped.key.display()))?;
        let name = CString::new(shipped.name).map_err(|error| format!("--name: {error}"))?;
        let options = Box::leak(Box::new(UpdateOptions {
            name: Box::leak(name.into_boxed_c_str()).as_ptr(),
            version: shipped.version,
            abi: CONTRACT_VERSION,
            board: BOARD.as_ptr(),
            trial_ms: shipped.trial_ms,
        }));
        Ok(Self { folder, shipped: shipped.module, key, options })
    }

    /// Which module to start, and whether the state of the one before is nothing to it.
    pub fn choose(&self, now: u32) -> io::Result<(Vec<u8>, UpdateStart)> {
        // SAFETY: the options live as long as the process.
        let start = unsafe { shared::update_boot(self.options, now) };
        let module = if start.bytes == 0 {
            fs::read(&self.shipped)?
        } else {
            let mut module = fs::read(self.file(start.slot))?;
            module.truncate(start.bytes as usize);
            module
        };
        Ok((module, start))
    }

    pub fn erase(&self, slot: u8) -> io::Result<()> {
        File::create(self.file(slot)).map(drop)
    }

    pub fn write(&self, slot: u8, at: u32, octets: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.file(slot))?;
        file.seek(SeekFrom::Start(at.into()))?;
        file.write_all(octets)
    }

    /// Also sees to it that the octets are on the disk: the table is about to say that they are.
    pub fn digest(&self, slot: u8, bytes: u32) -> io::Result<[u8; 32]> {
        File::open(self.file(slot))?.sync_all()?;
        let module = fs::read(self.file(slot))?;
        let octets = module.get(..bytes as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Sha256::digest(octets).into())
    }

    /// `signature`: Ed25519, by the key that is trusted.
    pub fn verify(&self, octets: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(octets, &Signature::from_bytes(signature)).is_ok()
    }

    pub fn read_table(&self, copy: u8, table: &mut [u8]) -> io::Result<()> {
        let kept = fs::read(self.table(copy))?;
        table.copy_from_slice(kept.get(..table.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    pub fn write_table(&self, copy: u8, table: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.table(copy))?;
        file.write_all(table)?;
        file.sync_all()
    }

    fn file(&self, slot: u8) -> PathBuf {
        self.folder.join(format!("slot-{slot}.wasm"))
    }

    fn table(&self, copy: u8) -> PathBuf {
        self.folder.join(format!("table-{copy}"))
    }
}

/// A public key as `openssl pkey -pubout` writes it.
fn read_key(file: &Path) -> Result<VerifyingKey, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = decode_base64(body.trim())
        .and_then(|der| der.strip_prefix(&KEY_PREFIX).and_then(|key| <[u8; 32]>::try_from(key).ok()))
        .ok_or("no public key of Ed25519 in PEM")?;
    VerifyingKey::from_bytes(&key).map_err(|error| error.to_string())
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let (mut value, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        value = value << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            octets.push((value >> bits) as u8);
        }
    }
    Some(octets)
}
