// Which gateway: those that are heard of, the search for one (6.1), and another where one is lost (6.13).

import { ADDRESS_BYTES_MAX, GATEWAYS_MAX, N_ADV, T_GWINFO_MS, T_SEARCHGW_MS } from '../memory/limits';
import { areSame, keep } from '../memory/octets';
import { sumOf } from '../memory/sum';
import { ErrorCode } from '../protocol/error-code';
import { NEVER_MS } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { pauseMs, startConnect } from './connection';
import { alarm, begin, isDue, settle } from './exchange';
import {
  ADDRESS_BYTES,
  addressOf,
  client,
  GATEWAY_ADDRESS_AT,
  GATEWAY_BYTES,
  Gateway,
  gateway,
  gatewayAt,
  Known,
  Link,
  owedBy,
  PEER_AT,
  packet,
  Request,
  random,
} from './state';
import { transmit, transmitWith } from './transmit';

/**
 * Discovers gateways, with SEARCHGW of this radius, 1 to 255; 0, as at power-on, leaves the choice to the board. A session
 * that stands stays where it is.
 */
export function discover(radius: i32): i32 {
  if (<u32>radius > 255) return ErrorCode.BadArgument;
  if (GATEWAYS_MAX === 0) return radius ? ErrorCode.Full : ErrorCode.None;
  if (!radius || !client.radius) {
    // What was chosen by other rules is no choice any more, unless there is a session with it.
    if (!client.link || <i32>client.link >= Link.Lost) forget(gateway);
    for (let i = 1; i < GATEWAYS_MAX; i++) gatewayAt(i).known = <u8>Known.Not;
  }
  client.radius = <u8>radius;
  if (!radius && client.link === Link.Searching) {
    client.link = <u8>Link.Lost;
    alarm(0);
  }
  return ErrorCode.None;
}

function forget(gateway: Gateway): void {
  memory.fill(changetype<usize>(gateway), 0, GATEWAY_BYTES);
}

/** Whoever has missed N_ADV of its ADVERTISEs is forgotten, before the clock wraps and comes to the time when it was there. */
function isThere(gateway: Gateway): bool {
  if (gateway.known === Known.Advertised && isDue(gateway.until)) forget(gateway);
  return <bool>gateway.known;
}

/** Forgets who is no longer there. Milliseconds until the next one is to be forgotten; NEVER_MS where there is none. */
export function untilExpired(): i32 {
  let ms = NEVER_MS;
  for (let i = 0; i < GATEWAYS_MAX; i++) {
    const known = gatewayAt(i);
    if (isThere(known) && known.known === Known.Advertised) ms = min(ms, known.until - client.now);
  }
  return ms;
}

/** True for a datagram that another than the gateway in use has sent. Where either has no address, nobody can tell. */
export function isStranger(): bool {
  return <bool>(load<u8>(GATEWAY_ADDRESS_AT) && load<u8>(PEER_AT) && !areSame(GATEWAY_ADDRESS_AT, PEER_AT));
}

/** Puts the gateway to connect to in its place. False where one must be found first. */
export function chooseGateway(): bool {
  if (GATEWAYS_MAX === 0 || !client.radius) {
    // Whoever wakes up goes where its session is.
    if (!client.waking) {
      forget(gateway);
      gateway.known = <u8>Known.Unnamed;
    }
    return true;
  }
  for (let i = 0; i < GATEWAYS_MAX; i++) {
    const other = gatewayAt(i);
    if (!isThere(other)) continue;
    if (i) {
      memory.copy(changetype<usize>(gateway), changetype<usize>(other), GATEWAY_BYTES);
      forget(other);
    }
    // From now on it does not depend on ADVERTISE, which whoever sleeps does not hear.
    if (gateway.known === Known.Advertised) gateway.known = <u8>Known.Lasting;
    return true;
  }
  forget(gateway);
  return false;
}

/** A session stands with the gateway in use. True where the last one was with another. */
export function adoptGateway(): bool {
  if (!load<u8>(GATEWAY_ADDRESS_AT)) memory.copy(GATEWAY_ADDRESS_AT, PEER_AT, ADDRESS_BYTES);
  const last = client.session;
  client.session = sumOfGateway();
  return last !== client.session;
}

/** Over GwId and address. */
function sumOfGateway(): u32 {
  return sumOf(GATEWAY_ADDRESS_AT - 1, 2 + <usize>load<u8>(GATEWAY_ADDRESS_AT));
}

/** The gateway in use cannot be had: the next one that is known, or a search. False where there is no discovery. */
export function failOver(): bool {
  if (GATEWAYS_MAX === 0 || !client.radius) return false;
  forget(gateway);
  if (chooseGateway()) {
    client.link = <u8>Link.Lost;
    alarm(randomMs(T_SEARCHGW_MS));
  } else search();
  return true;
}

function randomMs(msMax: i32): i32 {
  return <i32>(random() % <u32>msMax);
}

/** Asks for gateways after a random delay; where that has failed before, after a pause that grows. */
export function search(): void {
  client.link = <u8>Link.Searching;
  alarm(client.attempts ? pauseMs() : randomMs(T_SEARCHGW_MS));
}

export function sendSearchGw(): void {
  packet.code = client.radius;
  transmit(PacketType.SearchGw);
  alarm(pauseMs());
}

/** ADVERTISE, SEARCHGW and GWINFO: from anybody, at any time. */
export function onDiscovery(): i32 {
  if (GATEWAYS_MAX === 0 || !client.radius) return ErrorCode.Unexpected;
  if (packet.type === PacketType.SearchGw) return onSearchGw();
  if (packet.type === PacketType.GwInfo) {
    settle(Request.Inform);
    // A client names the gateway's address (5.4.3); from a gateway it is the sender's.
    const bytes = packet.dataBytes;
    if (bytes > ADDRESS_BYTES_MAX) return ErrorCode.Unexpected;
    if (bytes) keep(PEER_AT, packet.data, bytes);
  }
  note();
  if (client.link === Link.Searching) startConnect();
  return ErrorCode.None;
}

/** Remembers the gateway at PEER_AT, in the place of one that is gone, or of any but the one in use. */
function note(): void {
  let free: Gateway | null = null;
  for (let i = 0; i < GATEWAYS_MAX; i++) {
    const known = gatewayAt(i);
    if (!isThere(known)) {
      if (!free) free = known;
      continue;
    }
    const isSame = known.known === Known.Unnamed || <i32>known.id === packet.code;
    if (isSame && areSame(addressOf(known), PEER_AT)) {
      renew(known);
      return;
    }
  }
  if (!free) {
    if (GATEWAYS_MAX < 2) return;
    free = gatewayAt(1 + randomMs(GATEWAYS_MAX - 1));
  }
  free.known = <u8>Known.Not;
  memory.copy(addressOf(free), PEER_AT, ADDRESS_BYTES);
  renew(free);
}

/** It has been heard of again. The gateway in use stays the same when it says its GwId. */
function renew(known: Gateway): void {
  const isLast = client.session === sumOfGateway();
  known.id = <u8>packet.code;
  if (isLast) client.session = sumOfGateway();
  if (packet.type === PacketType.GwInfo || known.known === Known.Unnamed) known.known = <u8>Known.Lasting;
  else if (known.known !== Known.Lasting) {
    known.known = <u8>Known.Advertised;
    known.until = client.now + N_ADV * packet.duration * 1000;
  }
}

function onSearchGw(): i32 {
  const link: i32 = client.link;
  // Another asks what we were about to ask: that counts as ours (6.1).
  if (link === Link.Searching && !client.attempts) alarm(pauseMs());
  else if (
    link === Link.Active &&
    !owedBy(Request.Inform) &&
    gateway.known !== Known.Unnamed &&
    load<u8>(GATEWAY_ADDRESS_AT)
  )
    begin(Request.Inform, PacketType.GwInfo, randomMs(T_GWINFO_MS));
  return ErrorCode.None;
}

/** On behalf of the gateway, which may be out of the asker's reach. */
export function sendGwInfo(): void {
  settle(Request.Inform);
  packet.code = gateway.id;
  transmitWith(PacketType.GwInfo, GATEWAY_ADDRESS_AT);
}
