// Requests in flight: what they wait for, when they are due, sent again, and given up.

import { N_RETRY, T_RETRY_MS, T_WAIT_MS } from '../memory/limits';
import { Counter } from '../protocol/image';
import { client, count, exchangeAt, Owed, owedBy, packet, REQUESTS_MAX, Request, setOwed } from './state';

/** True at and after `at`, on a clock of 32 bits that wraps. */
export function isDue(at: i32): bool {
  return client.now - at >= 0;
}

/** This is owed from now on, and `ms` later something is to be done about it. */
export function begin(request: Request, owed: i32, ms: i32): void {
  setOwed(request, owed);
  const exchange = exchangeAt(request);
  exchange.retries = 0;
  exchange.dueAt = client.now + ms;
}

export function settle(request: Request): void {
  setOwed(request, Owed.Nothing);
}

/** Congestion: this kind of request stops for T_WAIT, then goes on by itself (6.5, 6.6, 6.9). */
export function wait(request: Request): void {
  begin(request, Owed.Wait, T_WAIT_MS);
}

/** Acts at `ms` from now; see Owed.Alarm. */
export function alarm(ms: i32): void {
  begin(Request.Control, Owed.Alarm, ms);
}

/** T_retry begins anew. */
export function extend(request: Request): void {
  exchangeAt(request).dueAt = client.now + T_RETRY_MS;
}

/** One more of N_retry tries, with a new T_retry; false once they are used up. */
export function tryAgain(request: Request): bool {
  extend(request);
  const exchange = exchangeAt(request);
  if (<i32>exchange.retries === N_RETRY) return false;
  exchange.retries++;
  count(Counter.Retransmissions);
  return true;
}

/** The request that a packet of this type, with the MsgId received, answers; -1 where nobody waits for it. */
export function answeredBy(type: i32): i32 {
  let request = REQUESTS_MAX;
  while (--request >= 0 && (owedBy(request) !== type || <i32>exchangeAt(request).msgId !== packet.msgId)) {}
  return request;
}

/** After a new session: what was in flight, from `first` on, is sent again at once (4.4 of MQTT 3.1.1, and DUP by 5.3.4). */
export function retryFrom(first: Request): void {
  for (let request = <i32>first; request < REQUESTS_MAX; request++) {
    const exchange = exchangeAt(request);
    // The gateway's congestion is not over because the radio was; but T_WAIT may be, so long ago that the clock has wrapped.
    if (owedBy(request) === Owed.Wait && <u32>(exchange.dueAt - client.now) <= <u32>T_WAIT_MS) continue;
    exchange.retries = 0;
    exchange.dueAt = client.now;
  }
}
