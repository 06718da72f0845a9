//! The device's state in a file: written as a whole before anything that follows from it leaves the machine. The file says
//! whose state it is; its format is that of host/store/state-file.ts, which draws it.
use std::fs;
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

const MAGIC: &[u8] = b"THMBSTAT";
const VERSION: u32 = 1;
const VERSION_AT: usize = 8;
const BYTES_AT: usize = 12;
const MODULE_AT: usize = 16;
const SUM_AT: usize = 48;
const IMAGE_AT: usize = 80;

pub struct State {
    file: PathBuf,
    /// What is in the file.
    kept: Vec<u8>,
}

impl State {
    /// Refuses what cannot be a state's file, and touches nothing.
    pub fn open(file: PathBuf) -> Result<Self, String> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let reason = match fs::read(&file) {
            _ if file.is_dir() => "a folder, where a file is needed".into(),
            Ok(kept) if kept.is_empty() || kept.starts_with(MAGIC) => return Ok(Self { file, kept: Vec::new() }),
            Ok(_) => "holds something that is no state of a device; name another file".into(),
            Err(error) if error.kind() != io::ErrorKind::NotFound => error.to_string(),
            Err(_) => match folder {
                Some(folder) if !folder.is_dir() => format!("there is no folder {}", folder.display()),
                _ => return Ok(Self { file, kept: Vec::new() }),
            },
        };
        Err(format!("--state {}: {reason}", file.display()))
    }

    /// Copies what was kept to `image`. A state that is damaged, or not of this `module` (SHA-256), is set aside as FILE.old;
    /// returns what to say about that.
    pub fn restore(&mut self, image: &mut [u8], module: &[u8; 32]) -> io::Result<Option<String>> {
        let kept = match fs::read(&self.file) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(why) = fault(&kept, module, image.len()) else {
            image.copy_from_slice(&kept[IMAGE_AT..]);
            self.kept = kept;
            return Ok(None);
        };
        let old = self.beside(".old");
        fs::rename(&self.file, &old)?;
        let (file, old) = (self.file.display(), old.display());
        Ok(Some(format!("the state in {file} {why}: it is now {old}, and the device starts without one")))
    }

    /// Writes a sealed image beside the file, and renames it: whoever reads the file finds one whole image or the other.
    pub fn keep(&mut self, image: &[u8], module: &[u8; 32]) -> io::Result<()> {
        if self.kept.get(IMAGE_AT..) == Some(image) && self.kept[MODULE_AT..SUM_AT] == *module {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(IMAGE_AT + image.len());
        kept.extend_from_slice(MAGIC);
        kept.extend_from_slice(&VERSION.to_le_bytes());
        kept.extend_from_slice(&(image.len() as u32).to_le_bytes());
        kept.extend_from_slice(module);
        kept.extend_from_slice(&[0; IMAGE_AT - SUM_AT]);
        kept.extend_from_slice(image);
        let sum = sum_of(&kept);
        kept[SUM_AT..IMAGE_AT].copy_from_slice(&sum);
        let new = self.beside(".new");
        fs::write(&new, &kept)?;
        fs::rename(&new, &self.file)?;
        self.kept = kept;
        Ok(())
    }

    /// The module failed from this state: it is not to be gone on from.
    pub fn forget(&mut self) {
        let _ = fs::remove_file(&self.file);
        self.kept.clear();
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(end);
        name.into()
    }
}

/// Why the device cannot go on from what was kept.
fn fault(kept: &[u8], module: &[u8; 32], image_bytes: usize) -> Option<&'static str> {
    if kept.len() < IMAGE_AT {
        return Some("is damaged");
    }
    let number = |at: usize| u32::from_le_bytes([kept[at], kept[at + 1], kept[at + 2], kept[at + 3]]);
    if number(VERSION_AT) != VERSION {
        return Some("was written by another version of Thimble");
    }
    let bytes = kept.len() - IMAGE_AT;
    if bytes != number(BYTES_AT) as usize || sum_of(kept) != kept[SUM_AT..IMAGE_AT] {
        return Some("is damaged");
    }
    (kept[MODULE_AT..SUM_AT] != *module || bytes != image_bytes).then_some("is of another module")
}

fn sum_of(kept: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&kept[..SUM_AT]).chain_update(&kept[IMAGE_AT..]).finalize().into()
}
