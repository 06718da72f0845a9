//! The port (boards/common/port.h, link.h): what the shared code calls, on this machine.
use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::slice;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::shared::{self, UpdateStart};
use crate::slots::{SLOT_BYTES_MAX, Slots};
use crate::state::State;
use crate::stdio::Stdio;
use crate::udp::Udp;
use crate::wamr::{self, Wamr};

/// Of an address in link.h.
const ADDRESS_BYTES_MAX: usize = 32;
/// Of update.h.
const UPDATE_TABLE_BYTES: usize = 144;
const LOG_FRAME: u8 = 0;
const LOG_WARNING: i32 = 1;
const LOG_INFO: i32 = 2;

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
    pub wamr: Wamr,
}

thread_local! {
    static PORT: RefCell<Option<Port>> = const { RefCell::new(None) };
    /// Apart from the rest: update.c asks for it while others are being asked.
    static SLOTS: Cell<Option<&'static Slots>> = const { Cell::new(None) };
    static BEGINNING: Instant = Instant::now();
}

/// Copies what this very module has kept into its state region; whether that is whole, module_resume says as well.
pub fn restore_state() -> io::Result<()> {
    // SAFETY: no call into the module is under way.
    let image = unsafe { wamr::image() };
    let told = with(|port| match &mut port.state {
        Some(state) => state.restore(image, port.wamr.digest()),
        None => Ok(None),
    })?;
    if let Some(told) = told {
        say_at(LOG_WARNING, &told);
    }
    Ok(())
}

pub fn install(port: Port, slots: Option<Slots>) {
    BEGINNING.with(|_| ());
    PORT.set(Some(port));
    SLOTS.set(slots.map(|slots| &*Box::leak(Box::new(slots))));
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

/// Another module may have its turn: one that is on trial, or the one before it.
#[unsafe(no_mangle)]
extern "C" fn restart_prepare(has_failed: bool, wait_ms: u32) {
    with(|port| {
        port.outbox.clear();
        if has_failed {
            port.state.iter_mut().for_each(State::forget);
        }
    });
    sleep(Duration::from_millis(wait_ms.into()));
    let Some(slots) = SLOTS.get() else { return };
    if let Err(reason) = open_slot(slots) {
        eprintln!("thimble-wamr: {reason}");
        std::process::exit(1);
    }
}

/// Opens the module whose turn it is.
pub fn open_module(shipped: Vec<u8>) -> Result<(), String> {
    match SLOTS.get() {
        Some(slots) => open_slot(slots),
        None => with(|port| port.wamr.open(shipped)),
    }
}

fn open_slot(slots: &Slots) -> Result<(), String> {
    loop {
        let (module, start) = slots.choose(port_now_ms()).map_err(|error| format!("--slots: {error}"))?;
        let slot = start.slot;
        tell(&start);
        if start.is_on_trial || start.was_rolled_back || start.was_outdated {
            with(|port| port.state.iter_mut().for_each(State::forget)); // it is another module's
        }
        match with(|port| port.wamr.open(module)) {
            Ok(()) => return Ok(()),
            Err(reason) if start.is_on_trial => say(&format!("update: slot {slot}: {reason}")),
            Err(reason) => return Err(format!("--slots: slot {slot}: {reason}")),
        }
    }
}

fn say(line: &str) {
    say_at(LOG_INFO, line);
}

fn say_at(level: i32, line: &str) {
    // SAFETY: the line is good during the call.
    unsafe { link_log(level, line.as_ptr(), line.len()) };
}

/// Which module starts, and why.
fn tell(start: &UpdateStart) {
    if start.was_rolled_back {
        say("update: rolled back");
    }
    if start.was_outdated {
        say("update: what came before is older than what is shipped now, and is forgotten");
    }
    if start.is_put_off {
        say_at(LOG_WARNING, "update: put off until the next start, since the table cannot be written");
    }
    let [major, minor, patch] = start.version;
    let how = if start.is_on_trial { "on trial" } else { "runs" };
    // A slot that no update has been to is the module of the command line.
    let what = if start.bytes == 0 { "as shipped".into() } else { format!("slot {}", start.slot) };
    say(&format!("update: {what}, {major}.{minor}.{patch}, {how}"));
}

fn has_slots() -> bool {
    SLOTS.get().is_some()
}

/// An update waits to be started, or the one on trial has had its time.
#[unsafe(no_mangle)]
extern "C" fn port_is_to_restart() -> bool {
    // SAFETY: only looks.
    has_slots() && unsafe { shared::update_is_accepted() || shared::update_is_overdue(port_now_ms()) }
}

/// Keeps the state, then lets out what follows from it. A state that cannot be kept ends the device: going on without
/// would break the promise under which messages are acknowledged.
fn settle() {
    if with(|port| port.state.is_some()) {
        // SAFETY: no call into the module is under way.
        let image = unsafe {
            if shared::module_seal() != 0 {
                return; // it has trapped, and the next call says so
            }
            wamr::image()
        };
        let kept = with(|port| match &mut port.state {
            Some(state) => state.keep(image, port.wamr.digest()),
            None => Ok(()),
        });
        if let Err(error) = kept {
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
unsafe extern "C" fn port_receive(
    buffer: *mut u8,
    max: usize,
    from: *mut u8,
    from_bytes: *mut usize,
    ms: u32,
) -> usize {
    settle();
    // SAFETY: link.h says how large both are; nobody else writes to them meanwhile.
    let (buffer, from, from_bytes) = unsafe {
        (slice::from_raw_parts_mut(buffer, max), slice::from_raw_parts_mut(from, ADDRESS_BYTES_MAX), &mut *from_bytes)
    };
    *from_bytes = 0;
    if port_is_to_restart() {
        return 0;
    }
    // SAFETY: only looks.
    let ms = if has_slots() { ms.min(unsafe { shared::update_remaining_ms(port_now_ms()) }) } else { ms };
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
    let line = format!("{}\n", String::from_utf8_lossy(text));
    let _ = io::stderr().write_all(line.as_bytes());
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

/// Of update.h where nothing can be kept.
const UPDATE_STORAGE: i32 = -54;

#[unsafe(no_mangle)]
unsafe extern "C" fn board_update(chunk: *const u8, bytes: usize) -> i32 {
    // SAFETY: passed on as it came.
    if has_slots() { unsafe { shared::update_chunk(chunk, bytes) } } else { UPDATE_STORAGE }
}

#[unsafe(no_mangle)]
extern "C" fn board_confirm() {
    if has_slots() {
        // SAFETY: update_boot was called before the module was opened.
        unsafe { shared::update_confirm() };
    }
}

/// What update.c asks of the slots: false where there are none, or the disk does not do it.
fn in_slots(act: impl FnOnce(&Slots) -> io::Result<()>) -> bool {
    SLOTS.get().is_some_and(|slots| act(slots).is_ok())
}

#[unsafe(no_mangle)]
extern "C" fn update_port_slot_bytes() -> u32 {
    SLOT_BYTES_MAX
}

#[unsafe(no_mangle)]
extern "C" fn update_port_erase(slot: u8) -> bool {
    in_slots(|slots| slots.erase(slot))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn update_port_write(slot: u8, at: u32, part: *const u8, bytes: usize) -> bool {
    // SAFETY: as update.h has it; so below.
    in_slots(|slots| slots.write(slot, at, unsafe { octets(part, bytes) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn update_port_digest(slot: u8, bytes: u32, digest: *mut [u8; 32]) -> bool {
    in_slots(|slots| slots.digest(slot, bytes).map(|octets| unsafe { *digest = octets }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn update_port_verify(signed: *const u8, bytes: usize, signature: *const [u8; 64]) -> bool {
    SLOTS.get().is_some_and(|slots| unsafe { slots.verify(octets(signed, bytes), &*signature) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn update_port_read_table(copy: u8, table: *mut [u8; UPDATE_TABLE_BYTES]) -> bool {
    in_slots(|slots| slots.read_table(copy, unsafe { &mut *table }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn update_port_write_table(copy: u8, table: *const [u8; UPDATE_TABLE_BYTES]) -> bool {
    in_slots(|slots| slots.write_table(copy, unsafe { &*table }))
}
