// The state of a device: one contiguous region of linear memory, and nothing anywhere else. The regions below follow one
// another in this order. What is used most comes first, octets before words: a Cortex-M reaches octets up to the 31st and words
// up to the 124th with instructions of two octets instead of four.
import { Packet } from '../codec/packet';
import { clearRegion, countIn, IMAGE_GAP, isWhole, sealRegion } from '../memory/image';
import {
  ADDRESS_BYTES_MAX,
  APP_BYTES,
  EVENTS_MAX,
  GATEWAYS_MAX,
  INBOUND_QOS2_MAX,
  NODE_ID_BYTES_MAX,
  OUTBOUND_BYTES,
  RX_BYTES,
  TEXT_BYTES,
  TOPIC_NAME_BYTES_MAX,
  TOPICS_MAX,
  TX_BYTES,
  WILL_MESSAGE_BYTES_MAX,
} from '../memory/limits';
import { CLIENT_ID_MAX } from '../protocol/flags';
import { Counter, IMAGE_COUNTERS_AT, IMAGE_MAGIC_AT } from '../protocol/image';

/** What stands between the client and its gateway; named by what is owed. */
export const enum Link {
  /** Nothing: the application has not connected, or has disconnected. */
  Off = 0,
  /** CONNACK, and the will dialogue before it. */
  Connecting = 1,
  /** Nothing: messages flow. */
  Active = 2,
  /** The gateway's DISCONNECT that answers ours. */
  Disconnecting = 3,
  /** The gateway's DISCONNECT that answers ours with a duration. */
  FallingAsleep = 4,
  /** Our next sign of life, before the duration is over. */
  Asleep = 5,
  /** PINGRESP, after everything the gateway has kept for us. */
  Awake = 6,
  /** Our next attempt to connect. */
  Lost = 7,
  /** A word of any gateway: ADVERTISE or GWINFO. */
  Searching = 8,
}

/** Kinds of requests. One of each may be in flight, because 1.2 allows one of each at a time (6.5, 6.6, 6.9). */
export const enum Request {
  /** CONNECT, DISCONNECT and PINGREQ. The others are about a session's contents. */
  Control = 0,
  Register = 1,
  /** SUBSCRIBE and UNSUBSCRIBE. */
  Subscribe = 2,
  /** PUBLISH and PUBREL. */
  Publish = 3,
  /** WILLTOPICUPD and WILLMSGUPD. */
  Will = 4,
  /** Ours to answer: somebody's SEARCHGW. Only with discovery. */
  Inform = 5,
}

/** How many of them the gateway answers. */
export const REQUESTS_MAX: i32 = 5;
export const EXCHANGES_MAX: i32 = GATEWAYS_MAX ? REQUESTS_MAX + 1 : REQUESTS_MAX;

/** What a request waits for: the answer's PacketType, or one of these, which are no types that arrive. */
export const enum Owed {
  Nothing = 0,
  /** The end of T_WAIT after a congestion; then it begins again. */
  Wait = 0x1e,
  /** The moment to wake up, to connect or to search again, or to give a sign of life. */
  Alarm = 0x1f,
}

/** A request in flight. What it waits for lies elsewhere; see `owedBy`. */
@unmanaged
export class Exchange {
  /** When to act if no answer comes. Means nothing while nothing is owed. */
  dueAt: i32;
  /** 0 where the packets have none. */
  msgId: u16;
  retries: u8;
}

/** Client.willKnown: how far the gateway has our will. */
export const enum Will {
  /** The application has not said whether it has one: the gateway's is left alone. */
  Unsaid = 0,
  /** A CONNECT need not hand it over again (6.3). */
  Held = 1,
  /** It is being handed over as it is now. */
  Offered = 2,
  /** The gateway is to have it with the next CONNECT, or at once. */
  Owed = 3,
}

/** A subscription as the application wants it and as the gateway knows it. */
export const enum Sub {
  None = 0,
  Wanted = 1,
  Held = 2,
  Unwanted = 3,
}

/** Bits of Topic.marks. */
export const enum Mark {
  /** A wildcard filter: it never has an id. */
  Wildcard = 1,
  /** Registered by the gateway for a wildcard's sake; may make room for another. */
  Borrowed = 2,
}

/** A topic or filter; its name follows, as counted octets. The handle is the index in the table. */
@unmanaged
export class Topic {
  /** TopicType + 1; 0 where the entry is free. */
  kind: u8;
  marks: u8;
  sub: u8;
  qos: u8;
  /** Id, predefined id or short name; 0 while a normal topic has none. */
  id: u16;
}

/** How a gateway is known. */
export const enum Known {
  /** Not: the entry is free. */
  Not = 0,
  /** Until it is lost: it is or was in use or CONNECT went to it, or somebody named it in GWINFO. */
  Lasting = 1,
  /** By ADVERTISE, until it has missed N_ADV of them. */
  Advertised = 2,
  /** In use, and no more: the board chose it, and it has not said its GwId. */
  Unnamed = 3,
}

/**
 * A gateway; its address follows, as counted octets. The first of the table is the one in use, or the next to be tried; it
 * makes room for no other.
 */
@unmanaged
export class Gateway {
  /** When it no longer counts as there, where it is known by ADVERTISE. */
  until: i32;
  known: u8;
  /** GwId. With the address behind it, it tells gateways apart. */
  id: u8;
}

/** A QoS 2 message from the gateway. */
@unmanaged
export class Inbound {
  /** 0 where the record is free. */
  msgId: u16;
  /** Sum over the payload, to tell a late copy from a new message with an old id. */
  check: u16;
  /** 1 PUBREL is owed, 2 released. */
  state: u8;
  /** When it arrived or was released. */
  at: i32;
}

/** What the application is told; see EventKind. */
@unmanaged
export class Event {
  kind: u8;
  flags: u8;
  /** Handle, or NO_TOPIC. */
  topic: u8;
  code: u8;
  /** Topic id as on the wire. */
  topicId: u16;
  /** Ticket of `publish`, or MsgId. */
  ticket: u16;
  name: usize;
  data: usize;
  nameBytes: u16;
  dataBytes: u16;
}

/** No handle: a short topic that the application has not declared. */
export const NO_TOPIC: i32 = 255;

@unmanaged
export class Client {
  /** A Link. */
  link: u8;
  /** Attempts without an answer: to reconnect since the last session; of a sleeper, to be heard: 0 or 1. */
  attempts: u8;
  /** The application wants a clean session, with every connection. */
  clean: u8;
  /** The CONNECT in progress wakes a sleeper: its session is alive and is kept. */
  waking: u8;
  /** The gateway may have forgotten us: register and subscribe anew after CONNACK. */
  resync: u8;
  /** A Will. */
  willKnown: u8;
  willFlags: u8;
  /** Handle + 1; 0 where there is no will. */
  willTopic: u8;
  /** Events that wait, and the place of the first. */
  events: u8;
  eventFirst: u8;
  /** Where the search for a borrowed topic's place begins. */
  borrowAt: u8;
  /** The head of the queue was sent before: DUP. */
  headSent: u8;
  /** Times the head's topic was registered anew because the gateway had forgotten it. */
  headRenewals: u8;
  /** Handles of the topics that REGISTER, and SUBSCRIBE or UNSUBSCRIBE, are about. */
  registeringTopic: u8;
  subscribingTopic: u8;
  /** Of SEARCHGW; 0 where gateways are not discovered. */
  radius: u8;
  lastMsgId: u16;
  /** As CONNECT and DISCONNECT say them. */
  keepAliveS: u16;
  sleepS: u16;
  /** Octets used in the outbound queue. */
  outboundBytes: u16;
  /** The time of the current call, on the device's own clock. */
  now: i32;
  /** What that is ahead of the board's: a device that was away goes on at the time when it stopped. */
  ahead: i32;
  /** When the last datagram left, and when the last good packet came from the gateway. */
  sentAt: i32;
  heardAt: i32;
  /** When the application wants its `tick`. */
  tickAt: i32;
  random: u32;
  /** Sum over GwId and address of the gateway of the last session. */
  session: u32;
}

// The memory map. Every size is a constant, so every address is one too. Counted octets take one more than they hold.
export const TOPIC_BYTES: usize = (offsetof<Topic>() + 1 + TOPIC_NAME_BYTES_MAX + 3) & ~3;
const EXCHANGE_BYTES: usize = 8;
const INBOUND_BYTES: usize = offsetof<Inbound>();
const EVENT_BYTES: usize = offsetof<Event>();
/** Where a gateway keeps its address, and the octets of that: what the board sees of it. */
const ADDRESS_AT: usize = offsetof<Gateway>();
export const ADDRESS_BYTES: usize = 1 + ADDRESS_BYTES_MAX;
export const GATEWAY_BYTES: usize = (ADDRESS_AT + ADDRESS_BYTES + 3) & ~3;

const OWED: usize = 0;
const CLIENT: usize = (OWED + EXCHANGES_MAX + 7) & ~7;
const PACKET: usize = CLIENT + offsetof<Client>();
if (PACKET + offsetof<Packet>() > <usize>IMAGE_MAGIC_AT) ERROR('what comes before the header is too long');
const COUNTERS_END: usize = IMAGE_COUNTERS_AT + Counter.Count * 4;
const EXCHANGES: usize = COUNTERS_END;
const CLIENT_ID: usize = EXCHANGES + <usize>EXCHANGES_MAX * EXCHANGE_BYTES;
const WILL_MESSAGE: usize = CLIENT_ID + 1 + CLIENT_ID_MAX;
const NODE_ID: usize = WILL_MESSAGE + 1 + WILL_MESSAGE_BYTES_MAX;
const GATEWAYS: usize = (NODE_ID + 1 + NODE_ID_BYTES_MAX + 3) & ~3;
const TOPICS: usize = GATEWAYS + <usize>(GATEWAYS_MAX ? GATEWAYS_MAX : 1) * GATEWAY_BYTES;
const INBOUND: usize = TOPICS + <usize>TOPICS_MAX * TOPIC_BYTES;
const EVENTS: usize = INBOUND + <usize>INBOUND_QOS2_MAX * INBOUND_BYTES;
const OUTBOUND: usize = EVENTS + <usize>EVENTS_MAX * EVENT_BYTES;
const APP: usize = (OUTBOUND + OUTBOUND_BYTES + 7) & ~7;
const TEXT: usize = APP + APP_BYTES;
const PEER: usize = TEXT + TEXT_BYTES; // what follows means nothing between two calls
const RX: usize = (PEER + ADDRESS_BYTES + 7) & ~7;
const TX: usize = (RX + RX_BYTES + 7) & ~7;

/** A page of WebAssembly's memory: what the smallest boards give. */
const IMAGE_BYTES_MAX: usize = 65536;
/** Octets of the whole state region. */
export const IMAGE_BYTES: usize = (TX + TX_BYTES + 7) & ~7;
if (IMAGE_BYTES > IMAGE_BYTES_MAX)
  ERROR('THIMBLE_TOPICS_MAX and others: together they make a state of more than 65536 octets');
/** Where it begins. */
export const IMAGE_AT: usize = memory.data(<i32>(IMAGE_BYTES + 2 * IMAGE_GAP), 8) + IMAGE_GAP;

// Counted octets, each of them.
export const CLIENT_ID_AT: usize = IMAGE_AT + CLIENT_ID;
export const WILL_MESSAGE_AT: usize = IMAGE_AT + WILL_MESSAGE;
export const NODE_ID_AT: usize = IMAGE_AT + NODE_ID;
/** The address that the board and the client tell one another. */
export const PEER_AT: usize = IMAGE_AT + PEER;
export const OUTBOUND_AT: usize = IMAGE_AT + OUTBOUND;
export const APP_AT: usize = IMAGE_AT + APP;
export const TEXT_AT: usize = IMAGE_AT + TEXT;
export const RX_AT: usize = IMAGE_AT + RX;
export const TX_AT: usize = IMAGE_AT + TX;

export const client: Client = changetype<Client>(IMAGE_AT + CLIENT);
/** The packet that has arrived; after that, the one that is sent. Between two calls it means nothing. */
export const packet: Packet = changetype<Packet>(IMAGE_AT + PACKET);
/** The gateway in use, and its address. */
export const gateway: Gateway = changetype<Gateway>(IMAGE_AT + GATEWAYS);
export const GATEWAY_ADDRESS_AT: usize = IMAGE_AT + GATEWAYS + ADDRESS_AT;

/** What a request waits for: a PacketType or an Owed. */
export function owedBy(request: Request): i32 {
  return load<u8>(IMAGE_AT + OWED + request);
}

export function setOwed(request: Request, owed: i32): void {
  store<u8>(IMAGE_AT + OWED + request, owed);
}

export function exchangeAt(request: Request): Exchange {
  return changetype<Exchange>(IMAGE_AT + EXCHANGES + <usize>request * EXCHANGE_BYTES);
}

export function topicAt(handle: i32): Topic {
  return changetype<Topic>(IMAGE_AT + TOPICS + <usize>handle * TOPIC_BYTES);
}

/** Where a topic's name lies, as counted octets. */
export function nameOf(topic: Topic): usize {
  return changetype<usize>(topic) + offsetof<Topic>();
}

export function gatewayAt(index: i32): Gateway {
  return changetype<Gateway>(IMAGE_AT + GATEWAYS + <usize>index * GATEWAY_BYTES);
}

/** Where a gateway's address lies, as counted octets. */
export function addressOf(gateway: Gateway): usize {
  return changetype<usize>(gateway) + ADDRESS_AT;
}

export function inboundAt(index: i32): Inbound {
  return changetype<Inbound>(IMAGE_AT + INBOUND + <usize>index * INBOUND_BYTES);
}

export function eventAt(index: i32): Event {
  return changetype<Event>(IMAGE_AT + EVENTS + <usize>index * EVENT_BYTES);
}

export function count(counter: Counter): void {
  countIn(IMAGE_AT, counter);
}

/** Power-on: everything zero, then the header and what the seed decides. */
export function resetState(now: i32, seed: i32): void {
  clearRegion(IMAGE_AT, IMAGE_BYTES);
  client.now = now;
  client.random = <u32>seed * 0x9e3779b1 + 0x85ebca6b;
  client.lastMsgId = <u16>random();
}

/** What is due and what is sent from now on is of this time of the board's. */
export function setTime(now: i32): void {
  client.now = now + client.ahead;
}

/** So that `isOurs` can tell it from what is not whole. */
export function sealImage(): void {
  sealRegion(IMAGE_AT, IMAGE_BYTES);
}

/** True where the region holds a whole state that this build understands, as it was sealed. */
export function isOurs(): bool {
  return isWhole(IMAGE_AT, IMAGE_BYTES);
}

/**
 * 32 bits of a linear congruential generator (multiplier and increment of Knuth and Lewis), the weak low bits mixed with
 * the high ones. For jitter and first ids, never for secrets.
 */
export function random(): u32 {
  client.random = client.random * 1664525 + 1013904223;
  return client.random ^ (client.random >> 16);
}
