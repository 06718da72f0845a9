import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { BrokerUpstream } from '../../../host/broker/upstream.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { AggregatingUpstream } from '../../../host/gateway/aggregating.js';
import { type LinkOwner, UpstreamLink } from '../../../host/gateway/upstream-link.js';
import type {
  Message,
  Millis,
  PacketId,
  Qos,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../../../host/ports.js';
import { textOf, utf8 } from './aggregating-world.js';

type Step =
  | { readonly do: 'broker-publish' | 'client-publish'; readonly who: number; readonly qos: Qos }
  | { readonly do: 'open' | 'close' | 'abort' | 'acknowledge' | 'stray'; readonly who: number }
  | { readonly do: 'carry-out' | 'carry-in'; readonly count: number }
  | { readonly do: 'lose' | 'kill' | 'pass' }
  /** The process dies when it writes for the `count`th time from now on: before that, or after. */
  | { readonly do: 'fuse'; readonly count: number; readonly isAfter: boolean };

const who = fc.nat(2);
const steps = (kills: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: publishStep('broker-publish') },
      { weight: 4, arbitrary: publishStep('client-publish') },
      { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('open', 'acknowledge'), who }) as fc.Arbitrary<Step> },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constantFrom('close', 'abort', 'stray'), who }) as fc.Arbitrary<Step>,
      },
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constantFrom('carry-out', 'carry-in'),
          count: fc.integer({ min: 1, max: 6 }),
        }) as fc.Arbitrary<Step>,
      },
      {
        weight: kills ? 3 : 0,
        arbitrary: fc.record({
          do: fc.constant('fuse'),
          count: fc.integer({ min: 1, max: 8 }),
          isAfter: fc.boolean(),
        }) as fc.Arbitrary<Step>,
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constantFrom(...(kills ? ['lose', 'kill', 'pass'] : ['lose', 'pass'])),
        }) as fc.Arbitrary<Step>,
      },
    ),
    { maxLength: 80, size: 'max' },
  );

function publishStep(what: string): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constant(what), who, qos: fc.constantFrom<Qos>(1, 2) }) as fc.Arbitrary<Step>;
}

describe('Behind one connection to the broker', () => {
  it('QoS 1 is at least once and QoS 2 exactly once, through losses of everything but the process', () => {
    fc.assert(
      fc.property(steps(false), (all) => new Run(undefined).play(all)),
      { numRuns: 400 },
    );
  });

  it('QoS 1 is at least once and QoS 2 exactly once, through losses of everything, with a store', () => {
    fc.assert(
      fc.property(steps(true), (all) => new Run(new FusedStore()).play(all)),
      { numRuns: 600 },
    );
  });
});

class Killed extends Error {}

/** A store in the middle of whose work the process may die. */
class FusedStore extends MemoryStore {
  private left: number | undefined;
  private isAfter = false;

  set(count: number | undefined, isAfter: boolean): void {
    this.left = count;
    this.isAfter = isAfter;
  }

  override put(key: string, value: Uint8Array): void {
    this.write(() => super.put(key, value));
  }

  override delete(key: string): void {
    this.write(() => super.delete(key));
  }

  private write(work: () => void): void {
    const dies = this.left !== undefined && --this.left === 0;
    if (!dies || this.isAfter) work();
    if (dies) throw new Killed();
  }
}

class Run {
  now: Millis = 1_000;
  readonly broker = new Broker({ inflightMax: 30 }, { random: new Xoshiro128(1) });
  readonly wire = new Wire(new BrokerUpstream(this.broker), (payload) => this.checkAcknowledged(payload));
  aggregate: AggregatingUpstream;
  /** All stay subscribed; the filters overlap. */
  readonly clients = [new Client(this, 'a', 't', 2), new Client(this, 'b', '+', 1), new Client(this, 'c', '#', 2)];
  /** Comes and goes, with nothing promised. */
  readonly stray = new Client(this, 'stray', 't', 2, true);
  /** Payloads and their QoS. */
  readonly sent = new Map<string, Qos>();

  constructor(private readonly store: FusedStore | undefined) {
    this.aggregate = this.make();
    this.aggregate.start(this.now);
    this.settle();
    for (const client of this.clients) {
      client.open();
      client.subscribe();
    }
    this.settle();
  }

  play(all: readonly Step[]): void {
    for (const step of all) this.survive(() => this.step(step));
    this.store?.set(undefined, false);
    this.finish();
    for (const client of this.clients) client.check(this.sent);
    expect(this.aggregate.gauges).toMatchObject({ isConnected: true, outstanding: 0, held: 0, publishing: 0 });
    expect(this.clients.flatMap(({ unfinished }) => unfinished)).toEqual([]);
  }

  private survive(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.kill();
    }
  }

  private step(step: Step): void {
    switch (step.do) {
      case 'broker-publish': {
        const message = this.newMessage(step.qos);
        this.broker.publish(message, this.now);
        break;
      }
      case 'client-publish':
        this.clients[step.who]!.publish(this.newMessage(step.qos));
        break;
      case 'open':
      case 'close':
      case 'abort':
      case 'acknowledge':
        this.clients[step.who]![step.do]();
        break;
      case 'stray':
        this.stray.wander();
        break;
      case 'carry-out':
        this.wire.carryOut(step.count);
        break;
      case 'carry-in':
        this.wire.carryIn(step.count);
        break;
      case 'lose':
        this.wire.lose(this.now);
        break;
      case 'kill':
        this.kill();
        break;
      case 'fuse':
        this.store!.set(step.count, step.isAfter);
        break;
      case 'pass':
        this.pass(10_000);
    }
  }

  private kill(): void {
    this.wire.cut(this.now);
    for (const client of [...this.clients, this.stray]) client.orphan();
    this.store?.set(undefined, false);
    this.aggregate = this.make();
    this.aggregate.start(this.now);
  }

  private finish(): void {
    this.settle();
    while (!this.aggregate.gauges.isConnected) {
      this.pass(this.aggregate.nextDue() - this.now);
      this.settle();
    }
    this.stray.close();
    for (const client of this.clients) client.open();
    for (let i = 0; i < this.sent.size + 20; i++) {
      this.settle();
      for (const client of this.clients) client.acknowledge();
    }
    this.settle();
  }

  private settle(): void {
    while (this.wire.carryOut(1_000) + this.wire.carryIn(1_000) > 0);
  }

  private pass(ms: Millis): void {
    this.now += ms;
    this.aggregate.poll(this.now);
  }

  private newMessage(qos: Qos): Message {
    const payload = `m${this.sent.size}`;
    this.sent.set(payload, qos);
    return { topic: 't', payload: utf8(payload), qos, retain: false };
  }

  /** The broker is told only what is true. */
  private checkAcknowledged(payload: string): void {
    for (const client of this.clients) expect(client.got, `${client.clientId} had not got it`).toContain(payload);
  }

  private make(): AggregatingUpstream {
    const unbounded = { awayMessagesMax: Number.POSITIVE_INFINITY, heldMessagesMax: Number.POSITIVE_INFINITY };
    const store = this.store && { store: this.store };
    return new AggregatingUpstream(this.wire, {
      clientId: 'shared',
      random: new Xoshiro128(7),
      ...unbounded,
      ...store,
    });
  }
}

/** A network between the shared session and the broker: nothing arrives before it is carried, and a loss takes what is on its way. */
class Wire implements Upstream {
  readonly qosMax: Qos = 2;
  private out: (() => void)[] = [];
  private in: (() => void)[] = [];
  private inner: UpstreamSession | undefined;
  private owner: UpstreamEvents | undefined;
  private readonly waiting = new Map<PacketId, () => void>();
  /** What the broker has sent on this connection and not been thanked for. */
  private readonly owed = new Map<PacketId, string>();

  constructor(
    private readonly upstream: Upstream,
    private readonly acknowledged: (payload: string) => void,
  ) {}

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    this.cut(now);
    this.owner = events;
    const later = (queue: 'in' | 'out', work: () => void): void => {
      if (this.owner === events) this[queue].push(work);
    };
    const inward = (work: () => void): void => later('in', work);
    const outward = (work: (inner: UpstreamSession) => void): void => later('out', () => work(this.inner!));
    this.out.push(() => {
      this.inner = this.upstream.open(
        options,
        {
          connected: (present, at) => inward(() => events.connected(present, at)),
          message: (message, id, dup, at) =>
            inward(() => {
              if (message.qos > 0) this.owed.set(id, textOf(message.payload));
              events.message(message, id, dup, at);
            }),
          released: (id, at) => inward(() => events.released(id, at)),
          closed: () => expect.unreachable('the broker found fault with the shared session'),
        },
        now,
      );
    });
    return {
      publish: (message, id, dup, at, done) => {
        expect(this.waiting.has(id), 'an identifier in use').toBe(false);
        if (id > 0) this.waiting.set(id, () => done('lost', at));
        outward((inner) =>
          inner.publish(message, id, dup, at, (outcome, then) =>
            inward(() => {
              this.waiting.delete(id);
              done(outcome, then);
            }),
          ),
        );
      },
      release: (id, at, done) => outward((inner) => inner.release(id, at, (then) => inward(() => done(then)))),
      acknowledge: (id, at) => {
        const payload = this.owed.get(id);
        if (payload === undefined) return; // nothing is owed: the port lets it pass
        this.owed.delete(id);
        this.acknowledged(payload);
        outward((inner) => inner.acknowledge(id, at));
      },
      complete: (id, at) => outward((inner) => inner.complete(id, at)),
      subscribe: (filter, qos, at, done) =>
        outward((inner) => inner.subscribe(filter, qos, at, (granted, then) => inward(() => done(granted, then)))),
      unsubscribe: (filter, at, done) =>
        outward((inner) => inner.unsubscribe(filter, at, (then) => inward(() => done(then)))),
      close: (at) => {
        this.carryOut(Number.POSITIVE_INFINITY);
        this.inner?.close(at);
        this.inner = undefined;
        this.cut(at);
      },
      abort: (at) => this.cut(at),
    };
  }

  carryOut(count: number): number {
    return carry(this.out, count);
  }

  carryIn(count: number): number {
    return carry(this.in, count);
  }

  /** The connection is gone, and nobody is told on this side. */
  cut(now: Millis): void {
    this.inner?.abort(now);
    this.inner = undefined;
    this.owner = undefined;
    this.out = [];
    this.in = [];
    this.waiting.clear();
    this.owed.clear();
  }

  lose(now: Millis): void {
    const { owner } = this;
    const waiting = [...this.waiting.values()];
    this.cut(now);
    for (const tell of waiting) tell();
    owner?.closed('network', now);
  }
}

function carry(queue: (() => void)[], count: number): number {
  let carried = 0;
  for (; carried < count && queue.length > 0; carried++) queue.shift()!();
  return carried;
}

/** The client's side of MQTT, whose memory outlives every connection. */
class Client implements LinkOwner {
  readonly got: string[] = [];
  private session: UpstreamLink | undefined;
  private readonly received = new Set<PacketId>();
  /** To be acknowledged: lost with the connection. */
  private owing: PacketId[] = [];
  private readonly publishing = new Map<PacketId, { readonly message: Message; taken: boolean }>();
  private lastId = 0;

  constructor(
    private readonly run: Run,
    readonly clientId: string,
    private readonly filter: string,
    private readonly qos: Qos,
    private readonly clean = false,
  ) {}

  get unfinished(): string[] {
    return [...this.publishing.values()].map(({ message }) => textOf(message.payload));
  }

  check(sent: ReadonlyMap<string, Qos>): void {
    for (const [payload, qos] of sent) {
      const times = this.got.filter((other) => other === payload).length;
      const promise = `${this.clientId} got ${payload}, QoS ${qos}, ${times} times`;
      if (Math.min(qos, this.qos) === 2) expect(times, promise).toBe(1);
      else expect(times, promise).toBeGreaterThanOrEqual(1);
    }
  }

  open(): void {
    if (this.session !== undefined) return;
    this.owing = [];
    this.session = new UpstreamLink({ clientId: this.clientId, clean: this.clean }, this);
    this.session.start(this.run.aggregate, this.run.now);
  }

  subscribe(): void {
    this.session!.subscribe(this.filter, this.qos, this.run.now, (granted) => expect(granted).toBe(this.qos));
  }

  close(): void {
    this.session?.close(this.run.now);
    this.orphan();
  }

  abort(): void {
    this.session?.abort(this.run.now);
    this.orphan();
  }

  /** The connection is gone. */
  orphan(): void {
    this.session = undefined;
  }

  wander(): void {
    if (this.session === undefined) this.open();
    else if (this.run.sent.size % 3 === 0) this.session.subscribe(this.filter, this.qos, this.run.now, () => {});
    else if (this.run.sent.size % 3 === 1) this.session.unsubscribe(this.filter, this.run.now, () => {});
    else this.abort();
  }

  acknowledge(): void {
    for (const id of this.owing.splice(0)) this.session?.acknowledge(id, this.run.now);
  }

  publish(message: Message): void {
    const id = ++this.lastId;
    this.publishing.set(id, { message, taken: false });
    if (this.session !== undefined) this.send(id, false);
  }

  connected(present: boolean): void {
    if (!this.clean && this.got.length > 0) expect(present).toBe(true);
    for (const [id, { taken }] of this.publishing) {
      if (taken) this.release(id);
      else this.send(id, true);
    }
  }

  message(message: Message, id: PacketId): void {
    if (this.clean) return;
    if (message.qos < 2 || !this.received.has(id)) this.got.push(textOf(message.payload));
    if (message.qos === 2) this.received.add(id);
    this.owing.push(id);
  }

  released(id: PacketId): void {
    this.received.delete(id);
    this.session?.complete(id, this.run.now);
  }

  closed(): void {
    this.orphan();
  }

  idle(): void {}

  private send(id: PacketId, dup: boolean): void {
    const { message } = this.publishing.get(id)!;
    this.session?.publish(message, id, dup, this.run.now, (outcome) => {
      expect(outcome).not.toBe('refused');
      if (outcome !== 'taken') return;
      if (message.qos === 1) this.publishing.delete(id);
      else {
        this.publishing.get(id)!.taken = true;
        this.release(id);
      }
    });
  }

  private release(id: PacketId): void {
    this.session?.release(id, this.run.now, () => this.publishing.delete(id));
  }
}
