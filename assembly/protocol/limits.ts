// How much a device can hold: the defaults. A board or an application changes one with `--use THIMBLE_NAME=value` on the
// compiler's command line, where NAME is the constant below without `_DEFAULT`. Every table of the client is sized here,
// so the whole state is known at compile time: at most 65,536 octets, a page of WebAssembly's memory.

/** Topics and filters a device knows at once, its own and those that a gateway registers. 1 to 254. */
export const TOPICS_MAX_DEFAULT = 12;
/** Octets of the longest topic name or filter. 4 to 246, so that REGISTER fits a short packet; a multiple of 4 wastes nothing. */
export const TOPIC_NAME_BYTES_MAX_DEFAULT = 56;
/** Octets of the largest datagram received. At least 64, at most 65,535. */
export const RX_BYTES_DEFAULT = 512;
/**
 * Octets of the largest datagram sent: the link's MTU or the buffer, whichever is smaller. Payloads are up to 9 less, or 7 where
 * the datagram has at most 255 octets, and less by the envelope behind a forwarder. At least 64 and 6 more than a topic
 * name (with the longest envelope, NODE_ID_BYTES_MAX + 3 more), at most 65,535.
 */
export const TX_BYTES_DEFAULT = 512;
/** Octets for messages waiting to be sent or acknowledged, 6 of overhead a message. TX_BYTES to 65,535. */
export const OUTBOUND_BYTES_DEFAULT = 768;
/** QoS 2 messages from the gateway that are remembered, open or just completed. 2 to 255. */
export const INBOUND_QOS2_MAX_DEFAULT = 4;
/** Events between two calls of `next()`. A power of two, 4 to 128. */
export const EVENTS_MAX_DEFAULT = 8;
/** Octets of the will message. 0 to 246. */
export const WILL_MESSAGE_BYTES_MAX_DEFAULT = 32;
/** Octets of state that an application keeps in the image. A multiple of 8, 0 to 32,768. */
export const APP_BYTES_DEFAULT = 64;
/** T_retry, ms (7.2): 10 to 15 s on a slow radio. 2 to 2^30. */
export const T_RETRY_MS_DEFAULT = 10_000;
/** N_retry (7.2): 3 to 5. 0 to 255. */
export const N_RETRY_DEFAULT = 5;
/** T_WAIT, ms (7.2): more than 5 minutes. 1 to 2^30. */
export const T_WAIT_MS_DEFAULT = 301_000;
/** The longest pause between two attempts to reconnect, ms. Pauses double from T_retry up to this, with jitter. T_retry to 2^30. */
export const RECONNECT_MS_MAX_DEFAULT = 300_000;
/** An identical QoS 2 PUBLISH within this time of its completion is a late copy of the radio's, ms. 1 to 2^30. */
export const LATE_DUPLICATE_MS_DEFAULT = 5_000;
/**
 * Octets of the buffer in which an application builds names and payloads, 8 of them overhead. A multiple of 8, 16 to 32,768,
 * or 0 where it builds none: what needs the buffer then does not compile.
 */
export const TEXT_BYTES_DEFAULT = 128;
/** Octets of the longest address of the radio, such as 18 for IPv6 and a port. 0 to 32; 0 where it has none. */
export const ADDRESS_BYTES_MAX_DEFAULT = 18;
/** Gateways a device knows at once, the one in use among them. 0 to 32; 0 leaves the discovery of gateways out. */
export const GATEWAYS_MAX_DEFAULT = 3;
/** Octets of the longest Wireless Node Id of a client behind a forwarder (5.5). 0 to 16; 0 leaves the envelope out. */
export const NODE_ID_BYTES_MAX_DEFAULT = 8;
/** T_SEARCHGW, ms (7.2): the longest random delay before SEARCHGW, and before another gateway is tried. 1 to 2^30. */
export const T_SEARCHGW_MS_DEFAULT = 5_000;
/** T_GWINFO, ms (7.2): the longest random delay before GWINFO on behalf of a gateway. 1 to 2^30. */
export const T_GWINFO_MS_DEFAULT = 5_000;
/** N_ADV (7.2): missed ADVERTISEs after which a gateway is no longer there, 2 or 3. 1 to 16. */
export const N_ADV_DEFAULT = 3;
