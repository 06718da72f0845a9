// The MQTT-SN client as a module of its own, for firmware in C (or anything else) that wants to use it through calls.
//
// What a verb needs in octets (a client id, a name, a payload) is written to `rx()` first and its length passed; `rx()`
// is free between calls. Verbs return 0 or more, or an ErrorCode below 0. `now` is the board's clock as in `poll`. After a
// verb, call `poll`: it sends what is to be sent and says when it wants to be called again.
//
// Events come through the import `board.event(kind, ptr, len)` during `receive` and `poll`: 20 octets, little-endian,
// whose pointers are good until the import returns.
//
//  0       1       2       3       4         6         8        12       16          18
// ┌───────┬───────┬───────┬───────┬─────────┬─────────┬────────┬────────┬───────────┬───────────┐
// │ kind  │ flags │ topic │ code  │ topicId │ ticket  │ name   │ data   │ nameBytes │ dataBytes │
// └───────┴───────┴───────┴───────┴─────────┴─────────┴────────┴────────┴───────────┴───────────┘
import { event as tell } from '../board';
import { advance, isBusy, powerOn, receive as receiveDatagram, runDue, untilDue, wakeImage } from '../client/client';
import {
  connect as connectClient,
  disconnect as disconnectClient,
  identify as identifyClient,
} from '../client/connection';
import { discover as discoverGateways } from '../client/discovery';
import { next } from '../client/events';
import { forwarded as forwardedAs } from '../client/forwarded';
import { publish as publishMessage } from '../client/outbound';
import { sleep as sleepClient, wake as wakeClient } from '../client/sleep';
import { client, Event, RX_AT, setTime } from '../client/state';
import { subscribe as subscribeTopic, unsubscribe as unsubscribeTopic } from '../client/subscriptions';
import { declareId, declareName } from '../client/topics';
import { setWill } from '../client/will';
import { TopicType } from '../protocol/flags';

export { abi, image, imageBytes, peer, peerBytes, rx, rxBytes, seal } from './contract';
// Where static data end: the compiler knows, and the link step says it the way runtimes want it.
export { __data_end, __heap_base };

export function start(now: i32, seed: i32): i32 {
  powerOn(now, seed);
  return 0;
}

export function receive(bytes: i32, now: i32): i32 {
  const result = receiveDatagram(bytes, now);
  tellEvents();
  advance();
  return result;
}

export function poll(now: i32): i32 {
  runDue(now);
  tellEvents();
  advance();
  return untilDue();
}

export function resume(now: i32): i32 {
  return wakeImage(now);
}

function tellEvents(): void {
  for (let event = next(); event.kind; event = next()) {
    tell(event.kind, changetype<usize>(event), offsetof<Event>());
  }
}

/** The client id: `bytes` octets of `rx()`, 1 to 23. */
export function identify(bytes: i32): i32 {
  return identifyClient(RX_AT, bytes);
}

/** The will: `bytes` octets of `rx()` for the topic `handle`; a negative handle for none. The gateway is told at once, or with the next CONNECT. */
export function will(handle: i32, bytes: i32, qos: i32, retain: i32): i32 {
  return setWill(handle, RX_AT, bytes, qos, retain !== 0);
}

/** Discovers gateways, with SEARCHGW of this radius, 1 to 255; 0, as at power-on, leaves the choice to the board. */
export function discover(radius: i32): i32 {
  return discoverGateways(radius);
}

/** Behind a forwarder: the Wireless Node Id is `bytes` octets of `rx()`; 0 for none. Before `connect`. */
export function forwarded(bytes: i32): i32 {
  return forwardedAs(RX_AT, bytes);
}

/** Connects, or wakes by connecting; keep-alive in seconds, 0 for none. */
export function connect(keepAliveS: i32, clean: i32, now: i32): i32 {
  setTime(now);
  return connectClient(keepAliveS, clean !== 0);
}

export function disconnect(now: i32): i32 {
  setTime(now);
  return disconnectClient();
}

/** Sleeps for 1 to 65,535 seconds, or changes the duration of a sleep. */
export function sleep(durationS: i32, now: i32): i32 {
  setTime(now);
  return sleepClient(durationS);
}

/** Wakes up to take what the gateway has kept. */
export function wake(now: i32): i32 {
  setTime(now);
  return wakeClient();
}

/** The handle of the topic or filter whose name is `bytes` octets of `rx()`. */
export function topic(bytes: i32): i32 {
  return declareName(RX_AT, bytes, 0);
}

/** The handle of a predefined topic id, 1 to 65,534. */
export function predefined(id: i32): i32 {
  return declareId(TopicType.Predefined, id);
}

/** The handle of a short topic: its two octets, big-endian. */
export function short(name: i32): i32 {
  return declareId(TopicType.Short, name);
}

export function subscribe(handle: i32, qos: i32): i32 {
  return subscribeTopic(handle, qos);
}

export function unsubscribe(handle: i32): i32 {
  return unsubscribeTopic(handle);
}

/** Queues `bytes` octets of `rx()`; QoS -1 sends them at once. Returns the ticket that Published will carry. */
export function publish(handle: i32, bytes: i32, qos: i32, retain: i32, now: i32): i32 {
  setTime(now);
  return publishMessage(handle, RX_AT, bytes, qos, retain !== 0);
}

/** What stands between client and gateway: 0 off, 1 connecting, 2 active, 3 disconnecting, 4 falling asleep, 5 asleep, 6 awake, 7 lost, 8 searching. */
export function link(): i32 {
  return client.link;
}

/** 1 while something waits to be sent or acknowledged. */
export function busy(): i32 {
  return isBusy() ? 1 : 0;
}
