// SUBSCRIBE and UNSUBSCRIBE: sections 3.8 to 3.11.
import { topicLevels } from '../core/topics.js';
import type { Millis, Qos } from '../ports.js';
import type { BrokerConfig } from './config.js';
import type { Open } from './exchange.js';
import type { SubscribePacket, SubscriptionRequest, UnsubscribePacket } from './packets.js';
import { ReasonCode } from './reason-codes.js';
import { Replay } from './replay.js';
import { filterBytesOf, type Subscription } from './routes.js';
import type { Session } from './session.js';
import { sharedParts, topicFilterOf } from './shared.js';
import type { BrokerState } from './state.js';

/** Retain Handling: MQTT 5.0, 3.8.3.1. */
enum RetainHandling {
  Send = 0,
  SendIfNew = 1,
}

interface Granted {
  readonly code: ReasonCode;
  /** Undefined: refused, or nothing retained is to be sent. */
  readonly replay: Subscription | undefined;
}

export function takeSubscribe(open: Open, packet: SubscribePacket, now: Millis): void {
  const { state, connection, session } = open;
  const ids = idsOf(packet.properties?.subscriptionIdentifier);
  const results = packet.subscriptions.map((request) => grant(open, request, ids));
  const granted = results.map(({ code }) => code);
  connection.send({ cmd: 'suback', messageId: packet.messageId, granted }, now); // [MQTT-3.8.4-1], [MQTT-3.8.4-6]
  // As if each filter had come in a packet of its own [MQTT-3.8.4-5]: two that overlap bring a retained message twice.
  for (const { replay } of results) {
    if (replay !== undefined) session.replay(new Replay(replay, state.retained), now);
  }
}

const idsOf = (identifier: number | undefined): readonly number[] | undefined =>
  identifier === undefined ? undefined : [identifier];

function grant(open: Open, request: SubscriptionRequest, ids: readonly number[] | undefined): Granted {
  const { state, session } = open;
  const { topic: filter, nl = false, rap = false, rh = RetainHandling.Send } = request;
  const code = reasonAgainst(open, filter, request.qos as Qos);
  if (code !== undefined) return { code, replay: undefined };
  const qos = Math.min(request.qos, state.config.qosMax) as Qos;
  const subscription = { filter, session, qos, noLocal: nl, retainAsPublished: rap, ids };
  const isNew = !session.subscriptions.has(filter);
  if (isNew) session.subscriptionBytes += filterBytesOf(filter);
  session.subscriptions.set(filter, subscription);
  state.routes.add(subscription, isNew); // [MQTT-3.8.4-3]
  session.journal?.subscribed(subscription);
  state.counters.subscriptionsNow = state.routes.size;
  const isShared = sharedParts(filter) !== undefined;
  const isWanted = rh === RetainHandling.Send || (rh === RetainHandling.SendIfNew && isNew);
  return { code: qos as number, replay: isWanted && !isShared ? subscription : undefined };
}

/** Why the filter is refused; undefined: it is not. */
function reasonAgainst({ state, session, client, permit }: Open, filter: string, qos: Qos): ReasonCode | undefined {
  const { config, counters } = state;
  const topicFilter = topicFilterOf(filter);
  if (topicLevels(topicFilter) > config.topicLevelsMax) return ReasonCode.TopicFilterInvalid;
  if (!session.subscriptions.has(filter) && !hasRoomFor(filter, session, config)) return ReasonCode.QuotaExceeded;
  if (permit?.subscribe(topicFilter, qos) !== false) return undefined;
  counters.subscriptionsDenied++;
  const { clientId, principal } = client;
  state.log('warn', 'subscribe-denied', { clientId, principal, filter });
  return ReasonCode.NotAuthorized;
}

function hasRoomFor(filter: string, { subscriptions, subscriptionBytes }: Session, config: BrokerConfig): boolean {
  return (
    subscriptions.size < config.subscriptionsPerSessionMax &&
    subscriptionBytes + filterBytesOf(filter) <= config.subscriptionBytesPerSessionMax
  );
}

export function takeUnsubscribe({ state, connection, session }: Open, packet: UnsubscribePacket, now: Millis): void {
  const granted = packet.unsubscriptions.map((filter) => {
    // Compared character by character, not matched [MQTT-3.10.4-1]. What is queued is still delivered [MQTT-3.10.4-3].
    const subscription = session.subscriptions.get(filter);
    if (subscription === undefined) return ReasonCode.NoSubscriptionExisted;
    remove(state, subscription);
    return ReasonCode.Success;
  });
  state.counters.subscriptionsNow = state.routes.size;
  connection.send({ cmd: 'unsuback', messageId: packet.messageId, granted }, now); // [MQTT-3.10.4-4], [MQTT-3.10.4-6]
}

function remove(state: BrokerState, subscription: Subscription): void {
  const { session, filter } = subscription;
  session.subscriptions.delete(filter);
  session.subscriptionBytes -= filterBytesOf(filter);
  session.cancelReplay(filter);
  session.journal?.unsubscribed(filter);
  state.routes.remove(subscription);
}

/**
 * A client has taken a session up again. Permissions may have changed, and it may not even be the one who has subscribed: what it
 * could not subscribe to now is taken out.
 */
export function withdrawDenied({ state, session, client, permit }: Open): void {
  if (permit === undefined) return;
  const { clientId, principal } = client;
  for (const subscription of [...session.subscriptions.values()]) {
    const { filter, qos } = subscription;
    if (permit.subscribe(topicFilterOf(filter), qos)) continue;
    remove(state, subscription);
    state.counters.subscriptionsDenied++;
    state.log('warn', 'subscribe-denied', { clientId, principal, filter, why: 'resumed' });
  }
  state.counters.subscriptionsNow = state.routes.size;
}
