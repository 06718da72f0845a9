// The only imports of a module. Their names in WASM are `board.send`, `board.event` and so on.

/**
 * Hands one datagram to the radio. Never blocks; the octets are the board's to read only during the call.
 * Returns the octets taken, or < 0 where the radio cannot take it now (the client's retries make up for it).
 */
export declare function send(ptr: usize, len: i32): i32;

/** In modem modules only: an event for the native application, as 20 octets at `ptr` (see modules/modem-mqttsn.ts). */
export declare function event(kind: i32, ptr: usize, len: i32): void;

/** In debug builds only: a line of text (UTF-8) at a level from 0 (error) to 3 (debug). */
export declare function log(level: i32, ptr: usize, len: i32): void;

/**
 * In applications that take updates: one chunk of one. Returns the chunks that are still missing, with UPDATE_GAP added where this
 * one came too early; 0 where all are here and accepted, so that the update is started after this call into the module; or an
 * ErrorCode where it is refused.
 */
export declare function update(ptr: usize, len: i32): i32;

/** In applications that take updates: this one works, and stays. Means nothing where it is not on trial. */
export declare function confirm(): void;
