// MQTT 5.0 as a whole: clients that come, go, subscribe, publish and acknowledge at random, in any order that the standard
// allows, against what sections 4.3 to 4.6 promise them. Client5 watches the rest: sizes, windows, aliases, reason codes.
import { describe, expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.js';
import { JournalState } from '../../host/broker/journal-state.js';
import { MemoryJournal } from '../../host/core/memory-journal.js';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { type Client5, World5 } from './mqtt-5.0-client.js';
import type { AckType, PublishHeard, ServerPacket } from './mqtt-5.0-wire.js';

const TOPICS = ['a', 'a/b', 'a/c', 'd'];
const FILTERS = ['a', 'a/+', 'a/#', '#', 'a/b', 'd'];
const MATCHES: Readonly<Record<string, readonly string[]>> = {
  a: ['a'],
  'a/+': ['a/b', 'a/c'],
  'a/#': ['a', 'a/b', 'a/c'],
  '#': TOPICS,
  'a/b': ['a/b'],
  d: ['d'],
};
/** A broker that dies and is there again with what is durable, which is all that it has told anybody. */
class RestartingWorld extends World5 {
  declare broker: Broker;
  private journal = new MemoryJournal();

  constructor() {
    super(CONFIG);
    this.start();
  }

  restart(): void {
    this.journal = this.journal.afterCrash();
    this.start();
  }

  override settle(): void {
    while (this.journal.hasEnded) this.journal.flush(this.now);
  }

  override pass(ms: number): void {
    super.pass(ms);
    this.settle();
  }

  private start(): void {
    const durable = new JournalState(this.journal, 0);
    this.broker = new Broker(CONFIG, { random: new Xoshiro128(this.now), durable });
    this.broker.restore(this.now);
    this.settle();
  }
}

const CONFIG = { queueMessagesMax: 100_000, inflightMax: 4 };
const STEPS = 400;
const STEPS_BETWEEN_RESTARTS = 50;
const STEP_MS_MAX = 2_000;
const EXPIRY_S = 1_000_000;

interface Subscription {
  readonly qos: number;
  readonly noLocal: boolean;
}

/** A client as the standard sees it: what it has asked for, what it has to get, and what it has got. */
class Actor {
  client: Client5 | undefined;
  readonly subscriptions = new Map<string, Subscription>();
  /** Numbers of messages that it must get, by the QoS of the delivery; those of QoS 0 it may. */
  readonly owed = new Map<number, number>();
  readonly got = new Map<number, { readonly topic: string | undefined; readonly qos: number }>();
  /** QoS 2 messages that it has got and that the broker has not released: its part of the session. */
  private readonly unreleased = new Set<number>();
  /** QoS 1 messages that it has acknowledged: those are not sent again. */
  private readonly acknowledged = new Set<number>();
  /** The last number over this connection, by topic and QoS. */
  private readonly last = new Map<string, number>();
  private pending: { type: AckType; id: number; number: number }[] = [];

  constructor(
    readonly id: string,
    private readonly world: World5,
    private readonly random: Xoshiro128,
  ) {}

  join(): void {
    this.last.clear();
    const receiveMaximum = between(this.random, 1, 6);
    const topicAliasMaximum = between(this.random, 0, 3);
    this.client = this.world.join(this.id, {
      properties: { sessionExpiryS: EXPIRY_S, receiveMaximum, topicAliasMaximum },
    });
  }

  leave(): void {
    this.hear();
    this.client?.drop();
    this.client = undefined;
    this.pending = [];
  }

  /** The broker is gone; what it has said before has arrived. */
  lose(): void {
    this.hear();
    this.client = undefined;
    this.pending = [];
  }

  hear(): void {
    for (const packet of this.client?.take() ?? []) this.take(packet);
  }

  /** Acknowledges some of what waits for it, about `share` percent, and leaves the rest for later. How many waited. */
  acknowledge(share: number): number {
    this.hear();
    const { client, pending } = this;
    if (client === undefined) return 0;
    this.pending = [];
    for (const one of pending) {
      if (between(this.random, 0, 99) >= share) {
        this.pending.push(one);
        continue;
      }
      if (one.type === 'puback') this.acknowledged.add(one.number);
      client.ack(one.type, one.id);
    }
    this.hear();
    return pending.length;
  }

  /** At which QoS it gets a message of that topic; undefined: not at all. */
  qosOf(topic: string, qos: number, publisher: Actor): number | undefined {
    const granted = [...this.subscriptions]
      .filter(([filter, { noLocal }]) => MATCHES[filter]!.includes(topic) && !(noLocal && publisher === this))
      .map(([, subscription]) => subscription.qos);
    return granted.length === 0 ? undefined : Math.min(qos, Math.max(...granted));
  }

  private take(packet: ServerPacket): void {
    if (packet.type === 'pubrel') {
      this.unreleased.delete(packet.id);
      this.pending.push({ type: 'pubcomp', id: packet.id, number: 0 });
      return;
    }
    expect(packet.type).toBe('publish');
    this.takePublish(packet as PublishHeard);
  }

  private takePublish(message: PublishHeard): void {
    const { qos, id, dup } = message;
    const number = Number(message.payload);
    expect(this.owed.get(number), `${this.id}: message ${number}`).toBe(qos);
    const topic = this.client!.topicOf(message);
    // What comes over one connection is in order, repeated or not [MQTT-4.6.0-5].
    expect(number, `${this.id}: order`).toBeGreaterThan(this.last.get(`${topic} ${qos}`) ?? -1);
    this.last.set(`${topic} ${qos}`, number);
    if (this.got.has(number)) {
      expect(dup, `${this.id}: message ${number} again`).toBe(true);
      expect(this.acknowledged.has(number)).toBe(false); // [MQTT-4.4.0-1]
      if (qos === 2) expect(this.unreleased.has(id)).toBe(true);
    } else this.got.set(number, { topic, qos });
    if (qos === 1) this.pending.push({ type: 'puback', id, number });
    if (qos !== 2) return;
    this.unreleased.add(id);
    this.pending = this.pending.filter((one) => one.type !== 'pubrec' || one.id !== id);
    this.pending.push({ type: 'pubrec', id, number });
  }
}

interface Scene {
  readonly actors: readonly Actor[];
  readonly random: Xoshiro128;
  /** Of the messages, by their numbers. */
  readonly topics: string[];
}

/** One random step of one actor. */
function act(actor: Actor, scene: Scene): void {
  const { client } = actor;
  const { random } = scene;
  if (client === undefined) {
    actor.join();
    return;
  }
  const dice = between(random, 0, 99);
  if (dice < 8) actor.leave();
  else if (dice < 20) {
    const filter = FILTERS[between(random, 0, FILTERS.length - 1)]!;
    const subscription = { qos: between(random, 0, 2), noLocal: between(random, 0, 3) === 0 };
    actor.hear();
    client.subscribe({ filter, ...subscription, retainHandling: 2 });
    actor.subscriptions.set(filter, subscription);
  } else if (dice < 25) {
    const [filter] = actor.subscriptions.keys();
    if (filter === undefined) return;
    actor.hear();
    client.unsubscribe(filter);
    actor.subscriptions.delete(filter);
  } else if (dice < 30) {
    if (client.isCongested) client.drained();
    else client.isCongested = true;
  } else if (dice < 65) publish(actor, scene);
  else actor.acknowledge(between(random, 0, 100));
}

function publish(actor: Actor, { actors, random, topics }: Scene): void {
  const number = topics.length;
  const topic = TOPICS[between(random, 0, TOPICS.length - 1)]!;
  const qos = between(random, 0, 2);
  topics.push(topic);
  for (const each of actors) {
    const delivered = each.qosOf(topic, qos, actor);
    if (delivered !== undefined) each.owed.set(number, delivered);
  }
  const properties = between(random, 0, 1) === 0 ? {} : { userProperties: [['n', `${number}`]] as const };
  expect(actor.client!.publish(topic, `${number}`, { qos, properties })).toBeLessThan(0x80);
}

/** Everybody comes, reads and acknowledges, until nobody has anything left. */
function settle(actors: readonly Actor[]): void {
  for (const actor of actors) {
    if (actor.client === undefined) actor.join();
    if (actor.client!.isCongested) actor.client!.drained();
    while (actor.acknowledge(100) > 0);
    actor.client!.isWell();
  }
}

/** Each message has its topic, and those of one topic and QoS come in the order of their numbers [MQTT-4.6.0-5]. */
function checkOrder({ got }: Actor, topics: readonly string[]): void {
  const last = new Map<string, number>();
  for (const [number, { topic, qos }] of got) {
    expect(topic).toBe(topics[number]);
    const key = `${topic} ${qos}`;
    expect(number).toBeGreaterThan(last.get(key) ?? -1);
    last.set(key, number);
  }
}

/** `STEPS` random steps, then everybody comes and takes what is left. */
function play(seed: number, world: World5, restart: (actors: readonly Actor[]) => void): void {
  const random = new Xoshiro128(seed);
  const actors = ['a', 'b', 'c', 'd'].map((id) => new Actor(id, world, random));
  const scene: Scene = { actors, random, topics: [] };
  for (let step = 0; step < STEPS; step++) {
    act(actors[between(random, 0, actors.length - 1)]!, scene);
    world.pass(between(random, 0, STEP_MS_MAX));
    if (step % STEPS_BETWEEN_RESTARTS === STEPS_BETWEEN_RESTARTS - 1) restart(actors);
  }
  settle(actors);
  for (const actor of actors) {
    const missing = [...actor.owed].filter(([number, qos]) => qos > 0 && !actor.got.has(number));
    expect(missing, `${actor.id} misses messages`).toEqual([]);
    checkOrder(actor, scene.topics);
  }
  expect(scene.topics.length).toBeGreaterThan(50);
}

describe('any exchange', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
  it.each(seeds)(
    'keeps the promises of delivery and order: seed %i [MQTT-4.3.2-3] [MQTT-4.3.3-10] [MQTT-4.4.0-1] [MQTT-4.5.0-1] [MQTT-4.6.0-5] [MQTT-4.9.0-2]',
    (seed) => play(seed, new World5(CONFIG), () => {}),
  );

  it.each(seeds)(
    'keeps them also where the broker dies and comes back with what is durable: seed %i (4.1) [MQTT-4.3.2-3] [MQTT-4.3.3-10] [MQTT-4.4.0-1] [MQTT-4.5.0-1] [MQTT-4.6.0-5]',
    (seed) => {
      const world = new RestartingWorld();
      play(seed, world, (actors) => {
        for (const actor of actors) actor.lose();
        world.restart();
      });
    },
  );
});
