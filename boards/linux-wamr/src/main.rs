//! A module of Thimble under WAMR's fast interpreter, as a process of Linux. The module's contract and the loop are the C
//! that boards share (boards/common); this is the port: sockets, time, a file for the state, the command line.
mod options;
mod port;
mod shared;
mod slots;
mod state;
mod stdio;
mod udp;
mod wamr;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use options::{Options, Work};
use port::{Link, Port};
use shared::WamrMemory;
use slots::Slots;
use state::State;
use stdio::Stdio;
use udp::Udp;
use wamr::Wamr;
// Its library is what boards/common/module-wamr.c calls.
use wamrx_sys as _;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(reason) => return complain(&format!("{reason}\n\n{}", options::USAGE), WRONG_USAGE),
    };
    let state = match options.state.clone().map(State::open).transpose() {
        Ok(state) => state,
        Err(reason) => return complain(&reason, WRONG_USAGE),
    };
    match run(options, state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => complain(&reason, FAILED),
    }
}

fn complain(reason: &str, code: u8) -> ExitCode {
    eprintln!("thimble-wamr: {}", reason.trim_end());
    ExitCode::from(code)
}

fn run(options: Options, state: Option<State>) -> Result<(), String> {
    let name = options.module.display().to_string();
    let shipped = fs::read(&options.module).map_err(|error| format!("{name}: {error}"))?;
    let link = match &options.work {
        Work::Run { gateway } => {
            Link::Udp(Udp::open(gateway).map_err(|error| format!("--gateway {gateway}: {error}"))?)
        }
        Work::Lockstep | Work::Memory => Link::Stdio(Stdio::default()),
    };
    let slots = options.updates.map(|(folder, shipped)| Slots::new(folder, shipped)).transpose()?;
    let seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one(0) as u32);
    let wamr = Wamr::new(options.stack_bytes, options.budget);
    port::install(Port { link, state, seed, outbox: Vec::new(), wamr }, slots);
    port::open_module(shipped).map_err(|reason| format!("{name}: {reason}"))?;
    port::restore_state().map_err(|error| format!("--state: {error}"))?;
    let memory = wamr::memory();
    match options.work {
        Work::Memory => {
            println!("{}", describe(&memory));
            Ok(())
        }
        Work::Lockstep => {
            let copy = vec![0_u8; memory.linear_bytes as usize].leak();
            // SAFETY: the copy lives as long as the process.
            unsafe { shared::module_wamr_record(copy.as_mut_ptr().cast(), copy.len()) };
            begin(shared::lockstep_run, false)
        }
        Work::Run { .. } => {
            if options.json {
                println!("{{\"seed\":{seed},\"memory\":{}}}", describe(&memory));
            }
            begin(shared::loop_run, true)
        }
    }
}

fn begin(body: unsafe extern "C" fn() -> !, is_to_wait: bool) -> ! {
    // SAFETY: a module is open. restart.c jumps back from C to C: no frame of Rust is in between.
    unsafe { shared::restart_run(body, is_to_wait) }
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
