// Sleeping clients (6.14): DISCONNECT with a duration, a sign of life before it is over, and whatever the gateway kept.

import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { PacketType } from '../protocol/packet-type';
import { ping } from './connection';
import { raise } from './events';
import { alarm, extend } from './exchange';
import { ask } from './requests';
import { client, Link, Request } from './state';

/** Longest sleep, s: Duration has 16 bits. */
const SLEEP_S_MAX: i32 = 65535;

/**
 * Goes to sleep for `durationS` seconds (1 to 65535), or changes the duration of a sleep. Event: Asleep. The client wakes
 * up by itself when seven eighths are over, takes what the gateway kept, and sleeps again; `wake` does it earlier. Where
 * nobody answers, neither this or a wake-up nor the next, the gateway is lost: events Lost, then Connected as after `connect`.
 * Messages published meanwhile wait for `connect`.
 */
export function sleep(durationS: i32): i32 {
  if (durationS < 1 || durationS > SLEEP_S_MAX) return ErrorCode.BadArgument;
  if (client.link !== Link.Active && client.link !== Link.Asleep) return ErrorCode.WrongState;
  client.sleepS = <u16>durationS;
  client.link = <u8>Link.FallingAsleep;
  ask(Request.Control, PacketType.Disconnect);
  return ErrorCode.None;
}

/**
 * Asleep until seven eighths of the duration are over. What is left, and the tolerance that gateways grant (7.2), is for the
 * tries that may be needed: three of them in a sleep of two minutes.
 */
export function rest(): void {
  doze(0);
}

/**
 * The same where nobody has answered. The second time in a row is a loss instead: by then the duration is over, unless the
 * application woke earlier.
 */
export function restUnheard(): void {
  doze(1);
}

function doze(unheard: u8): void {
  client.attempts = unheard;
  client.link = <u8>Link.Asleep;
  alarm(<i32>client.sleepS * 875);
  raise(EventKind.Asleep).code = unheard;
}

/** Asks for what the gateway has kept; the client sleeps again after PINGRESP. */
export function wake(): i32 {
  if (client.link !== Link.Asleep) return ErrorCode.WrongState;
  client.link = <u8>Link.Awake;
  ping();
  return ErrorCode.None;
}

/** Every message on the way to PINGRESP restarts T_retry (6.14). */
export function stayAwake(): void {
  if (client.link === Link.Awake) extend(Request.Control);
}

/** PINGRESP: of a sleeper the end of its delivery, else the sign of life that was asked for. */
export function onPingResp(): void {
  if (client.link === Link.Awake) rest();
}
