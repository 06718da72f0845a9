// The client as its owner sees it: power-on, what arrives, what is due. Verbs are in connection, sleep, topics,
// subscriptions and outbound; they change state and at most send one datagram. The rest is decided here.
import { decode } from '../codec/decode';
import { ADDRESS_BYTES_MAX, GATEWAYS_MAX, NODE_ID_BYTES_MAX, RX_BYTES } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { keepAlive, keepAliveAt, lose, onConnAck, onDisconnect, over, ping, startConnect } from './connection';
import { isStranger, onDiscovery, sendGwInfo, sendSearchGw, untilExpired } from './discovery';
import { alarm, answeredBy, isDue, retryFrom, settle, tryAgain, wait } from './exchange';
import { isForUs } from './forwarded';
import { onPublish, onPubRel, onRegister, wakeInbound } from './inbound';
import {
  hasOutbound,
  onPubAck,
  onPubComp,
  onPubRec,
  onRegAck,
  onStrayPubAck,
  sendPubRel,
  startPublish,
} from './outbound';
import { sendFor } from './requests';
import { onPingResp, restUnheard, stayAwake, wake } from './sleep';
import {
  client,
  count,
  EXCHANGES_MAX,
  exchangeAt,
  isOurs,
  Link,
  NODE_ID_AT,
  Owed,
  owedBy,
  PEER_AT,
  packet,
  REQUESTS_MAX,
  Request,
  RX_AT,
  resetState,
  setTime,
} from './state';
import { hasSubscriptionWork, onSubAck, onUnsubAck, startSubscription } from './subscriptions';
import { transmit } from './transmit';
import { hasWillWork, loseWill, onWillMsgReq, onWillResp, onWillTopicReq, startWill } from './will';

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
  retryFrom(Request.Control);
  let isWaiting = false;
  for (let i = 0; i < REQUESTS_MAX; i++) if (owedBy(i) && owedBy(i) !== Owed.Wait) isWaiting = true;
  // Where no request goes out that tells whether the session still stands, PINGREQ does.
  if (client.link === Link.Active && !isWaiting) alarm(0);
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
  const result = decode(packet, RX_AT, bytes);
  if (NODE_ID_BYTES_MAX === 0 || result || !load<u8>(NODE_ID_AT)) return result;
  // Everything comes in envelopes; those for other nodes are theirs.
  if (packet.type !== PacketType.Forwarded || !isForUs()) return ErrorCode.Unexpected;
  return decode(packet, packet.inner, packet.innerBytes);
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
  const type = packet.type;
  if (type <= PacketType.GwInfo) return onDiscovery();
  // Another gateway has no say in this session, such as the last one that says good-bye late.
  if (client.link === Link.Off || isStranger()) return ErrorCode.Unexpected;
  client.heardAt = client.now;
  // An envelope's type has more than 5 bits; whatever they select, nobody waits for it.
  if (!((SESSIONLESS >> type) & 1)) {
    if (!((LISTENING >> client.link) & 1)) return ErrorCode.Unexpected;
    stayAwake();
  }
  switch (type) {
    case PacketType.WillTopicReq:
      onWillTopicReq();
      break;
    case PacketType.WillMsgReq:
      onWillMsgReq();
      break;
    case PacketType.Register:
      return onRegister();
    case PacketType.Publish:
      return onPublish();
    case PacketType.PubRel:
      onPubRel();
      break;
    case PacketType.PingReq:
      transmit(PacketType.PingResp); // a gateway may ask for a sign of life, too (6.11)
      break;
    case PacketType.Disconnect:
      return onDisconnect();
    default:
      return onAnswer(type);
  }
  return ErrorCode.None;
}

/** What somebody waits for; the request is settled then, or where the gateway is congested, put off. */
function onAnswer(type: i32): i32 {
  let request = answeredBy(type);
  if (request < 0) {
    // With an error, PUBACK ends a message of QoS 2, too (6.6).
    if (type === PacketType.PubAck && packet.code) request = answeredBy(PacketType.PubRec);
    if (request < 0) return onStray(type);
  }
  if (packet.code === ReturnCode.Congestion && request !== Request.Control) {
    wait(request);
    if (request === Request.Will) loseWill();
    return ErrorCode.None;
  }
  settle(request);
  switch (type) {
    case PacketType.ConnAck:
      onConnAck();
      break;
    case PacketType.RegAck:
      onRegAck();
      break;
    case PacketType.PubAck:
      onPubAck();
      break;
    case PacketType.PubComp:
      onPubComp();
      break;
    case PacketType.PubRec:
      onPubRec();
      break;
    case PacketType.SubAck:
      onSubAck();
      break;
    case PacketType.UnsubAck:
      onUnsubAck();
      break;
    case PacketType.PingResp:
      onPingResp();
      break;
    default:
      onWillResp();
  }
  return ErrorCode.None;
}

/** An answer that nobody waits for. */
function onStray(type: i32): i32 {
  if (type === PacketType.PubAck) return onStrayPubAck();
  // A repeated PUBREC asks for PUBREL again.
  if (type !== PacketType.PubRec || answeredBy(PacketType.PubComp) < 0) return ErrorCode.Unexpected;
  sendPubRel();
  return ErrorCode.None;
}

/** Does what is due at `now`: sends again, gives up, wakes up, connects again. */
export function runDue(now: i32): void {
  setTime(now);
  for (let i = 0; isRunning(i); i++) if (owedBy(i) && isDue(exchangeAt(i).dueAt)) onDue(i);
}

/** Requests stand still while there is no session, and go on with the next one; the first is about the session itself. */
function isRunning(request: Request): bool {
  return request === Request.Control || (client.link === Link.Active && request < EXCHANGES_MAX);
}

function onDue(request: Request): void {
  const owed = owedBy(request);
  if (owed === Owed.Alarm) onAlarm();
  else if (owed === Owed.Wait) settle(request);
  else if (GATEWAYS_MAX && owed === PacketType.GwInfo) sendGwInfo();
  else if (tryAgain(request)) sendFor(owed);
  else onSilence();
}

function onAlarm(): void {
  const link: i32 = client.link;
  if (link === Link.Asleep) wake();
  else if (link === Link.Active) ping();
  else if (GATEWAYS_MAX && link === Link.Searching) sendSearchGw();
  else startConnect(); // the pause after a loss is over
}

/** Nobody has answered, as often as it was said. */
function onSilence(): void {
  const link: i32 = client.link;
  if (link === Link.Disconnecting) over();
  // Nobody hears us: sleeping on saves the battery, once; the next wake-up tells whether the gateway is gone (6.14).
  else if ((link === Link.Awake || link === Link.FallingAsleep) && !client.attempts) restUnheard();
  else lose(true);
}

/** Begins what can begin now that nothing is in its way. */
export function advance(): void {
  if (client.link !== Link.Active) return;
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
  let ms = untilExpired();
  for (let i = 0; isRunning(i); i++) if (owedBy(i)) ms = min(ms, remaining(exchangeAt(i).dueAt));
  if (client.link === Link.Active && !owedBy(Request.Control) && client.keepAliveS)
    ms = min(ms, remaining(keepAliveAt()));
  return ms;
}

/** From now to `at`, not below zero. */
export function remaining(at: i32): i32 {
  return max(at - client.now, 0);
}
