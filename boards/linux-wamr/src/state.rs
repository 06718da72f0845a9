//! The device's state in a file: written as a whole before anything that follows from it leaves the machine.
use std::fs;
use std::io;
use std::path::PathBuf;

pub struct State {
    file: PathBuf,
    /// What is in the file.
    kept: Vec<u8>,
}

impl State {
    pub fn new(file: PathBuf) -> Self {
        Self { file, kept: Vec::new() }
    }

    /// Copies what was kept to `image`; not where there is nothing, or it is of another length.
    pub fn restore(&mut self, image: &mut [u8]) -> io::Result<()> {
        match fs::read(&self.file) {
            Ok(kept) if kept.len() == image.len() => {
                image.copy_from_slice(&kept);
                self.kept = kept;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a sealed image beside the file, and renames it: whoever reads the file finds one whole image or the other.
    pub fn keep(&mut self, image: &[u8]) -> io::Result<()> {
        if self.kept == image {
            return Ok(());
        }
        let mut name = self.file.clone().into_os_string();
        name.push(".new");
        fs::write(&name, image)?;
        fs::rename(&name, &self.file)?;
        self.kept = image.to_vec();
        Ok(())
    }

    /// The module failed from this state: it is not to be gone on from.
    pub fn forget(&mut self) {
        let _ = fs::remove_file(&self.file);
        self.kept.clear();
    }
}
