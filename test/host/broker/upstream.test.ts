import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../../host/broker/access.js';
import { BrokerUpstream } from '../../../host/broker/upstream.js';
import type { Message, Millis, PacketId, Qos, UpstreamOptions, UpstreamSession } from '../../../host/ports.js';
import { textOf, utf8, World } from './scripted.js';

/** The owner of one session: notes what it is told. */
class Owner {
  readonly told: string[] = [];
  readonly messages: Message[] = [];
  readonly ids: PacketId[] = [];
  /** Released by the broker, and not completed: by `completeAtOnce` they are. */
  readonly released: PacketId[] = [];
  /** Handshakes outlive a session: who opens a second one does not begin at 1 again. */
  lastId = 0;
  /** What was to be done before `open` returned. */
  private early: (() => void)[] | undefined = [];
  readonly session: UpstreamSession;
  acknowledgeAtOnce = true;
  completeAtOnce = true;
  onMessage: (text: string) => void = () => {};

  constructor(
    private readonly world: World,
    upstream: BrokerUpstream,
    clientId: string,
    options: Partial<UpstreamOptions> = {},
    acknowledgeAtOnce = true,
  ) {
    this.acknowledgeAtOnce = acknowledgeAtOnce;
    this.session = upstream.open({ clientId, clean: true, ...options }, this.events, world.now);
    for (const act of this.early ?? []) act();
    this.early = undefined;
  }

  private soon(act: () => void): void {
    if (this.early === undefined) act();
    else this.early.push(act);
  }

  private get events() {
    return {
      connected: (present: boolean) => void this.told.push(`connected ${present}`),
      closed: (reason: string) => void this.told.push(`closed ${reason}`),
      message: (message: Message, id: PacketId, dup: boolean, now: Millis) => {
        const text = textOf(message.payload);
        this.told.push(`message ${text}${dup ? ' again' : ''}`);
        this.messages.push(message);
        this.ids.push(id);
        if (this.acknowledgeAtOnce) this.soon(() => this.session.acknowledge(id, now));
        this.onMessage(text);
      },
      released: (id: PacketId, now: Millis) => {
        this.released.push(id);
        if (this.completeAtOnce) this.soon(() => this.session.complete(id, now));
      },
    };
  }

  publish(topic: string, text: string, qos: Qos, retain = false): void {
    const message = { topic, payload: utf8(text), qos, retain };
    const id = qos === 0 ? 0 : ++this.lastId;
    this.publishAs(message, id, false, (outcome) => {
      this.told.push(`published ${text} ${outcome}`);
      if (qos === 2 && outcome === 'taken') this.session.release(id, this.world.now, () => {});
    });
  }

  publishAs(message: Message, id: PacketId, dup: boolean, done: (outcome: string) => void): void {
    this.session.publish(message, id, dup, this.world.now, done);
  }

  subscribe(filter: string, qos: Qos): void {
    this.session.subscribe(filter, qos, this.world.now, (granted) => this.told.push(`granted ${granted}`));
  }

  take(): string[] {
    return this.told.splice(0);
  }
}

function setUp(config = {}) {
  const world = new World(config);
  const upstream = new BrokerUpstream(world.broker);
  const open = (clientId: string, options: Partial<UpstreamOptions> = {}, acknowledgeAtOnce = true) =>
    new Owner(world, upstream, clientId, options, acknowledgeAtOnce);
  return { world, upstream, open };
}

describe('a session in the process of the broker', () => {
  it('connects, subscribes, publishes and hears, all at once', () => {
    const { open } = setUp();
    const owner = open('a');
    owner.subscribe('t', 2);
    for (const qos of [0, 1, 2] as Qos[]) owner.publish('t', `${qos}`, qos);
    expect(owner.take()).toEqual([
      'connected false',
      'granted 2',
      'message 0',
      'published 0 taken',
      'message 1',
      'published 1 taken',
      'message 2',
      'published 2 taken',
    ]);
    expect(owner.messages.map(({ qos, retain }) => [qos, retain])).toEqual([
      [0, false],
      [1, false],
      [2, false],
    ]);
  });

  it('unsubscribes', () => {
    const { world, open } = setUp();
    const owner = open('a');
    owner.subscribe('t', 0);
    owner.session.unsubscribe('t', world.now, () => owner.told.push('unsubscribed'));
    owner.publish('t', 'x', 0);
    expect(owner.take()).toEqual(['connected false', 'granted 0', 'unsubscribed', 'published x taken']);
  });

  it('hears retained messages with RETAIN', () => {
    const { world, open } = setUp();
    world.publish('t', 'x', 1, true);
    const owner = open('a');
    owner.subscribe('t', 1);
    expect(owner.messages).toMatchObject([{ retain: true, qos: 1 }]);
  });

  it('is told which QoS was granted, or that none was', () => {
    const permit = { publish: () => true, subscribe: (filter: string) => filter !== 'no', receive: () => true };
    const access: Access = { connect: (_, answer, now) => answer({ outcome: 'accepted', permit }, now) };
    const { open } = setUp({ access });
    const owner = open('a');
    owner.subscribe('no', 1);
    expect(owner.take()).toEqual(['connected false', 'granted undefined']);
  });

  it('is told why it was refused', () => {
    const { open } = setUp({ sessionsMax: 1 });
    open('a');
    expect(open('b').take()).toEqual(['closed refused-151']);
  });

  it('is told that the broker has stopped', () => {
    const { world, open } = setUp();
    const owner = open('a');
    world.broker.stop(world.now);
    expect(owner.take()).toEqual(['connected false', 'closed stopped']);
    expect(open('b').take()).toEqual(['closed stopped']);
  });

  it('is told that it was taken over, and then that no message was taken; other requests are not answered', () => {
    const { world, open } = setUp();
    const owner = open('a');
    open('a');
    owner.publish('t', 'x', 0);
    owner.publish('t', 'y', 2);
    owner.subscribe('t', 1);
    owner.session.unsubscribe('t', world.now, () => owner.told.push('unsubscribed'));
    expect(owner.take()).toEqual(['connected false', 'closed taken-over', 'published x lost', 'published y lost']);
  });

  it('has no keep-alive', () => {
    const { world, open } = setUp();
    const owner = open('a');
    world.pass(1_000_000_000);
    expect(owner.take()).toEqual(['connected false']);
  });
});

describe('its end', () => {
  const will = { topic: 'will', payload: utf8('gone'), qos: 1 as Qos, retain: false };

  it('by close forgets the will, by abort publishes it, and tells the owner nothing', () => {
    const { world, open } = setUp();
    const watcher = world.subscriber('w', 'will', 1);
    const closed = open('a', { will });
    closed.session.close(world.now);
    expect(watcher.take()).toEqual([]);
    const aborted = open('b', { will });
    aborted.session.abort(world.now);
    expect(watcher.texts()).toEqual(['gone']);
    for (const owner of [closed, aborted]) {
      owner.session.close(world.now);
      owner.session.abort(world.now);
      owner.publish('t', 'x', 1);
      expect(owner.take()).toEqual(['connected false']);
    }
    expect(world.broker.counters.connectionsNow).toBe(1);
  });

  it('inside an event silences what was to come', () => {
    const { world, open } = setUp();
    const owner = open('a', {}, false);
    owner.subscribe('t', 1);
    owner.onMessage = () => owner.session.abort(world.now);
    owner.take();
    owner.publish('t', 'x', 1);
    expect(owner.take()).toEqual(['message x']);
  });
});

describe('acknowledgement', () => {
  it.each([1, 2] as Qos[])("of QoS %i is the owner's: until then the broker keeps the message", (qos) => {
    const { world, open } = setUp();
    const first = open('a', { clean: false }, false);
    first.subscribe('t', qos);
    world.publish('t', 'x', qos);
    first.session.abort(world.now);
    const second = open('a', { clean: false }, false);
    expect(second.take()).toEqual(['connected true', 'message x again']);
    expect(second.ids).toEqual(first.ids);
    second.session.acknowledge(second.ids[0]!, world.now);
    second.session.acknowledge(second.ids[0]!, world.now);
    second.session.abort(world.now);
    expect(open('a', { clean: false }).take()).toEqual(['connected true']);
  });

  it('holds the window back, until QoS 2 is completed too', () => {
    const { world, open } = setUp({ inflightMax: 2 });
    const owner = open('a', {}, false);
    owner.completeAtOnce = false;
    owner.subscribe('t', 2);
    for (const text of ['1', '2', '3']) world.publish('t', text, 2);
    expect(owner.take().slice(2)).toEqual(['message 1', 'message 2']);
    owner.session.acknowledge(owner.ids[1]!, world.now);
    expect(owner.released).toEqual([owner.ids[1]]);
    expect(owner.take()).toEqual([]);
    owner.session.complete(owner.ids[1]!, world.now);
    expect(owner.take()).toEqual(['message 3']);
  });

  it('of QoS 2 that was not completed is released again on the next session', () => {
    const { world, open } = setUp();
    const first = open('a', { clean: false });
    first.completeAtOnce = false;
    first.subscribe('t', 2);
    world.publish('t', 'x', 2);
    first.session.abort(world.now);
    const second = open('a', { clean: false });
    expect(second.take()).toEqual(['connected true']);
    expect(second.released).toEqual(first.released);
    second.session.abort(world.now);
    expect(open('a', { clean: false }).released).toEqual([]);
  });

  it('on an older session means nothing to a newer one, nor does one of nothing', () => {
    const { world, open } = setUp({ inflightMax: 1 });
    const first = open('a', { clean: false }, false);
    first.subscribe('t', 2);
    world.publish('t', 'x', 2);
    const second = open('a', { clean: false }, false);
    expect(second.take()).toEqual(['connected true', 'message x again']);
    first.session.acknowledge(first.ids[0]!, world.now);
    second.session.acknowledge(second.ids[0]! + 1, world.now);
    expect(second.released).toEqual([]);
    expect(world.broker.counters.acksUnknown).toBe(0);
  });
});

describe('publishing', () => {
  const message = { topic: 't', payload: utf8('x'), qos: 2 as Qos, retain: false };

  it("at QoS 2 goes by the owner's identifier: said again on another session it is recognised until it is released", () => {
    const { world, open } = setUp();
    const listener = world.subscriber('l', 't', 2);
    const first = open('a', { clean: false });
    first.publishAs(message, 7, false, (outcome) => first.told.push(outcome));
    first.session.abort(world.now);
    const second = open('a', { clean: false });
    second.publishAs(message, 7, true, (outcome) => second.told.push(outcome));
    second.session.release(7, world.now, () => second.told.push('released'));
    second.session.release(8, world.now, () => second.told.push('unknown one released'));
    expect(second.take()).toEqual(['connected true', 'taken', 'released', 'unknown one released']);
    expect(listener.texts()).toEqual(['x']);
    second.publishAs(message, 7, false, () => {});
    expect(listener.texts()).toEqual(['x']); // a new message now
  });
});

describe('calls from inside an event', () => {
  it('to any session are fine, and events never come one inside another', () => {
    const { open } = setUp();
    const ping = open('ping');
    const pong = open('pong');
    let depth = 0;
    const serve = (owner: Owner, topic: string) => (text: string) => {
      expect(++depth).toBe(1);
      if (Number(text) < 20) owner.publish(topic, `${Number(text) + 1}`, 2);
      depth--;
    };
    ping.onMessage = serve(ping, 'pong');
    pong.onMessage = serve(pong, 'ping');
    ping.subscribe('ping', 2);
    pong.subscribe('pong', 1);
    ping.publish('pong', '0', 1);
    const heard = [ping, pong].map((owner) => owner.messages.map(({ payload }) => Number(textOf(payload))));
    expect(heard[1]).toEqual(Array.from({ length: 11 }, (_, i) => 2 * i));
    expect(heard[0]).toEqual(Array.from({ length: 10 }, (_, i) => 2 * i + 1));
  });

  it('may open a session of the same client, and nothing is lost or doubled', () => {
    const { world, open } = setUp();
    const first = open('a', { clean: false }, false);
    first.subscribe('t', 2);
    let second: Owner | undefined;
    first.onMessage = () => {
      first.publish('u', 'on its way', 2);
      second ??= open('a', { clean: false });
    };
    const listener = open('l');
    listener.subscribe('u', 2);
    listener.take();
    world.publish('t', 'x', 2);
    expect(second!.take()).toEqual(['connected true', 'message x again']);
    second!.lastId = 100;
    for (let i = 0; i < 5; i++) second!.publish('u', `${i}`, 2);
    expect(listener.messages.map(({ payload }) => textOf(payload))).toEqual(['on its way', '0', '1', '2', '3', '4']);
  });
});

describe('exactly once', () => {
  it('holds for a session of QoS 2 that ends at any moment, in any way, with acknowledgements at any time', () => {
    const step = fc.constantFrom('publish', 'ack-first', 'ack-last', 'close', 'abort', 'take-over');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { world, open } = setUp({ inflightMax: 3 });
        const sent: string[] = [];
        const acknowledged: string[] = [];
        const owed = (owner: Owner) =>
          owner.messages.map(({ payload }, i) => [textOf(payload), owner.ids[i]!] as const);
        let owner = open('a', { clean: false }, false);
        owner.subscribe('t', 2);
        const acknowledge = (index: number) => {
          const [text, id] = owed(owner).at(index) ?? [];
          if (text === undefined || acknowledged.includes(text)) return;
          acknowledged.push(text);
          owner.session.acknowledge(id!, world.now);
        };
        for (const kind of steps) {
          if (kind === 'publish') {
            sent.push(`${sent.length}`);
            world.publish('t', sent.at(-1)!, 2);
          } else if (kind === 'ack-first') acknowledge(owed(owner).findIndex(([text]) => !acknowledged.includes(text)));
          else if (kind === 'ack-last') acknowledge(-1);
          else {
            if (kind === 'close') owner.session.close(world.now);
            if (kind === 'abort') owner.session.abort(world.now);
            owner = open('a', { clean: false }, false);
            for (const [text] of owed(owner)) expect(acknowledged).not.toContain(text);
          }
        }
        for (let i = 0; i < owner.messages.length; i++) acknowledge(i);
        expect([...acknowledged].sort()).toEqual([...sent].sort());
      }),
      { numRuns: 500 },
    );
  });
});
