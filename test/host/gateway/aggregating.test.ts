import { describe, expect, it } from 'vitest';
import { MemoryStore, said, World, willOf } from './aggregating-world.js';

describe('The shared session', () => {
  it('is made empty first, where nothing is known of it, and then opened to stay', () => {
    const world = new World();
    world.aggregate.start(world.now);
    expect(world.broker.opened).toEqual([
      { clientId: 'shared', clean: true },
      { clientId: 'shared', clean: false },
    ]);
    expect(world.broker.take()).toEqual(['close']);
  });

  it('is gone on with after a restart that has a store', () => {
    const world = World.started({ store: new MemoryStore() });
    world.broker.opened.length = 0;
    world.restart();
    expect(world.broker.opened).toEqual([{ clientId: 'shared', clean: false }]);
  });

  it('is not gone on with under another name', () => {
    const store = new MemoryStore();
    World.started({ store });
    const world = World.started({ store, clientId: 'other' });
    expect(world.broker.opened[0]).toEqual({ clientId: 'other', clean: true });
  });

  it('opens itself with the first client, and only once', () => {
    const world = new World();
    expect(world.client('a').open().hear()).toEqual(['new']);
    expect(world.client('b').open().hear()).toEqual(['new']);
    expect(world.broker.opened).toHaveLength(2);
  });

  it('connects again by itself, less and less often, and never all gateways at once', () => {
    const world = World.started();
    world.broker.answer = 'refused';
    world.broker.opened.length = 0;
    world.broker.lose();
    const tries: number[] = [];
    let last = world.now;
    for (let i = 0; i < 10; i++) {
      const dueMs = world.aggregate.nextDue();
      tries.push(dueMs - last);
      last = dueMs;
      world.now = dueMs;
      world.aggregate.poll(dueMs);
    }
    expect(world.broker.opened).toHaveLength(10);
    for (const [i, ms] of tries.entries()) {
      const most = Math.min(60_000, 1_000 * 2 ** i);
      expect(ms).toBeGreaterThanOrEqual(most / 2);
      expect(ms).toBeLessThanOrEqual(most);
    }
    expect(new Set(tries.slice(-4)).size).toBeGreaterThan(1);
    world.broker.answer = 'present';
    world.pass(60_000);
    expect(world.aggregate.gauges.isConnected).toBe(true);
    expect(world.aggregate.nextDue()).toBe(Number.POSITIVE_INFINITY);
    world.broker.lose();
    expect(world.aggregate.nextDue() - world.now).toBeLessThanOrEqual(1_000);
  });

  it('is given up when the broker does not answer, and tried again', () => {
    const world = new World({ store: new MemoryStore() });
    world.broker.answer = 'never';
    world.aggregate.start(world.now);
    expect(world.rescheduled).toEqual([31_000]);
    world.pass(30_000);
    expect(world.broker.take()).toEqual(['abort']);
    world.broker.answer = 'new';
    world.pass(1_000);
    expect(world.client('a').open().hear()).toEqual(['new']);
  });

  it('says DISCONNECT at the end, tells who is there, and publishes no will', () => {
    const world = World.started();
    const client = world.opened('a', false, willOf('gone'));
    world.aggregate.stop(world.now);
    expect(client.hear()).toEqual(['closed stopped']);
    expect(world.broker.take()).toEqual(['close']);
    expect(world.aggregate.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("has the broker's highest QoS", () => {
    const world = World.started();
    world.broker.qosMax = 1;
    expect(world.aggregate.qosMax).toBe(1);
  });
});

describe('A session of a client', () => {
  it('is remembered where it is not clean, after a goodbye, a loss of the client and a loss of the broker', () => {
    const world = World.started();
    world.opened('a').close();
    world.opened('b').abort();
    const c = world.opened('c');
    world.reconnect();
    expect(c.hear()).toEqual(['closed upstream-lost']);
    for (const name of ['a', 'b', 'c']) expect(world.client(name).open().hear()).toEqual(['present']);
  });

  it('is forgotten where it is clean, or a clean one follows', () => {
    const world = World.started({ store: new MemoryStore() });
    world.opened('a', true).close();
    expect(world.client('a').open().hear()).toEqual(['new']);
    expect(world.client('a').open(true).hear()).toEqual(['new']);
    world.restart();
    expect(world.client('a').open().hear()).toEqual(['new']);
  });

  it('survives the process with a store, and not without', () => {
    for (const [store, answer] of [
      [new MemoryStore(), 'present'],
      [undefined, 'new'],
    ] as const) {
      const world = World.started(store && { store });
      world.subscriber('a', 'x/#', 1);
      world.restart();
      const client = world.client('a').open();
      world.broker.send('x/y', 'hello', 2, 5);
      expect(client.hear()).toEqual(store ? [answer, 'hello q1'] : [answer]);
    }
  });

  it('is taken over by a second connection of the same name', () => {
    const world = World.started();
    const first = world.subscriber('a');
    const second = world.client('a').open();
    expect(first.hear()).toEqual(['closed taken-over']);
    expect(second.hear()).toEqual(['present']);
    first.publish('late', 1).close();
    expect(first.hear()).toEqual(['lost #1']);
    world.broker.send('t', 'm', 1, 9);
    expect(second.hear()).toEqual(['m q1']);
  });

  it('is not to be had while the broker is away', () => {
    const world = World.started();
    const client = world.opened('a');
    world.broker.answer = 'refused';
    world.broker.lose();
    expect(client.hear()).toEqual(['closed upstream-lost']);
    expect(world.client('a').open().hear()).toEqual(['closed upstream-lost']);
    client.publish('x', 1);
    expect(client.hear()).toEqual(['lost #1']);
  });

  it('is told nothing after it has left', () => {
    const world = World.started();
    const client = world.subscriber('a');
    world.broker.holds = true;
    client.publish('x', 1, 1).subscribe('y').close();
    world.broker.goOn();
    world.broker.send('t', 'm', 0);
    world.broker.lose();
    expect(client.hear()).toEqual([]);
  });

  it('may be opened, used and closed from inside any event', () => {
    const world = World.started();
    const client = world.subscriber('a');
    client.onMessage = (_message, id) => {
      client.session.acknowledge(id, world.now);
      client.subscribe('u');
      world.client('b').open().close();
      client.close();
    };
    world.broker.send('t', 'm', 1, 3);
    expect(world.broker.take()).toEqual(['acknowledge #3', 'subscribe u q2']);
    expect(client.hear()).toEqual(['m q1']);
  });

  it('makes room for a new one when all are remembered that may be, from the one longest away', () => {
    const world = World.started({ sessionsMax: 2 });
    world.opened('a').close();
    world.opened('b').close();
    const c = world.client('c').open();
    expect(c.hear()).toEqual(['new']);
    expect(world.client('b').open().hear()).toEqual(['present']);
    expect(world.client('a').open().hear()).toEqual(['closed sessions-max']);
    expect(world.logged).toContain('session-overrun');
  });
});

describe('A will', () => {
  it('is published when the client is lost or taken over, and not when it says goodbye', () => {
    const world = World.started();
    world.opened('a', false, willOf('a-will', 0)).close();
    expect(world.broker.take()).toEqual([]);
    world.opened('b', false, willOf('b-will', 0)).abort();
    expect(world.broker.take()).toEqual([said.publish('b-will', 0, 0)]);
    world.opened('c', true, willOf('c-will', 0));
    world.opened('c', true);
    expect(world.broker.take()).toEqual([said.publish('c-will', 0, 0)]);
  });

  it('goes through the whole handshake of its QoS, and that of what the broker can do', () => {
    const world = World.started();
    world.opened('a', false, willOf('w', 2)).abort();
    const [publish, release] = world.broker.take();
    expect(publish).toMatch(/^publish w #\d+ q2$/);
    expect(release).toBe(publish!.replace('publish w', 'release').replace(' q2', ''));
    expect(world.aggregate.gauges.publishing).toBe(0);
    world.broker.qosMax = 1;
    world.opened('a', false, willOf('w', 2)).abort();
    expect(world.broker.take()[0]).toMatch(/ q1$/);
  });

  it('is owed when the broker is lost, and published first when it is back', () => {
    const world = World.started();
    world.opened('a', false, willOf('w', 0));
    world.reconnect();
    expect(world.broker.take()).toEqual([said.publish('w', 0, 0)]);
    world.reconnect();
    expect(world.broker.take()).toEqual([]);
  });

  it('is owed when the process dies, with a store', () => {
    const world = World.started({ store: new MemoryStore() });
    world.opened('a', true, willOf('w', 0));
    world.opened('b', true, willOf('v', 0)).close();
    world.restart();
    expect(world.broker.take()).toEqual([said.publish('w', 0, 0)]);
    world.restart();
    expect(world.broker.take()).toEqual([]);
  });

  it('of QoS 1 is published again until the broker has it', () => {
    for (const lose of ['reconnect', 'restart'] as const) {
      const world = World.started({ store: new MemoryStore() });
      world.broker.holds = true;
      world.opened('a', false, willOf('w', 1)).abort();
      const [first] = world.broker.take();
      world.broker.holds = false;
      world[lose]();
      expect(world.broker.take()).toEqual([`${first} dup`]);
      world[lose]();
      expect(world.broker.take()).toEqual([]);
    }
  });

  it('is published once at QoS 2, whatever is lost in between, also the process', () => {
    for (const lose of ['reconnect', 'restart'] as const) {
      const world = World.started({ store: new MemoryStore() });
      world.broker.holds = true;
      world.opened('a', false, willOf('w', 2)).abort();
      const [first] = world.broker.take();
      world[lose]();
      expect(world.broker.take()).toEqual([`${first} dup`]);
      world.broker.held.splice(0).at(-1)!();
      const [release] = world.broker.take();
      world[lose]();
      expect(world.broker.take()).toEqual([release]);
      world.broker.goOn();
      world[lose]();
      expect(world.broker.take()).toEqual([]);
    }
  });
});

describe('Messages for clients that are away', () => {
  it('end the session of a client for which too many wait', () => {
    const world = World.started({ awayMessagesMax: 2 });
    world.subscriber('a').close();
    for (const id of [1, 2]) world.broker.send('t', `${id}`, 1, id);
    expect(world.broker.take()).toEqual([]);
    world.broker.send('t', '3', 1, 3);
    expect(world.broker.take()).toEqual(['unsubscribe t', 'acknowledge #1', 'acknowledge #2', 'acknowledge #3']);
    expect(world.client('a').open().hear()).toEqual(['new']);
    expect(world.aggregate.gauges.overrun).toBe(1);
  });

  it('end the session of the client longest away when all together hold too many', () => {
    const world = World.started({ heldMessagesMax: 2 });
    world.subscriber('a', 'a').close();
    world.subscriber('b', 'b').close();
    const c = world.subscriber('c', '#');
    world.broker.send('b', '1', 1, 1);
    world.broker.send('a', '2', 1, 2);
    for (const payload of ['1', '2']) c.acknowledge(payload);
    expect(world.aggregate.gauges.held).toBe(2);
    world.broker.send('b', '3', 1, 3);
    c.acknowledge('3');
    expect(world.broker.take()).toEqual(['unsubscribe a', 'acknowledge #2']);
    expect(world.aggregate.gauges.held).toBe(2);
    expect(world.client('b').open().hear()).toEqual(['present', '1 q1', '3 q1']);
    expect(world.aggregate.gauges.held).toBe(0);
  });

  it('count from the moment the client goes away', () => {
    const world = World.started({ heldMessagesMax: 1 });
    const a = world.subscriber('a');
    for (const id of [1, 2]) world.broker.send('t', `${id}`, 1, id);
    expect(world.aggregate.gauges).toMatchObject({ outstanding: 2, held: 0 });
    a.close();
    expect(world.aggregate.gauges).toMatchObject({ outstanding: 0, held: 0, sessions: 0 });
  });

  it('end the session of a client that goes away with too many', () => {
    const world = World.started({ awayMessagesMax: 1 });
    const a = world.subscriber('a');
    for (const id of [1, 2]) world.broker.send('t', `${id}`, 1, id);
    a.close();
    expect(world.aggregate.gauges.sessions).toBe(0);
  });

  it('are not kept at QoS 0', () => {
    const world = World.started();
    world.subscriber('a').close();
    world.broker.send('t', 'm', 0);
    expect(world.client('a').open().hear()).toEqual(['present']);
  });
});
