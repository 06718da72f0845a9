// The client as its owner sees it: power-on, what arrives, what is due. Verbs are in connection, sleep, topics,
// subscriptions and outbound; they change state and at most send one datagram. The rest is decided here.
import { decode } from '../codec/decode';
import { ADDRESS_BYTES_MAX, GATEWAYS_MAX, NODE_ID_BYTES_MAX, RX_BYTES } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import {
  keepAlive,
  keepAliveAt,
  lose,
  onConnAck,
  onDisconnect,
  over,
  ping,
  sendConnect,
  sendDisconnect,
  sendPing,
  startConnect,
} from './connection';
import { isStranger, onDiscovery, sendGwInfo, sendSearchGw, untilExpired } from './discovery';
import { alarm, isDue, retryNow, settle, tryAgain } from './exchange';
import { isForUs } from './forwarded';
import { onPublish, onPubRel, onRegister, wakeInbound } from './inbound';
import {
  hasOutbound,
  onPubAck,
  onPubComp,
  onPubRec,
  onRegAck,
  sendHead,
  sendPubRel,
  sendRegister,
  startPublish,
} from './outbound';
import { onPingResp, restUnheard, stayAwake, wake } from './sleep';
import {
  client,
  control,
  count,
  cursor,
  EXCHANGES_MAX,
  Exchange,
  exchangeAt,
  isOurs,
  Link,
  Owed,
  PEER_AT,
  REQUESTS_MAX,
  RX_AT,
  received,
  resetState,
  setTime,
} from './state';
import { hasSubscriptionWork, onSubAck, onUnsubAck, sendSubscription, startSubscription } from './subscriptions';
import { answer } from './transmit';
import { hasWillWork, onWillMsgReq, onWillResp, onWillTopicReq, sendWillUpdate, startWill } from './will';

/** Power-on. `seed` differs from device to device; it decides jitter and first ids. */
export function powerOn(now: i32, seed: i32): void {
  resetState(now, seed);
}

/**
 * After an image was restored. The device's own clock goes on where it stopped, and since nobody knows for how long it was
 * away, whatever it waited for is due at once. An image that is not whole and ours is refused with BadImage and wiped; the
 * board calls `start` then, as after power-on.
 */
export function wakeImage(now: i32): i32 {
  if (!isOurs()) {
    resetState(now, 0);
    return ErrorCode.BadImage;
  }
  client.ahead = client.now - now;
  client.tickAt = client.now;
  wakeInbound();
  let isWaiting: bool = control.owed !== Owed.Nothing;
  for (let i = 0; i < REQUESTS_MAX; i++) {
    const exchange = exchangeAt(i);
    retryNow(exchange);
    if (exchange.owed && exchange.owed !== Owed.Wait) isWaiting = true;
  }
  // Where no request goes out that tells whether the session still stands, PINGREQ does.
  if (client.link === Link.Active && !isWaiting) alarm(control, 0);
  return ErrorCode.None;
}

/** One datagram of `bytes` octets has arrived in the receive buffer. Returns 0, or why it was dropped. */
export function receive(bytes: i32, now: i32): i32 {
  setTime(now);
  count(Counter.DatagramsIn);
  if (<i32>load<u8>(PEER_AT) > ADDRESS_BYTES_MAX) store<u8>(PEER_AT, 0);
  let result: i32 = ErrorCode.TooLong;
  if (<u32>bytes <= <u32>RX_BYTES) result = open(bytes);
  if (!result) result = dispatch();
  store<u8>(PEER_AT, 0);
  if (result === ErrorCode.Unexpected) count(Counter.Unexpected);
  else if (result && result !== ErrorCode.Full) count(Counter.Malformed);
  return result;
}

/** Takes the datagram apart, and where it is an envelope for this node, the packet inside. */
function open(bytes: i32): i32 {
  const result = decode(received, cursor, RX_AT, bytes);
  if (NODE_ID_BYTES_MAX === 0 || result || !client.nodeIdBytes) return result;
  // Everything comes in envelopes; those for other nodes are theirs.
  if (received.type !== PacketType.Forwarded || !isForUs()) return ErrorCode.Unexpected;
  return decode(received, cursor, received.inner, received.innerBytes);
}

/** Types that arrive without a session, too, a bit each; the others only with one, and on the way into sleep. */
const SESSIONLESS: u32 =
  (1 << PacketType.ConnAck) |
  (1 << PacketType.WillTopicReq) |
  (1 << PacketType.WillMsgReq) |
  (1 << PacketType.PingResp) |
  (1 << PacketType.Disconnect);
/** The states in which there is one. */
const LISTENING: u32 = (1 << Link.Active) | (1 << Link.FallingAsleep) | (1 << Link.Awake);

function dispatch(): i32 {
  const type = received.type;
  if (type <= PacketType.GwInfo) return onDiscovery();
  // Another gateway has no say in this session, such as the last one that says good-bye late.
  if (client.link === Link.Off || isStranger()) return ErrorCode.Unexpected;
  client.heardAt = client.now;
  // An envelope's type has more than 5 bits; whatever they select, the switch below does not know it.
  if (!((SESSIONLESS >> type) & 1)) {
    if (!((LISTENING >> client.link) & 1)) return ErrorCode.Unexpected;
    stayAwake();
  }
  switch (type) {
    case PacketType.ConnAck:
      return onConnAck();
    case PacketType.WillTopicReq:
      return onWillTopicReq();
    case PacketType.WillMsgReq:
      return onWillMsgReq();
    case PacketType.Register:
      return onRegister();
    case PacketType.RegAck:
      return onRegAck();
    case PacketType.Publish:
      return onPublish();
    case PacketType.PubAck:
      return onPubAck();
    case PacketType.PubComp:
      return onPubComp();
    case PacketType.PubRec:
      return onPubRec();
    case PacketType.PubRel:
      return onPubRel();
    case PacketType.SubAck:
      return onSubAck();
    case PacketType.UnsubAck:
      return onUnsubAck();
    case PacketType.PingReq:
      return onPingReq();
    case PacketType.PingResp:
      return onPingResp();
    case PacketType.Disconnect:
      return onDisconnect();
    case PacketType.WillTopicResp:
    case PacketType.WillMsgResp:
      return onWillResp();
    default:
      return ErrorCode.Unexpected;
  }
}

/** A gateway may ask for a sign of life, too (6.11). */
function onPingReq(): i32 {
  answer(PacketType.PingResp, 0);
  return ErrorCode.None;
}

/** Does what is due at `now`: sends again, gives up, wakes up, connects again. */
export function runDue(now: i32): void {
  setTime(now);
  if (control.owed && isDue(control.dueAt)) onControlDue();
  // Requests stand still while there is no session, and go on with the next one.
  for (let i = 1; i < EXCHANGES_MAX && client.link === Link.Active; i++) {
    const exchange = exchangeAt(i);
    if (exchange.owed && isDue(exchange.dueAt)) onRequestDue(exchange);
  }
}

function onControlDue(): void {
  const link: i32 = client.link;
  if (control.owed === Owed.Alarm) {
    if (link === Link.Asleep) wake();
    else if (link === Link.Active) ping();
    else if (GATEWAYS_MAX && link === Link.Searching) sendSearchGw();
    else startConnect(); // the pause after a loss is over
  } else if (tryAgain(control)) {
    if (link === Link.Connecting) sendConnect();
    else if (control.owed === Owed.PingResp) sendPing();
    else sendDisconnect();
  } else if (link === Link.Disconnecting) over();
  // Nobody hears us: sleeping on saves the battery, once; the next wake-up tells whether the gateway is gone (6.14).
  else if ((link === Link.Awake || link === Link.FallingAsleep) && !client.attempts) restUnheard();
  else lose(true);
}

function onRequestDue(exchange: Exchange): void {
  const owed: i32 = exchange.owed;
  if (owed === Owed.Wait) settle(exchange);
  else if (GATEWAYS_MAX && owed === Owed.GwInfo) sendGwInfo();
  else if (!tryAgain(exchange)) lose(true);
  else if (owed === Owed.RegAck) sendRegister();
  else if (owed === Owed.PubComp) sendPubRel();
  else if (owed === Owed.PubAck || owed === Owed.PubRec) sendHead();
  else if (owed >= Owed.WillTopicResp) sendWillUpdate();
  else sendSubscription(true);
}

/** Begins what can begin now that nothing is in its way. */
export function advance(): void {
  startSubscription();
  startPublish();
  startWill();
  keepAlive();
}

/** True while something waits to be sent or acknowledged; a device that wants to sleep waits for false. */
export function isBusy(): bool {
  return hasOutbound() || hasSubscriptionWork() || hasWillWork();
}

/** Milliseconds until a call of `poll` has something to do; NEVER_MS where only a datagram can bring it. */
export function untilDue(): i32 {
  const exchanges = client.link === Link.Active ? EXCHANGES_MAX : 1;
  let ms = untilExpired();
  for (let i = 0; i < exchanges; i++) {
    const exchange = exchangeAt(i);
    if (exchange.owed) ms = min(ms, remaining(exchange.dueAt));
  }
  if (client.link === Link.Active && !control.owed && client.keepAliveMs) ms = min(ms, remaining(keepAliveAt()));
  return ms;
}

/** From now to `at`, not below zero. */
export function remaining(at: i32): i32 {
  return max(at - client.now, 0);
}
