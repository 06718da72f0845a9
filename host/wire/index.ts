// The MQTT-SN 1.2 codec of the host.
export { decode, encode } from './codec.js';
export type { Decoded, FaultCode, WireFault } from './fault.js';
export { FAULT, isFault, WireEncodeError } from './fault.js';
export { headerBytes } from './frame.js';
export { PACKET_NAMES } from './packet-names.js';
export type { FilterTopic, Packet, PublishTopic, SnQos } from './packets.js';
export { publishBytes } from './publish.js';
export { registerBytes } from './registration.js';
export { nameBytes } from './text.js';
