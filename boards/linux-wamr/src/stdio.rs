//! Frames on stdin and stdout, for lockstep: SLIP as on a board's UART (boards/common/slip.c).
use std::io::{self, Read, Write};

use crate::shared::{self, SlipDecoder};

const CHUNK_BYTES: usize = 4096;

#[derive(Default)]
pub struct Stdio {
    decoder: SlipDecoder,
    /// What was read and not yet decoded.
    input: Vec<u8>,
    next: usize,
    /// What slip.c has put, until the frame is whole.
    output: Vec<u8>,
}

impl Stdio {
    /// Waits for a frame. Ends the process where there will be none: who drove it is gone.
    pub fn receive(&mut self, frame: &mut [u8]) -> usize {
        loop {
            while self.next < self.input.len() {
                let octet = self.input[self.next];
                self.next += 1;
                // SAFETY: slip_decode writes at most `max` octets to the frame.
                let bytes = unsafe { shared::slip_decode(&mut self.decoder, frame.as_mut_ptr(), frame.len(), octet) };
                if bytes > 0 {
                    return bytes;
                }
            }
            let mut chunk = [0; CHUNK_BYTES];
            match io::stdin().read(&mut chunk) {
                Ok(0) | Err(_) => std::process::exit(0),
                Ok(bytes) => {
                    self.input = chunk[..bytes].to_vec();
                    self.next = 0;
                }
            }
        }
    }

    pub fn put(&mut self, octet: u8) {
        self.output.push(octet);
    }

    pub fn flush(&mut self) {
        let mut stdout = io::stdout();
        if stdout.write_all(&self.output).and_then(|()| stdout.flush()).is_err() {
            std::process::exit(0);
        }
        self.output.clear();
    }
}
