//! What boards share in C (boards/common), as Rust sees it; each name is explained in its header.
use std::ffi::{c_char, c_void};

#[repr(C)]
pub struct WamrOptions {
    pub module: *const u8,
    pub module_bytes: usize,
    pub pool: *mut c_void,
    pub pool_bytes: usize,
    pub stack_bytes: usize,
    pub budget: i32,
}

#[repr(C)]
#[derive(Default)]
pub struct WamrMemory {
    pub runtime_bytes: u32,
    pub load_bytes: u32,
    pub instance_bytes: u32,
    pub exec_env_bytes: u32,
    pub stack_bytes: u32,
    pub linear_bytes: u32,
    pub heap_base: u32,
    pub peak_bytes: u32,
}

#[repr(C)]
pub struct UpdateOptions {
    pub name: *const c_char,
    pub version: [u16; 3],
    pub abi: u16,
    pub board: *const c_char,
    pub trial_ms: u32,
}

#[repr(C)]
pub struct UpdateStart {
    pub slot: u8,
    pub bytes: u32,
    pub is_on_trial: bool,
    pub was_rolled_back: bool,
    pub was_outdated: bool,
    pub is_put_off: bool,
    pub version: [u16; 3],
}

#[repr(C)]
#[derive(Default)]
pub struct SlipDecoder {
    pub bytes: usize,
    pub is_escaped: bool,
    pub is_broken: bool,
}

unsafe extern "C" {
    // module-wamr.h
    pub fn module_wamr_open(options: *const WamrOptions, error: *mut c_char, error_bytes: usize) -> bool;
    pub fn module_wamr_close();
    pub fn module_wamr_memory(memory: *mut WamrMemory);
    pub fn module_wamr_record(copy: *mut c_void, bytes: usize);
    // module.h
    pub fn module_seal() -> i32;
    pub fn module_image(bytes: *mut usize) -> *mut u8;
    // loop.h, restart.h
    pub fn loop_run() -> !;
    pub fn lockstep_run() -> !;
    pub fn restart_run(body: unsafe extern "C" fn() -> !, is_to_wait: bool) -> !;
    // update.h
    pub fn update_boot(options: *const UpdateOptions, now: u32) -> UpdateStart;
    pub fn update_chunk(chunk: *const u8, bytes: usize) -> i32;
    pub fn update_confirm();
    pub fn update_is_accepted() -> bool;
    pub fn update_is_overdue(now: u32) -> bool;
    pub fn update_remaining_ms(now: u32) -> u32;
    // slip.h
    pub fn slip_decode(decoder: *mut SlipDecoder, frame: *mut u8, max: usize, octet: u8) -> usize;
    pub fn slip_end();
    pub fn slip_put(octets: *const u8, bytes: usize);
    // loop.c and lockstep.c, each compiled with names of its own for what both define (build.rs)
    pub fn loop_send(datagram: *const u8, bytes: usize, to: *const u8, to_bytes: usize) -> i32;
    pub fn loop_event(kind: i32, event: *const u8, bytes: usize);
    pub fn lockstep_send(datagram: *const u8, bytes: usize, to: *const u8, to_bytes: usize) -> i32;
    pub fn lockstep_event(kind: i32, event: *const u8, bytes: usize);
}
