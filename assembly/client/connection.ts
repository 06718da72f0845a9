// From power-on to a session and back: CONNECT and the will (6.3), keep-alive (6.11), DISCONNECT (6.12), loss, return.

import { RECONNECT_MS_MAX, T_RETRY_MS } from '../memory/limits';
import { keep } from '../memory/octets';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { CLIENT_ID_MAX, CLIENT_ID_MIN, Flags, PROTOCOL_ID } from '../protocol/flags';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { adoptGateway, chooseGateway, failOver, search } from './discovery';
import { raise } from './events';
import { alarm, isDue, retryFrom, settle } from './exchange';
import { forgetInbound } from './inbound';
import { restartPublish } from './outbound';
import { ask } from './requests';
import { rest } from './sleep';
import { CLIENT_ID_AT, client, count, Link, Owed, owedBy, packet, Request, random, Will } from './state';
import { forgetSession } from './topics';
import { transmit, transmitWith } from './transmit';
import { loseWill } from './will';

/** Longest Duration of CONNECT and DISCONNECT, s. */
const DURATION_S_MAX: i32 = 65535;

/** Who we are: 1 to 23 octets (5.3.1). To be called before `connect`. */
export function identify(id: usize, bytes: i32): i32 {
  if (bytes < CLIENT_ID_MIN || bytes > CLIENT_ID_MAX) return ErrorCode.BadArgument;
  keep(CLIENT_ID_AT, id, bytes);
  return ErrorCode.None;
}

/**
 * Connects, or wakes up by connecting. `keepAliveS` in seconds, 0 for none. With `clean` every new session forgets the
 * last one; without, the gateway keeps subscriptions and messages, and what was in flight goes on. Events: Connected,
 * Refused; later Lost and Connected as the radio comes and goes, for the client reconnects by itself; called meanwhile,
 * it does not wait for the end of the pause.
 */
export function connect(keepAliveS: i32, clean: bool): i32 {
  if (!load<u8>(CLIENT_ID_AT)) return ErrorCode.WrongState;
  if (<u32>keepAliveS > <u32>DURATION_S_MAX) return ErrorCode.BadArgument;
  const link: i32 = client.link;
  if (link === Link.Active || link === Link.Connecting) return ErrorCode.None;
  // A sleeper's session is alive: waking it up must not wipe it.
  const sleeps = link >= Link.FallingAsleep && link <= Link.Awake;
  client.keepAliveS = <u16>keepAliveS;
  client.clean = clean ? 1 : 0;
  if (clean && !sleeps) client.resync = 1;
  client.attempts = 0;
  client.waking = sleeps ? 1 : 0;
  startConnect();
  return ErrorCode.None;
}

/** Connects to the gateway in use or another that is known; where none is, a search begins. */
export function startConnect(): void {
  if (!chooseGateway()) {
    search();
    return;
  }
  client.link = <u8>Link.Connecting;
  ask(Request.Control, PacketType.ConnAck);
}

export function sendConnect(): void {
  let flags = client.clean && !client.waking ? Flags.CleanSession : 0;
  if (<i32>client.willKnown > Will.Held) {
    flags |= Flags.Will;
    client.willKnown = <u8>Will.Offered;
  }
  packet.flags = flags;
  packet.code = PROTOCOL_ID;
  packet.duration = client.keepAliveS;
  transmitWith(PacketType.Connect, CLIENT_ID_AT);
}

export function onConnAck(): void {
  if (packet.code === ReturnCode.Accepted) {
    enter();
  } else if (packet.code === ReturnCode.Congestion) {
    retreat(true);
  } else {
    client.link = <u8>Link.Off;
    loseWill();
    raise(EventKind.Refused).code = <u8>packet.code;
  }
}

/** A session stands. What the last one left in flight is sent again at once, with DUP. */
function enter(): void {
  client.link = <u8>Link.Active;
  client.attempts = 0;
  settle(Request.Will);
  if (client.willKnown === Will.Offered) client.willKnown = <u8>Will.Held;
  const isAnother = adoptGateway();
  if (isAnother || client.resync) {
    forgetSession();
    settle(Request.Subscribe);
    settle(Request.Register);
    if (client.clean && !client.waking) {
      restartPublish();
      forgetInbound();
    }
  }
  client.resync = 0;
  client.waking = 0;
  // The congestion was of the last gateway.
  if (isAnother && owedBy(Request.Publish) === Owed.Wait) settle(Request.Publish);
  retryFrom(Request.Register);
  raise(EventKind.Connected);
}

/** PINGREQ once three quarters of the keep-alive have passed without a word of ours or of the gateway's. */
export function keepAliveAt(): i32 {
  const silentSince = client.sentAt - client.heardAt < 0 ? client.sentAt : client.heardAt;
  return silentSince + <i32>client.keepAliveS * 750;
}

export function keepAlive(): void {
  if (client.keepAliveS && !owedBy(Request.Control) && isDue(keepAliveAt())) ping();
}

export function ping(): void {
  ask(Request.Control, PacketType.PingResp);
}

export function sendPing(): void {
  packet.dataBytes = 0;
  // Only a sleeper says who it is (5.4.19).
  if (client.link === Link.Awake) transmitWith(PacketType.PingReq, CLIENT_ID_AT);
  else transmit(PacketType.PingReq);
}

/** Says good-bye: the will is forgotten. Event: Disconnected. What is queued stays queued. */
export function disconnect(): i32 {
  if (client.link === Link.Off) return ErrorCode.WrongState;
  if (<i32>client.link >= Link.Lost) {
    over();
    return ErrorCode.None;
  }
  client.link = <u8>Link.Disconnecting;
  loseWill(); // good-bye: the gateway forgets it
  ask(Request.Control, PacketType.Disconnect);
  return ErrorCode.None;
}

export function sendDisconnect(): void {
  packet.present = client.link === Link.FallingAsleep ? 1 : 0;
  packet.duration = client.sleepS;
  transmit(PacketType.Disconnect);
}

export function onDisconnect(): i32 {
  const link: i32 = client.link;
  if (link === Link.Disconnecting) over();
  else if (link === Link.FallingAsleep) rest();
  // Nobody asked: the gateway does not know us, or has lost its broker (6.12).
  else if (link === Link.Active || link === Link.Awake) {
    client.resync = 1;
    lose(false);
  } else return ErrorCode.Unexpected;
  return ErrorCode.None;
}

/** Disconnected, by the gateway's answer or for want of one. */
export function over(): void {
  client.link = <u8>Link.Off;
  settle(Request.Control);
  raise(EventKind.Disconnected);
}

/** The gateway is gone. What is queued and in flight stays for the next session. */
export function lose(another: bool): void {
  count(Counter.Lost);
  client.waking = 0; // whoever slept is lost now: the gateway may have given up the session
  if (client.link !== Link.Connecting) client.attempts = 0; // a sleeper counts otherwise
  raise(EventKind.Lost);
  retreat(another);
}

/** Connects to another gateway, or where that is not wanted or not possible, after a pause to the same. */
function retreat(another: bool): void {
  loseWill(); // it may have been published, and is gone then
  if (client.clean && !client.waking) client.resync = 1;
  if (another && failOver()) return;
  client.link = <u8>Link.Lost;
  alarm(pauseMs());
}

/** The next pause: doubled each time from T_retry, with jitter, so that a fleet does not return as one. */
export function pauseMs(): i32 {
  // So many times T_retry is doubled before it is RECONNECT_MS_MAX or more; further attempts need no counting.
  const most = max(32 - clz((RECONNECT_MS_MAX - 1) / T_RETRY_MS), 1);
  const half = min<u32>(T_RETRY_MS << client.attempts, RECONNECT_MS_MAX) >> 1;
  if (<i32>client.attempts < most) client.attempts++;
  return half + (random() % half);
}
