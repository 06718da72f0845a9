// Requests in flight: when they are due, sent again, and given up.

import { N_RETRY, T_RETRY_MS, T_WAIT_MS } from '../memory/limits';
import { Counter } from '../protocol/image';
import { client, count, Exchange, Owed } from './state';

/** True at and after `at`, on a clock of 32 bits that wraps. */
export function isDue(at: i32): bool {
  return client.now - at >= 0;
}

/** Something is owed from now on, with T_retry for the first answer. */
export function owe(exchange: Exchange, owed: Owed): void {
  begin(exchange, owed, T_RETRY_MS);
}

export function begin(exchange: Exchange, owed: Owed, ms: i32): void {
  exchange.owed = <u8>owed;
  exchange.retries = 0;
  exchange.dueAt = client.now + ms;
}

export function settle(exchange: Exchange): void {
  exchange.owed = <u8>Owed.Nothing;
}

/** Congestion: this kind of request stops for T_WAIT, then goes on by itself (6.5, 6.6, 6.9). */
export function wait(exchange: Exchange): void {
  begin(exchange, Owed.Wait, T_WAIT_MS);
}

/** Acts at `ms` from now; see Owed.Alarm. */
export function alarm(exchange: Exchange, ms: i32): void {
  begin(exchange, Owed.Alarm, ms);
}

/** One more of N_retry tries, with a new T_retry; false once they are used up. */
export function tryAgain(exchange: Exchange): bool {
  exchange.dueAt = client.now + T_RETRY_MS;
  if (<i32>exchange.retries === N_RETRY) return false;
  exchange.retries++;
  count(Counter.Retransmissions);
  return true;
}

/** True where `exchange` owes this and the answer carries its MsgId. */
export function answers(exchange: Exchange, owed: Owed, msgId: i32): bool {
  return <i32>exchange.owed === <i32>owed && <i32>exchange.msgId === msgId;
}

/** After a new session: what was in flight is sent again at once (4.4 of MQTT 3.1.1, and DUP by 5.3.4). */
export function retryNow(exchange: Exchange): void {
  // The gateway's congestion is not over because the radio was; but T_WAIT may be, so long ago that the clock has wrapped.
  if (exchange.owed === Owed.Wait && <u32>(exchange.dueAt - client.now) <= <u32>T_WAIT_MS) return;
  exchange.retries = 0;
  exchange.dueAt = client.now;
}
