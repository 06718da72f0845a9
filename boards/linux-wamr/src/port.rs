//! The port (boards/common/port.h, link.h): what the shared code calls, on this machine.
use std::cell::RefCell;
use std::io::{self, Write};
use std::slice;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::shared;
use crate::state::State;
use crate::stdio::Stdio;
use crate::udp::Udp;

/// Of an address in link.h.
const ADDRESS_BYTES_MAX: usize = 32;
const LOG_FRAME: u8 = 0;

pub enum Link {
    Udp(Udp),
    Stdio(Stdio),
}

pub struct Port {
    pub link: Link,
    pub state: Option<State>,
    pub seed: u32,
    /// Datagrams that leave once the state they follow from is kept.
    pub outbox: Vec<(Vec<u8>, Vec<u8>)>,
}

thread_local! {
    static PORT: RefCell<Option<Port>> = const { RefCell::new(None) };
    static BEGINNING: Instant = Instant::now();
}

pub fn install(port: Port) {
    BEGINNING.with(|_| ());
    PORT.set(Some(port));
}

fn with<T>(act: impl FnOnce(&mut Port) -> T) -> T {
    PORT.with_borrow_mut(|port| act(port.as_mut().expect("main installs the port first")))
}

fn is_lockstep() -> bool {
    with(|port| matches!(port.link, Link::Stdio(_)))
}

/// SAFETY: who calls passes as many octets as it says, good during the call.
unsafe fn octets<'a>(at: *const u8, bytes: usize) -> &'a [u8] {
    if bytes == 0 { &[] } else { unsafe { slice::from_raw_parts(at, bytes) } }
}

#[unsafe(no_mangle)]
extern "C" fn port_init() {}

#[unsafe(no_mangle)]
extern "C" fn port_now_ms() -> u32 {
    BEGINNING.with(|beginning| beginning.elapsed().as_millis() as u32)
}

/// Nanoseconds: the nearest that a process has to cycles.
#[unsafe(no_mangle)]
extern "C" fn port_cycles() -> u32 {
    BEGINNING.with(|beginning| beginning.elapsed().as_nanos() as u32)
}

#[unsafe(no_mangle)]
extern "C" fn port_seed() -> u32 {
    with(|port| port.seed)
}

/// Each call has a budget of instructions instead (module-wamr.h).
#[unsafe(no_mangle)]
extern "C" fn port_watchdog(_ms: u32) {}

/// The operand stack is WAMR's, and measured by what it must be given.
#[unsafe(no_mangle)]
extern "C" fn port_stack_used() -> u32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn port_uart_put(octet: u8) {
    with(|port| {
        if let Link::Stdio(stdio) = &mut port.link {
            stdio.put(octet);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn restart_pause(ms: u32) {
    with(|port| {
        port.outbox.clear();
        if let Some(state) = &mut port.state {
            state.forget();
        }
    });
    sleep(Duration::from_millis(ms.into()));
}

/// Keeps the state, then lets out what follows from it. A state that cannot be kept ends the device: going on without
/// would break the promise under which messages are acknowledged.
fn settle() {
    if with(|port| port.state.is_some()) {
        let mut bytes = 0;
        // SAFETY: no call into the module is under way; the image is its own memory, which does not move.
        let image = unsafe {
            if shared::module_seal() != 0 {
                return; // it has trapped, and the next call says so
            }
            let at = shared::module_image(&mut bytes);
            octets(at, bytes)
        };
        if let Err(error) = with(|port| port.state.as_mut().map_or(Ok(()), |state| state.keep(image))) {
            eprintln!("thimble-wamr: the state cannot be kept: {error}");
            std::process::exit(1);
        }
    }
    with(|port| {
        if let Link::Udp(udp) = &port.link {
            for (datagram, to) in port.outbox.drain(..) {
                udp.send(&datagram, &to);
            }
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link_receive(buffer: *mut u8, max: usize, from: *mut u8, from_bytes: *mut usize, ms: u32) -> usize {
    settle();
    // SAFETY: link.h says how large both are; nobody else writes to them meanwhile.
    let (buffer, from, from_bytes) = unsafe {
        (slice::from_raw_parts_mut(buffer, max), slice::from_raw_parts_mut(from, ADDRESS_BYTES_MAX), &mut *from_bytes)
    };
    *from_bytes = 0;
    with(|port| match &mut port.link {
        Link::Stdio(stdio) => stdio.receive(buffer),
        Link::Udp(udp) => match udp.receive(buffer, Duration::from_millis(ms.into())) {
            Some((bytes, address)) => {
                from[..address.len()].copy_from_slice(&address);
                *from_bytes = address.len();
                bytes
            }
            None => 0,
        },
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link_send(datagram: *const u8, bytes: usize, to: *const u8, to_bytes: usize) -> i32 {
    // SAFETY: as the module's contract has it.
    let (datagram, to) = unsafe { (octets(datagram, bytes), octets(to, to_bytes)) };
    with(|port| match &port.link {
        Link::Udp(udp) if port.state.is_none() => udp.send(datagram, to),
        _ => {
            port.outbox.push((datagram.to_vec(), to.to_vec()));
            bytes as i32
        }
    })
}

/// A line on stderr; in lockstep a frame of its own, which no packet looks like.
#[unsafe(no_mangle)]
unsafe extern "C" fn link_log(level: i32, text: *const u8, bytes: usize) {
    if is_lockstep() {
        let header = [LOG_FRAME, level as u8];
        link_begin();
        // SAFETY: passed on as it came.
        unsafe {
            link_write(header.as_ptr(), header.len());
            link_write(text, bytes);
        }
        link_end();
        return;
    }
    // SAFETY: as link.h has it. A closed stderr hears nothing.
    let text = unsafe { octets(text, bytes) };
    let _ = writeln!(io::stderr(), "{}", String::from_utf8_lossy(text));
}

#[unsafe(no_mangle)]
extern "C" fn link_begin() {
    // SAFETY: writes through port_uart_put alone.
    unsafe { shared::slip_end() };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link_write(octets: *const u8, bytes: usize) {
    // SAFETY: as link_begin.
    unsafe { shared::slip_put(octets, bytes) };
}

#[unsafe(no_mangle)]
extern "C" fn link_end() {
    // SAFETY: as link_begin.
    unsafe { shared::slip_end() };
    with(|port| {
        if let Link::Stdio(stdio) = &mut port.link {
            stdio.flush();
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn board_send(datagram: *const u8, bytes: usize, to: *const u8, to_bytes: usize) -> i32 {
    // SAFETY: passed on as it came.
    unsafe {
        if is_lockstep() {
            shared::lockstep_send(datagram, bytes, to, to_bytes)
        } else {
            shared::loop_send(datagram, bytes, to, to_bytes)
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn board_event(kind: i32, event: *const u8, bytes: usize) {
    // SAFETY: passed on as it came.
    unsafe {
        if is_lockstep() {
            shared::lockstep_event(kind, event, bytes);
        } else {
            shared::loop_event(kind, event, bytes);
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn board_log(level: i32, text: *const u8, bytes: usize) {
    // SAFETY: passed on as it came.
    unsafe { link_log(level, text, bytes) };
}
