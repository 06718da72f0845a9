//! A module of Thimble under WAMR's fast interpreter, as a process of Linux. The module's contract and the loop are the C
//! that boards share (boards/common); this is the port: sockets, time, a file for the state, the command line.
mod options;
mod port;
mod shared;
mod state;
mod stdio;
mod udp;

use std::ffi::{CStr, c_char};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use options::{Options, Work};
use port::{Link, Port};
use shared::{WamrMemory, WamrOptions};
use state::State;
use stdio::Stdio;
use udp::Udp;
// Its library is what boards/common/module-wamr.c calls.
use wamrx_sys as _;

/// All of WAMR's memory but for linear memory, which it maps.
const POOL_BYTES: usize = 4 << 20;
const ERROR_BYTES: usize = 256;
/// A module that fails as soon as it starts leaves the processor to others in between.
const RESTART_MS: u32 = 1000;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(reason) => return complain(&format!("{reason}\n\n{}", options::USAGE), WRONG_USAGE),
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => complain(&reason, FAILED),
    }
}

fn complain(reason: &str, code: u8) -> ExitCode {
    eprintln!("thimble-wamr: {}", reason.trim_end());
    ExitCode::from(code)
}

fn run(options: Options) -> Result<(), String> {
    let name = options.module.display().to_string();
    let module = fs::read(&options.module).map_err(|error| format!("{name}: {error}"))?;
    open(&options, module.leak()).map_err(|reason| format!("{name}: {reason}"))?;
    let mut memory = WamrMemory::default();
    // SAFETY: fills the structure.
    unsafe { shared::module_wamr_memory(&mut memory) };
    let seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one(0) as u32);
    let link = match &options.work {
        Work::Memory => {
            println!("{}", describe(&memory));
            return Ok(());
        }
        Work::Lockstep => {
            // SAFETY: the copy lives as long as the process.
            let copy = vec![0_u8; memory.linear_bytes as usize].leak();
            unsafe { shared::module_wamr_record(copy.as_mut_ptr().cast(), copy.len()) };
            Link::Stdio(Stdio::default())
        }
        Work::Run { gateway } => {
            let udp = Udp::open(gateway).map_err(|error| format!("--gateway {gateway}: {error}"))?;
            if options.json {
                println!("{{\"seed\":{seed},\"memory\":{}}}", describe(&memory));
            }
            Link::Udp(udp)
        }
    };
    let state = options.state.map(State::new).map(restore).transpose().map_err(|error| format!("--state: {error}"))?;
    let body = if matches!(link, Link::Stdio(_)) { shared::lockstep_run } else { shared::loop_run };
    let wait_ms = if matches!(link, Link::Stdio(_)) { 0 } else { RESTART_MS };
    port::install(Port { link, state, seed, outbox: Vec::new() });
    // SAFETY: the module is open. port_reset jumps back from C to C: no frame of Rust is in between.
    unsafe { shared::restart_run(body, wait_ms) }
}

/// Loads the module, which must live as long as the process.
fn open(options: &Options, module: &'static [u8]) -> Result<(), String> {
    // Words, so that it is aligned as WAMR wants it.
    let pool = vec![0_u64; POOL_BYTES / size_of::<u64>()].leak();
    let wamr = WamrOptions {
        module: module.as_ptr(),
        module_bytes: module.len(),
        pool: pool.as_mut_ptr().cast(),
        pool_bytes: POOL_BYTES,
        stack_bytes: options.stack_bytes,
        budget: options.budget,
    };
    let mut error: [c_char; ERROR_BYTES] = [0; ERROR_BYTES];
    // SAFETY: all that it points to lives on; the error is ended by 0.
    unsafe {
        if shared::module_wamr_open(&wamr, error.as_mut_ptr(), ERROR_BYTES) {
            return Ok(());
        }
        Err(CStr::from_ptr(error.as_ptr()).to_string_lossy().into_owned())
    }
}

/// Copies what was kept into the module's state region; whether it is whole, module_resume says.
fn restore(mut state: State) -> std::io::Result<State> {
    let mut bytes = 0;
    // SAFETY: the region is the module's own memory, and no call into it is under way.
    let image = unsafe {
        let at = shared::module_image(&mut bytes);
        std::slice::from_raw_parts_mut(at, bytes)
    };
    state.restore(image)?;
    Ok(state)
}

fn describe(memory: &WamrMemory) -> String {
    format!(
        "{{\"runtimeBytes\":{},\"loadBytes\":{},\"instanceBytes\":{},\"execEnvBytes\":{},\"stackBytes\":{},\
         \"linearBytes\":{},\"heapBase\":{},\"peakBytes\":{}}}",
        memory.runtime_bytes,
        memory.load_bytes,
        memory.instance_bytes,
        memory.exec_env_bytes,
        memory.stack_bytes,
        memory.linear_bytes,
        memory.heap_base,
        memory.peak_bytes
    )
}
