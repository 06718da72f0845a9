// A forwarder by itself (5.5): it stands between nodes and a gateway that do not hear one another, puts what a node sends
// into an envelope for the gateway, and sends on what the gateway's envelopes hold. A node's Wireless Node Id is its address
// on the radio (see ABI.md), so there is nothing to remember, and nothing to expire.
//
//  0        44                  104      120        168
// ┌────────┬───────────────────┬────────┬──────────┬──────┬─────────┐
// │ packet │ gateway's address │ header │ counters │ peer │ buffers │
// └────────┴───────────────────┴────────┴──────────┴──────┴─────────┘
import { send } from '../board';
import { decode } from '../codec/decode';
import { Packet } from '../codec/packet';
import { clearRegion, countIn, IMAGE_GAP, isWhole, sealRegion } from '../memory/image';
import { ADDRESS_BYTES_MAX, ENVELOPE_BYTES, RX_BYTES, TX_BYTES } from '../memory/limits';
import { areSame, keep } from '../memory/octets';
import { ErrorCode } from '../protocol/error-code';
import { ABI_VERSION, Counter, IMAGE_COUNTERS_AT, NEVER_MS } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';

// Where static data end: the compiler knows, and the link step says it the way runtimes want it.
export { __data_end, __heap_base };

/** The bits of Ctrl that hold the radius. */
const CTRL_RADIUS: i32 = 3;

const ADDRESS_BYTES: usize = 1 + ADDRESS_BYTES_MAX;
const PACKET: usize = 0;
const GATEWAY: usize = offsetof<Packet>(); // with an address of 32 octets it ends at 77
const PEER: usize = IMAGE_COUNTERS_AT + Counter.Count * 4;
const RX: usize = (PEER + ADDRESS_BYTES + 7) & ~7;
const TX: usize = (RX + RX_BYTES + 7) & ~7;
const IMAGE_BYTES: usize = (TX + TX_BYTES + 7) & ~7;
const IMAGE_AT: usize = memory.data(<i32>(IMAGE_BYTES + 2 * IMAGE_GAP), 8) + IMAGE_GAP;
const GATEWAY_AT: usize = IMAGE_AT + GATEWAY;
const PEER_AT: usize = IMAGE_AT + PEER;
const RX_AT: usize = IMAGE_AT + RX;
const TX_AT: usize = IMAGE_AT + TX;
const packet: Packet = changetype<Packet>(IMAGE_AT + PACKET);

export function abi(): i32 {
  return ABI_VERSION;
}

export function image(): usize {
  return IMAGE_AT;
}

export function imageBytes(): usize {
  return IMAGE_BYTES;
}

export function rx(): usize {
  return RX_AT;
}

export function rxBytes(): i32 {
  return RX_BYTES;
}

export function peer(): usize {
  return PEER_AT;
}

export function peerBytes(): i32 {
  return <i32>ADDRESS_BYTES;
}

export function start(_now: i32, _seed: i32): i32 {
  clearRegion(IMAGE_AT, IMAGE_BYTES);
  return 0;
}

/** The gateway's address: `bytes` octets of `rx()`, 1 to ADDRESS_BYTES_MAX. Until it is known nothing is sent on. */
export function gateway(bytes: i32): i32 {
  if (bytes < 1) return ErrorCode.BadArgument;
  if (bytes > ADDRESS_BYTES_MAX) return ErrorCode.TooLong;
  keep(GATEWAY_AT, RX_AT, bytes);
  return 0;
}

/** Sends on what has arrived. Returns 0, or why it was dropped. */
export function receive(bytes: i32, _now: i32): i32 {
  count(Counter.DatagramsIn);
  let result: i32 = ErrorCode.TooLong;
  if (<u32>bytes <= <u32>RX_BYTES) result = decode(packet, RX_AT, bytes);
  if (!result) result = areSame(GATEWAY_AT, PEER_AT) ? unwrap() : wrap(bytes);
  store<u8>(PEER_AT, 0);
  if (result === ErrorCode.Unexpected) count(Counter.Unexpected);
  else if (result) count(Counter.Malformed);
  return result;
}

/** To the node that the envelope names; with a radius, to everyone in reach. */
function unwrap(): i32 {
  if (packet.type !== PacketType.Forwarded || !load<u8>(GATEWAY_AT)) return ErrorCode.Unexpected;
  if (packet.dataBytes > ADDRESS_BYTES_MAX) return ErrorCode.TooLong;
  keep(PEER_AT, packet.data, packet.code & CTRL_RADIUS ? 0 : packet.dataBytes);
  return pass(packet.inner, packet.innerBytes);
}

/** To the gateway, with the node's address for an id. Envelopes of others are not carried: there is no end to that. */
function wrap(bytes: i32): i32 {
  const idBytes: i32 = load<u8>(PEER_AT);
  if (packet.type === PacketType.Forwarded || !load<u8>(GATEWAY_AT) || !idBytes || idBytes > ADDRESS_BYTES_MAX)
    return ErrorCode.Unexpected;
  const before = ENVELOPE_BYTES + idBytes;
  if (before + bytes > TX_BYTES) return ErrorCode.TooLong;
  store<u8>(TX_AT, before);
  store<u8>(TX_AT, PacketType.Forwarded, 1);
  store<u8>(TX_AT, packet.type === PacketType.SearchGw ? min(packet.code, CTRL_RADIUS) : 0, 2);
  memory.copy(TX_AT + ENVELOPE_BYTES, PEER_AT + 1, idBytes);
  memory.copy(TX_AT + before, RX_AT, bytes);
  memory.copy(PEER_AT, GATEWAY_AT, ADDRESS_BYTES);
  return pass(TX_AT, before + bytes);
}

function pass(at: usize, bytes: i32): i32 {
  count(send(at, bytes) >= 0 ? Counter.DatagramsOut : Counter.SendFailed);
  return ErrorCode.None;
}

function count(counter: Counter): void {
  countIn(IMAGE_AT, counter);
}

/** Nothing is ever due. */
export function poll(_now: i32): i32 {
  return NEVER_MS;
}

export function seal(): i32 {
  sealRegion(IMAGE_AT, IMAGE_BYTES);
  return 0;
}

export function resume(now: i32): i32 {
  if (isWhole(IMAGE_AT, IMAGE_BYTES)) return 0;
  start(now, 0);
  return ErrorCode.BadImage;
}
