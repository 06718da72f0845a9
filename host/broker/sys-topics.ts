// What the broker says of itself below $SYS: retained messages under the names that mosquitto has for them, so that what shows
// the one shows the other.
import type { Millis } from '../ports.js';
import type { Broker } from './broker.js';
import type { Counters } from './counters.js';

/** A broker, as far as it speaks of itself. */
export type SpeakingBroker = Pick<Broker, 'counters' | 'connectedClients' | 'publish'>;

export interface SysTopicsOptions {
  /** Such as `thimble 0.1.0`. */
  readonly version: string;
  /** When the broker started. */
  readonly startedAt: Millis;
}

const PREFIX = '$SYS/broker/';
const MS_PER_SECOND = 1_000;
const MS_PER_MINUTE = 60_000;
/** Of the averages, with their names in the topics. */
const SPANS: readonly (readonly [name: string, minutes: number])[] = [
  ['1min', 1],
  ['5min', 5],
  ['15min', 15],
];
const LOAD_DECIMALS = 2;

const encoder = new TextEncoder();

/** What has a load: how often it happens in a minute. */
type Load =
  | 'messages/received'
  | 'messages/sent'
  | 'publish/received'
  | 'publish/sent'
  | 'publish/dropped'
  | 'bytes/received'
  | 'bytes/sent'
  | 'connections';

export class SysTopics {
  private readonly said = new Map<string, string>();
  private readonly averages = new Map<string, number>();
  private before: { readonly totals: Readonly<Record<Load, number>>; readonly at: Millis } | undefined;
  private connectedMax = 0;

  constructor(
    private readonly broker: SpeakingBroker,
    private readonly options: SysTopicsOptions,
  ) {}

  /** Publishes what has changed since the last time. The loads are averages over the moments at which this is called. */
  publish(now: Millis): void {
    for (const [name, text] of this.values(now)) {
      if (this.said.get(name) === text) continue;
      this.said.set(name, text);
      this.broker.publish({ topic: PREFIX + name, payload: encoder.encode(text), qos: 0, retain: true }, now);
    }
  }

  private *values(now: Millis): Iterable<readonly [name: string, text: string]> {
    const { broker, options } = this;
    const { counters, connectedClients: connected } = broker;
    this.connectedMax = Math.max(this.connectedMax, connected);
    const away = Math.max(counters.sessionsNow - connected, 0);
    const totals = totalsOf(counters);
    yield ['version', options.version];
    yield ['uptime', `${Math.floor((now - options.startedAt) / MS_PER_SECOND)} seconds`];
    const numbers: Readonly<Record<string, number>> = {
      'clients/connected': connected,
      'clients/active': connected,
      'clients/disconnected': away,
      'clients/inactive': away,
      'clients/total': counters.sessionsNow,
      'clients/maximum': this.connectedMax,
      'clients/expired': counters.sessionsExpired,
      'messages/received': totals['messages/received'],
      'messages/sent': totals['messages/sent'],
      'messages/dropped': totals['publish/dropped'],
      'publish/messages/received': totals['publish/received'],
      'publish/messages/sent': totals['publish/sent'],
      'publish/messages/dropped': totals['publish/dropped'],
      'bytes/received': counters.bytesIn,
      'bytes/sent': counters.bytesOut,
      'subscriptions/count': counters.subscriptionsNow,
      'retained messages/count': counters.retainedNow,
    };
    for (const [name, value] of Object.entries(numbers)) yield [name, String(value)];
    yield* this.loads(totals, now);
  }

  /** Exponentially weighted: what happened a span ago counts a third of what happens now. */
  private *loads(totals: Readonly<Record<Load, number>>, now: Millis): Iterable<readonly [string, string]> {
    const { before } = this;
    if (before !== undefined && now === before.at) return;
    this.before = { totals, at: now };
    if (before === undefined) return;
    const minutes = (now - before.at) / MS_PER_MINUTE;
    for (const load of Object.keys(totals) as Load[]) {
      const rate = (totals[load] - before.totals[load]) / minutes;
      for (const [span, spanMinutes] of SPANS) {
        const name = `load/${load}/${span}`;
        const average = rate + Math.exp(-minutes / spanMinutes) * ((this.averages.get(name) ?? 0) - rate);
        this.averages.set(name, average);
        yield [name, average.toFixed(LOAD_DECIMALS)];
      }
    }
  }
}

function totalsOf(counters: Readonly<Counters>): Record<Load, number> {
  const received = counters.messagesInQos0 + counters.messagesInQos1 + counters.messagesInQos2;
  const sent = counters.messagesOutQos0 + counters.messagesOutQos1 + counters.messagesOutQos2;
  return {
    'messages/received': received,
    'messages/sent': sent,
    'publish/received': received,
    'publish/sent': sent,
    'publish/dropped': droppedOf(counters),
    'bytes/received': counters.bytesIn,
    'bytes/sent': counters.bytesOut,
    connections: counters.connections,
  };
}

/** For whatever reason. */
function droppedOf(counters: Readonly<Counters>): number {
  let sum = 0;
  for (const [name, value] of Object.entries(counters)) if (name.startsWith('dropped')) sum += value;
  return sum;
}
