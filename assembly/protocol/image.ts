// The state region of a module, as far as the outside may read it.
//
//  0                  104      108      112      116      120                    168
// ┌──────────────────┬────────┬────────┬────────┬────────┬──────────────────────┬─────────────────────────────┐
// │ the client: what │ magic  │ layout │ bytes  │ seal   │ counters, u32 each   │ its tables, the application,│
// │ it uses most     │ "thmb" │        │        │        │ in Counter's order   │ buffers                     │
// └──────────────────┴────────┴────────┴────────┴────────┴──────────────────────┴─────────────────────────────┘
//  little-endian, like all of WASM's memory; `bytes` is the length of the whole region; `seal` is the CRC-32 (reflected,
//  polynomial 0xedb88320) of the whole region with its own four octets taken as 0. The header is not at the beginning, for
//  a processor reaches the first 124 octets with its shortest instructions.

/** "thmb" in memory order. */
export const IMAGE_MAGIC = 0x626d6874;
/** Goes up whenever a field of the state moves or changes its meaning. */
export const IMAGE_LAYOUT = 3;
export const IMAGE_MAGIC_AT = 104;
export const IMAGE_LAYOUT_AT = 108;
export const IMAGE_BYTES_AT = 112;
export const IMAGE_SEAL_AT = 116;
export const IMAGE_COUNTERS_AT = 120;

/** The version of the module's contract: imports, exports and their meaning. */
export const ABI_VERSION = 2;

/** What `poll` returns when nothing is due, ever: 2^31 - 1. */
export const NEVER_MS = 0x7fffffff;

/** What a device counts, from power-on, wrapping at 2^32. */
export const enum Counter {
  DatagramsIn = 0,
  DatagramsOut = 1,
  /** Datagrams dropped because they were not MQTT-SN. */
  Malformed = 2,
  /** Good packets dropped because nothing waited for them. */
  Unexpected = 3,
  Retransmissions = 4,
  /** Messages handed to the application, by QoS. */
  DeliveredQos0 = 5,
  DeliveredQos1 = 6,
  DeliveredQos2 = 7,
  /** QoS 2 messages that had been delivered before, answered and not delivered again. */
  Duplicates = 8,
  /** Messages not delivered: unknown topic id, or no room for the event. */
  Dropped = 9,
  /** Times the gateway was lost. */
  Lost = 10,
  /** Datagrams the board did not take. */
  SendFailed = 11,
  Count = 12,
}
