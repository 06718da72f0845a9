// The only imports of a module. Their names in WASM are `board.send`, `board.event` and `board.log`.

/**
 * Hands one datagram to the radio. Never blocks; the octets are the board's to read only during the call.
 * Returns the octets taken, or < 0 where the radio cannot take it now (the client's retries make up for it).
 */
export declare function send(ptr: usize, len: i32): i32;

/** In modem modules only: an event for the native application, as 20 octets at `ptr` (see modules/modem-mqttsn.ts). */
export declare function event(kind: i32, ptr: usize, len: i32): void;

/** In debug builds only: a line of text (UTF-8) at a level from 0 (error) to 3 (debug). */
export declare function log(level: i32, ptr: usize, len: i32): void;
