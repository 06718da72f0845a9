// The state of a device: one contiguous region of linear memory, and nothing anywhere else. The regions below follow one
// another in this order; each begins at a multiple of 8, or of 4 where it holds words only.
import { Packet } from '../codec/packet';
import { Cursor } from '../memory/cursor';
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
import { Counter, IMAGE_COUNTERS_AT } from '../protocol/image';

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

/** What an exchange waits for. */
export const enum Owed {
  Nothing = 0,
  ConnAck = 1,
  PingResp = 2,
  Disconnect = 3,
  RegAck = 4,
  SubAck = 5,
  UnsubAck = 6,
  PubAck = 7,
  PubRec = 8,
  PubComp = 9,
  /** The end of T_WAIT after a congestion; then the exchange begins again. */
  Wait = 10,
  /** The moment to wake up, to connect or to search again, or to give a sign of life. */
  Alarm = 11,
  WillTopicResp = 12,
  WillMsgResp = 13,
  /** The moment to answer a SEARCHGW, if nobody does before. */
  GwInfo = 14,
}

/** One request in flight. There is one a kind, because 1.2 allows one of each at a time (6.5, 6.6, 6.9). */
@unmanaged
export class Exchange {
  /** When to act if no answer comes. Means nothing while `owed` is Nothing. */
  dueAt: i32;
  msgId: u16;
  /** An Owed. */
  owed: u8;
  retries: u8;
}

/** Kinds of requests: one each may be in flight. */
export const REQUESTS_MAX: i32 = 5;
/** The same and, with discovery, the answer to SEARCHGW. */
export const EXCHANGES_MAX: i32 = GATEWAYS_MAX ? REQUESTS_MAX + 1 : REQUESTS_MAX;

/** Client.willKnown. */
export const enum Will {
  /** The gateway is to have it with the next CONNECT, or at once. */
  Owed = 0,
  /** A CONNECT need not hand it over again (6.3). */
  Held = 1,
  /** It is being handed over as it is now. */
  Offered = 2,
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

/** A topic or filter; its name of up to TOPIC_NAME_BYTES_MAX octets follows. The handle is the index in the table. */
@unmanaged
export class Topic {
  /** TopicType + 1; 0 where the entry is free. */
  kind: u8;
  marks: u8;
  sub: u8;
  qos: u8;
  /** Id, predefined id or short name; 0 while a normal topic has none. */
  id: u16;
  nameBytes: u8;
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
 * A gateway; its address follows: an octet of length, and ADDRESS_BYTES_MAX octets. The first of the table is the one in
 * use, or the next to be tried; it makes room for no other.
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
  msgId: u16;
  /** Sum over the payload, to tell a late copy from a new message with an old id. */
  check: u16;
  /** 0 free, 1 PUBREL is owed, 2 released. */
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

/**
 * Small fields first, and the hot regions next to it: native code reaches 31 octets from a register with the short
 * instruction that loads one octet, 62 with that for two, and 124 with that for four.
 */
@unmanaged
export class Client {
  /** Attempts without an answer: to reconnect since the last session; of a sleeper, to be heard: 0 or 1. */
  attempts: u8;
  /** The application wants a clean session, with every connection. */
  clean: u8;
  /** The CONNECT in progress wakes a sleeper: its session is alive and is kept. */
  waking: u8;
  /** The gateway may have forgotten us: register and subscribe anew after CONNACK. */
  resync: u8;
  /** How far the gateway has our will; see Will. */
  willKnown: u8;
  willFlags: u8;
  /** Handle; means nothing without `hasWill`. */
  willTopic: u8;
  hasWill: u8;
  /** The application said whether it has a will; before that the gateway's is left alone. */
  willSaid: u8;
  willMessageBytes: u8;
  clientIdBytes: u8;
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
  /** Octets of the Wireless Node Id; 0 where no forwarder stands between. */
  nodeIdBytes: u8;
  lastMsgId: u16;
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
  keepAliveMs: i32;
  sleepMs: i32;
  link: Link;
}

// The memory map. Every size is a constant, so every address is one too. A topic's name begins behind its record.
export const TOPIC_BYTES: usize = (offsetof<Topic>() + TOPIC_NAME_BYTES_MAX + 3) & ~3;
const EXCHANGE_BYTES: usize = offsetof<Exchange>();
const INBOUND_BYTES: usize = offsetof<Inbound>();
const EVENT_BYTES: usize = offsetof<Event>();
/** Where a gateway keeps its address, and the octets of that: what the board sees of it. */
const ADDRESS_AT: usize = offsetof<Gateway>();
export const ADDRESS_BYTES: usize = 1 + ADDRESS_BYTES_MAX;
export const GATEWAY_BYTES: usize = (ADDRESS_AT + ADDRESS_BYTES + 3) & ~3;

const HEADER: usize = 0;
const CLIENT: usize = (HEADER + IMAGE_COUNTERS_AT + Counter.Count * 4 + 7) & ~7;
const PACKET_IN: usize = CLIENT + offsetof<Client>(); // the packets and the cursor mean nothing between two calls
const CURSOR: usize = PACKET_IN + offsetof<Packet>();
const PACKET_OUT: usize = CURSOR + offsetof<Cursor>();
const EXCHANGES: usize = (PACKET_OUT + offsetof<Packet>() + 7) & ~7;
const CLIENT_ID: usize = (EXCHANGES + <usize>EXCHANGES_MAX * EXCHANGE_BYTES + 7) & ~7;
const WILL_MESSAGE: usize = (CLIENT_ID + CLIENT_ID_MAX + 7) & ~7;
const NODE_ID: usize = (WILL_MESSAGE + WILL_MESSAGE_BYTES_MAX + 7) & ~7;
const GATEWAYS: usize = (NODE_ID + NODE_ID_BYTES_MAX + 7) & ~7;
const TOPICS: usize = (GATEWAYS + <usize>(GATEWAYS_MAX ? GATEWAYS_MAX : 1) * GATEWAY_BYTES + 7) & ~7;
const INBOUND: usize = (TOPICS + <usize>TOPICS_MAX * TOPIC_BYTES + 7) & ~7;
const EVENTS: usize = (INBOUND + <usize>INBOUND_QOS2_MAX * INBOUND_BYTES + 7) & ~7;
const OUTBOUND: usize = (EVENTS + <usize>EVENTS_MAX * EVENT_BYTES + 7) & ~7;
const APP: usize = (OUTBOUND + OUTBOUND_BYTES + 7) & ~7;
const TEXT: usize = (APP + APP_BYTES + 7) & ~7;
const PEER: usize = (TEXT + TEXT_BYTES + 7) & ~7; // what follows means nothing between two calls
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

export const CLIENT_ID_AT: usize = IMAGE_AT + CLIENT_ID;
export const WILL_MESSAGE_AT: usize = IMAGE_AT + WILL_MESSAGE;
export const NODE_ID_AT: usize = IMAGE_AT + NODE_ID;
export const OUTBOUND_AT: usize = IMAGE_AT + OUTBOUND;
export const APP_AT: usize = IMAGE_AT + APP;
export const TEXT_AT: usize = IMAGE_AT + TEXT;
/** The address that the board and the client tell one another: an octet of length, and its octets. */
export const PEER_AT: usize = IMAGE_AT + PEER;
export const RX_AT: usize = IMAGE_AT + RX;
export const TX_AT: usize = IMAGE_AT + TX;

export const client: Client = changetype<Client>(IMAGE_AT + CLIENT);
/** CONNECT, DISCONNECT and PINGREQ: the first exchange. The others are about a session's contents. */
export const control: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES);
export const registering: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES + EXCHANGE_BYTES);
export const subscribing: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES + 2 * EXCHANGE_BYTES);
export const publishing: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES + 3 * EXCHANGE_BYTES);
export const willing: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES + 4 * EXCHANGE_BYTES);
/** Only with discovery. */
export const informing: Exchange = changetype<Exchange>(IMAGE_AT + EXCHANGES + 5 * EXCHANGE_BYTES);
/** The gateway in use, and its address. */
export const gateway: Gateway = changetype<Gateway>(IMAGE_AT + GATEWAYS);
export const GATEWAY_ADDRESS_AT: usize = IMAGE_AT + GATEWAYS + ADDRESS_AT;
/** The packet that arrived, the packet that is being sent, and the cursor for both. */
export const received: Packet = changetype<Packet>(IMAGE_AT + PACKET_IN);
export const sending: Packet = changetype<Packet>(IMAGE_AT + PACKET_OUT);
export const cursor: Cursor = changetype<Cursor>(IMAGE_AT + CURSOR);

export function exchangeAt(index: i32): Exchange {
  return changetype<Exchange>(IMAGE_AT + EXCHANGES + <usize>index * EXCHANGE_BYTES);
}

export function topicAt(handle: i32): Topic {
  return changetype<Topic>(IMAGE_AT + TOPICS + <usize>handle * TOPIC_BYTES);
}

/** Where a topic's name lies. */
export function nameOf(topic: Topic): usize {
  return changetype<usize>(topic) + offsetof<Topic>();
}

export function gatewayAt(index: i32): Gateway {
  return changetype<Gateway>(IMAGE_AT + GATEWAYS + <usize>index * GATEWAY_BYTES);
}

/** Where a gateway's address lies: an octet of length, then its octets. */
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
