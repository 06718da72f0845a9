//! The one module that WAMR runs, and the memory that it has for it.
use std::ffi::{CStr, c_char};

use sha2::{Digest, Sha256};

use crate::shared::{self, WamrMemory, WamrOptions};

/// All of WAMR's memory but for linear memory, which it maps.
const POOL_BYTES: usize = 4 << 20;
const ERROR_BYTES: usize = 256;

pub struct Wamr {
    /// Words, so that it is aligned as WAMR wants it.
    pool: Vec<u64>,
    /// Good for as long as the module is open.
    module: Vec<u8>,
    /// SHA-256 of the module: whose state is whose.
    digest: [u8; 32],
    /// 0: the default of module-wamr.h.
    stack_bytes: usize,
    budget: i32,
    is_open: bool,
}

impl Wamr {
    pub fn new(stack_bytes: usize, budget: i32) -> Self {
        let pool = vec![0; POOL_BYTES / size_of::<u64>()];
        Self { pool, module: Vec::new(), digest: [0; 32], stack_bytes, budget, is_open: false }
    }

    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// In place of the one before.
    pub fn open(&mut self, module: Vec<u8>) -> Result<(), String> {
        if self.is_open {
            // SAFETY: no call into the module is under way.
            unsafe { shared::module_wamr_close() };
            self.is_open = false;
        }
        self.digest = Sha256::digest(&module).into();
        self.module = module;
        let options = WamrOptions {
            module: self.module.as_ptr(),
            module_bytes: self.module.len(),
            pool: self.pool.as_mut_ptr().cast(),
            pool_bytes: POOL_BYTES,
            stack_bytes: self.stack_bytes,
            budget: self.budget,
        };
        let mut error: [c_char; ERROR_BYTES] = [0; ERROR_BYTES];
        // SAFETY: all that it points to is kept here until it is closed; the error is ended by 0.
        unsafe {
            self.is_open = shared::module_wamr_open(&options, error.as_mut_ptr(), ERROR_BYTES);
            if self.is_open { Ok(()) } else { Err(CStr::from_ptr(error.as_ptr()).to_string_lossy().into_owned()) }
        }
    }
}

pub fn memory() -> WamrMemory {
    let mut memory = WamrMemory::default();
    // SAFETY: fills the structure.
    unsafe { shared::module_wamr_memory(&mut memory) };
    memory
}

/// The state region of the open module.
///
/// SAFETY: no call into the module is under way while the slice is used.
pub unsafe fn image<'a>() -> &'a mut [u8] {
    let mut bytes = 0;
    unsafe {
        let at = shared::module_image(&mut bytes);
        std::slice::from_raw_parts_mut(at, bytes)
    }
}
