import { describe, expect, it } from 'vitest';
import { MemoryStore, World } from './aggregating-world.js';

/** What was said to the broker, with whatever identifier was chosen replaced by its place among those seen. */
function anonymous(lines: readonly string[], seen: string[] = []): string[] {
  return lines.map((line) =>
    line.replace(/#(\d+)/, (_, id: string) => {
      if (!seen.includes(id)) seen.push(id);
      return `#${'abcdef'[seen.indexOf(id)]}`;
    }),
  );
}

describe('Subscriptions', () => {
  it('are ended with the broker when the last client has left them', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x/#');
    const b = world.subscriber('b', 'x/#');
    a.unsubscribe('x/#');
    expect(world.broker.take()).toEqual([]);
    b.unsubscribe('x/#').unsubscribe('x/#');
    expect(world.broker.take()).toEqual(['unsubscribe x/#']);
    expect(b.hear()).toEqual(['unsubscribed', 'unsubscribed']);
    expect(world.aggregate.gauges.filters).toBe(0);
  });

  it('are ended when a clean session ends, and not when another may come back for them', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 2, true);
    world.subscriber('b', 'y').close();
    a.close();
    expect(world.broker.take()).toEqual(['unsubscribe x']);
  });

  it('all have the highest QoS that anyone asked for, and each client what it asked for', () => {
    const world = World.started();
    const a = world.opened('a').subscribe('x/#', 0);
    const b = world.opened('b').subscribe('x/y', 2);
    expect(world.broker.take()).toEqual(['subscribe x/# q0', 'subscribe x/# q2', 'subscribe x/y q2']);
    expect([a.hear(), b.hear()]).toEqual([['granted 0'], ['granted 2']]);
    world.broker.send('x/y', 'm', 2, 1);
    expect([a.hear(), b.hear()]).toEqual([['m q0'], ['m q2']]);
  });

  it('are granted as the broker grants, to all', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 2);
    world.broker.grants = 1;
    const b = world.opened('b').subscribe('x', 2);
    expect(b.hear()).toEqual(['granted 1']);
    world.broker.send('x', 'm', 2, 1);
    expect([a.hear(), b.hear()]).toEqual([['m q1'], ['m q1']]);
  });

  it('are refused to who asked, and stay with who had them', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1);
    world.broker.grants = undefined;
    const b = world.opened('b').subscribe('x', 1).subscribe('y', 1);
    expect(b.hear()).toEqual(['granted undefined', 'granted undefined']);
    world.broker.send('x', 'm', 1, 1);
    world.broker.send('y', 'n', 1, 2);
    world.broker.send('y', 'o', 1, 3, false, true);
    expect([a.hear(), b.hear()]).toEqual([['m q1'], []]);
    expect(world.aggregate.gauges.filters).toBe(1);
    expect(world.broker.take().filter((line) => line.startsWith('unsubscribe'))).toEqual([]);
  });

  it('are not ended by one who leaves while another is asking', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1);
    world.broker.holds = true;
    const b = world.opened('b').subscribe('x', 1);
    a.unsubscribe('x');
    world.broker.goOn();
    expect(world.broker.take()).toEqual(['subscribe x q1']);
    world.broker.send('x', 'm', 0);
    expect([a.hear(), b.hear()]).toEqual([['unsubscribed'], ['granted 1', 'm q0']]);
  });

  it('are believed to be with the broker after a restart', () => {
    const world = World.started({ store: new MemoryStore() });
    world.subscriber('a', 'x', 0);
    world.subscriber('b', 'y', 1);
    world.restart();
    expect(world.broker.take()).toEqual([]);
  });

  it('are asked for with no more than the broker can do', () => {
    const world = World.started();
    world.broker.qosMax = 1;
    expect(world.opened('a').subscribe('x', 2).hear()).toEqual(['granted 1']);
    expect(world.broker.take()).toEqual(['subscribe x q1']);
  });

  it('are made anew when the broker has lost them, and only then', () => {
    const world = World.started();
    world.subscriber('a', 'x', 1);
    world.reconnect('present');
    expect(world.broker.take()).toEqual([]);
    world.reconnect('new');
    expect(world.broker.take()).toEqual(['subscribe x q1']);
  });

  it('are tried again at the next connection when the broker has refused what it once granted', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1);
    world.broker.grants = undefined;
    world.reconnect('new');
    expect(world.logged).toContain('subscription-lost');
    world.broker.grants = 2;
    world.broker.take();
    world.reconnect('present');
    expect(world.broker.take()).toEqual(['subscribe x q1']);
    a.open();
    world.broker.send('x', 'm', 1, 1);
    expect(a.hear()).toEqual(['closed upstream-lost', 'present', 'm q1']);
  });

  it('are ended when their answer was lost and nobody waits for it', () => {
    const world = World.started();
    world.broker.holds = true;
    world.opened('a', true).subscribe('x');
    world.broker.lose();
    world.broker.answer = 'present';
    world.broker.take();
    world.pass(60_000);
    expect(world.broker.take()).toEqual(['unsubscribe x']);
  });

  it('that were left before the answer came do not come to life with it', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a').subscribe('x').unsubscribe('x');
    const b = world.opened('b', true).subscribe('x').close();
    world.broker.goOn();
    world.broker.send('x', 'm', 0);
    expect([a.hear(), b.hear()]).toEqual([['unsubscribed', 'granted 2'], []]);
    expect(world.broker.take()).toEqual(['subscribe x q2', 'subscribe x q2', 'unsubscribe x']);
  });
});

describe('Retained messages', () => {
  it('go to the client that has just asked, also where the filter was subscribed before', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1);
    world.broker.send('x', 'old', 1, 1, false, true);
    expect(a.hear()).toEqual(['old q1 retained']);
    world.broker.take();
    const b = world.opened('b').subscribe('x', 1);
    expect(world.broker.take()).toEqual(['subscribe x q1']);
    world.broker.send('x', 'old', 1, 2, false, true);
    expect([a.hear(), b.hear()]).toEqual([[], ['granted 1', 'old q1 retained']]);
    b.acknowledge('old');
    world.broker.send('x', 'old', 1, 3, false, true);
    expect(b.hear()).toEqual([]);
    expect(world.broker.take()).toEqual(['acknowledge #2', 'acknowledge #3']);
  });

  it('may come before the answer to SUBSCRIBE', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a').subscribe('x', 1);
    world.broker.send('x', 'old', 2, 1, false, true);
    expect(a.hear()).toEqual(['old q1 retained']);
  });

  it('are not brought to a client by the question of another when it has a newer message of that topic', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1);
    world.broker.send('x', 'live', 0);
    world.subscriber('b', 'x', 1);
    world.broker.send('x', 'live', 0, 0, false, true);
    expect(a.hear()).toEqual(['live q0']);
  });

  it('come once to a client that asks twice before they come', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x', 1).subscribe('x', 1);
    a.hear();
    for (let i = 0; i < 2; i++) world.broker.send('x', 'old', 0, 0, false, true);
    expect(a.hear()).toEqual(['old q0 retained']);
  });

  it('come once for each of the two filters that a client subscribes', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x/y', 1);
    a.subscribe('x/+', 0).hear();
    world.broker.send('x/y', 'old', 0, 0, false, true);
    world.broker.send('x/y', 'old', 0, 0, false, true);
    world.broker.send('x/y', 'old', 0, 0, false, true);
    expect(a.hear()).toEqual(['old q0 retained', 'old q0 retained']);
  });

  it('are waited for as long as they keep coming, and a minute longer', () => {
    const world = World.started();
    const a = world.subscriber('a', '+', 1);
    for (const topic of ['1', '2', '3']) {
      world.pass(59_999);
      world.aggregate.poll(world.now);
      a.publish('tick', 0).hear(); // the played broker learns the time from what it is told
      world.broker.send(topic, topic, 0, 0, false, true);
      expect(a.hear()).toEqual([`${topic} q0 retained`]);
    }
    world.pass(60_000);
    a.publish('tick', 0).hear();
    world.broker.send('4', '4', 0, 0, false, true);
    expect(a.hear()).toEqual([]);
  });

  it('are waited for no longer by a client that has left the filter, or is gone', () => {
    const world = World.started();
    world.subscriber('b', 'x', 1, true).close();
    world.broker.take();
    world.broker.send('x', 'old', 1, 9, false, true);
    expect(world.broker.take()).toEqual(['acknowledge #9']);
    const a = world.subscriber('a', 'x', 1).unsubscribe('x');
    a.hear();
    world.broker.send('x', 'old', 0, 0, false, true);
    expect(a.hear()).toEqual([]);
  });
});

describe('A message from the broker', () => {
  it('goes to each client once, at the highest QoS of its filters that match', () => {
    const world = World.started();
    const a = world.subscriber('a', 'x/#', 0).subscribe('x/y', 1).subscribe('+/y', 0);
    a.hear();
    world.broker.send('x/y', 'm', 2, 1);
    expect(a.hear()).toEqual(['m q1']);
  });

  it('is acknowledged when all have acknowledged it', () => {
    const world = World.started();
    const clients = ['a', 'b', 'c'].map((name, i) => world.subscriber(name, 't', i === 2 ? 0 : 1));
    world.broker.send('t', 'm', 1, 7);
    clients[0]!.acknowledge('m').acknowledge('m');
    expect(world.broker.take()).toEqual([]);
    clients[1]!.acknowledge('m');
    expect(world.broker.take()).toEqual(['acknowledge #7']);
  });

  it('is acknowledged at once when nobody wants it', () => {
    const world = World.started();
    world.broker.send('t', 'm', 1, 7);
    world.broker.send('t', 'm', 2, 8);
    world.broker.releases(8);
    expect(world.broker.take()).toEqual(['acknowledge #7', 'acknowledge #8', 'complete #8']);
  });

  it('is acknowledged when the last who has not acknowledged it has lost its session', () => {
    const world = World.started();
    const a = world.subscriber('a', 't', 1, true);
    const b = world.subscriber('b', 't', 1);
    world.broker.send('t', 'm', 1, 7);
    b.acknowledge('m');
    a.abort();
    expect(world.broker.take()).toEqual(['acknowledge #7']);
    world.broker.send('t', 'n', 1, 8);
    b.close();
    expect(world.broker.take()).toEqual([]);
    world.client('b').open(true);
    expect(world.broker.take()).toEqual(['unsubscribe t', 'acknowledge #8']);
  });

  it('waits for a client that is away, and comes with DUP and its identifier to one that had it before', () => {
    const world = World.started();
    const a = world.subscriber('a', 't', 2);
    world.broker.send('t', 'm', 2, 7);
    const id = a.ids.get('m');
    a.complete('m').close(); // a PUBCOMP out of place
    world.broker.send('t', 'n', 1, 8);
    const again = world.client('a').open();
    expect(again.hear()).toEqual(['present', 'm q2 dup', 'n q1']);
    expect(again.ids.get('m')).toBe(id);
    expect(again.ids.get('n')).not.toBe(id);
    expect(world.broker.take()).toEqual([]);
  });

  it('has a handshake of its own with each client at QoS 2', () => {
    const world = World.started();
    const a = world.subscriber('a');
    const b = world.subscriber('b');
    world.broker.send('t', 'm', 2, 7);
    a.hear();
    a.acknowledge('m');
    expect(a.hear()).toEqual([`released #${a.ids.get('m')}`]);
    a.abort();
    const again = world.client('a').open();
    expect(again.hear()).toEqual(['present', `released #${a.ids.get('m')}`]);
    again.session.complete(a.ids.get('m')!, world.now);
    expect(world.client('a').open().hear()).toEqual(['present']);
    expect(world.broker.take()).toEqual([]);
    b.acknowledge('m');
    expect(world.broker.take()).toEqual(['acknowledge #7']);
    world.broker.releases(7);
    expect(world.broker.take()).toEqual(['complete #7']);
  });

  it('that the broker repeats goes to nobody who has it', () => {
    const world = World.started();
    const a = world.subscriber('a');
    const b = world.subscriber('b');
    world.broker.send('t', 'm', 2, 7);
    expect(a.ids.get('m')).not.toBe(b.ids.get('m'));
    b.hear();
    world.broker.send('t', 'm', 2, 7, true);
    expect(b.hear()).toEqual([]);
    a.acknowledge('m').complete('m');
    world.reconnect();
    world.broker.send('t', 'm', 2, 7, true);
    for (const client of [a, b]) client.hear();
    expect(a.open().hear()).toEqual(['present']);
    expect(b.open().hear()).toEqual(['present', 'm q2 dup']);
    b.acknowledge('m');
    expect(world.broker.take()).toEqual(['acknowledge #7']);
    world.reconnect(); // the PUBREC was lost
    world.broker.send('t', 'm', 2, 7, true);
    expect(world.broker.take()).toEqual(['acknowledge #7']);
  });

  it('is another one when the identifier comes without DUP, or with other content', () => {
    const world = World.started();
    const a = world.subscriber('a');
    world.broker.send('t', 'm', 2, 7);
    a.acknowledge('m');
    world.broker.send('t', 'm', 2, 7);
    world.broker.send('t', 'n', 2, 7, true);
    expect(a.hear().filter((line) => !line.startsWith('released'))).toEqual(['m q2', 'm q2', 'n q2']);
    expect(world.broker.take()).toEqual(['acknowledge #7']);
    a.acknowledge('n');
    expect(world.broker.take()).toEqual(['acknowledge #7']);
  });

  it('is delivered to those who wait for it even when the broker has forgotten it', () => {
    const world = World.started();
    const a = world.subscriber('a').close();
    world.broker.send('t', 'm', 2, 7);
    expect(world.aggregate.gauges.held).toBe(1);
    world.reconnect('new');
    expect(world.aggregate.gauges.held).toBe(0);
    world.broker.take();
    a.open();
    expect(a.hear()).toEqual(['present', 'm q2']);
    a.acknowledge('m').complete('m');
    expect(world.broker.take()).toEqual([]);
    expect(world.aggregate.gauges.held).toBe(0);
  });

  it('is not taken for an older one of the same identifier after a restart', () => {
    const world = World.started({ store: new MemoryStore() });
    const a = world.subscriber('a');
    world.broker.send('t', 'm', 2, 7);
    world.broker.send('t', 'n', 2, 7);
    world.restart();
    world.broker.send('t', 'n', 2, 7, true);
    a.hear();
    expect(a.open().hear()).toEqual(['present', 'n q2 dup']);
  });

  it('of QoS 2 comes after a restart to those who lack it, under their identifiers, and to nobody else', () => {
    const world = World.started({ store: new MemoryStore() });
    const a = world.subscriber('a', 't', 2);
    const b = world.subscriber('b', 't', 2);
    const c = world.subscriber('c', 't', 1);
    const d = world.subscriber('d', 't', 2);
    world.broker.send('t', 'm', 2, 7);
    for (const client of [a, b, c, d]) client.hear();
    a.acknowledge('m').complete('m');
    b.acknowledge('m');
    world.restart();
    world.subscriber('e');
    world.broker.send('t', 'm', 2, 7, true);
    const [a2, b2, c2, d2] = ['a', 'b', 'c', 'd'].map((name) => world.client(name).open());
    expect(a2!.hear()).toEqual(['present']);
    expect(b2!.hear().slice(0, 2)).toEqual(['present', `released #${b.ids.get('m')}`]);
    expect(c2!.hear()).toEqual(['present', 'm q1 dup']);
    expect(d2!.hear()).toEqual(['present', 'm q2 dup']);
    expect([c2!.ids, d2!.ids]).toEqual([c.ids, d.ids]);
    c2!.acknowledge('m');
    expect(world.broker.take()).toEqual([]);
    d2!.acknowledge('m');
    expect(world.broker.take()).toEqual(['acknowledge #7']);
  });

  it('of QoS 2 that all have is known after a restart until PUBREL, and then leaves no record', () => {
    const store = new MemoryStore();
    const world = World.started({ store });
    const a = world.subscriber('a');
    const empty = [...store.entries()].map(([key]) => key);
    world.broker.send('t', 'm', 2, 7);
    a.acknowledge('m').complete('m');
    world.broker.take();
    world.restart();
    a.open().hear();
    world.broker.send('t', 'm', 2, 7, true);
    expect(a.hear()).toEqual([]);
    expect(world.broker.take()).toEqual(['acknowledge #7']);
    world.broker.releases(7);
    expect(world.broker.take()).toEqual(['complete #7']);
    expect([...store.entries()].map(([key]) => key)).toEqual(empty);
  });

  it('of QoS 1 costs no record', () => {
    const store = new MemoryStore();
    const world = World.started({ store });
    world.subscriber('a', 't', 1).close();
    const before = [...store.entries()].length;
    world.broker.send('t', 'm', 1, 7);
    expect([...store.entries()]).toHaveLength(before);
  });

  it('that was retained, of QoS 1, and still on its way at a restart comes to who is subscribed', () => {
    const world = World.started({ store: new MemoryStore() });
    const a = world.subscriber('a', 't', 1);
    world.broker.send('t', 'old', 1, 7, false, true);
    world.restart();
    a.open().hear();
    world.broker.send('t', 'old', 1, 7, true, true);
    expect(a.hear()).toEqual(['old q1 retained']);
  });
});

describe('A message to the broker', () => {
  it('goes under an identifier of its own, whatever the clients call theirs', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a').publish('m', 5, 1);
    const b = world.opened('b').publish('n', 5, 2).publish('o', 0);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q1', 'publish n #b q2', 'publish o #c q0']);
    world.broker.goOn();
    expect([a.hear(), b.hear()]).toEqual([['taken #5'], ['taken #5', 'taken #0']]);
  });

  it('of QoS 2 is taken, released and completed', () => {
    const world = World.started();
    const a = world.opened('a').publish('m', 5, 2).release(5).release(5).release(6);
    expect(a.hear()).toEqual(['taken #5', 'completed #5', 'completed #5', 'completed #6']);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q2', 'release #a']);
    expect(world.aggregate.gauges.publishing).toBe(0);
  });

  it('is refused or lost as the broker has it', () => {
    const world = World.started();
    world.broker.outcome = 'refused';
    const a = world.opened('a').publish('m', 5, 1).publish('n', 6, 2);
    expect(a.hear()).toEqual(['refused #5', 'refused #6']);
    world.broker.outcome = 'lost';
    a.publish('o', 7, 2);
    world.broker.outcome = 'taken';
    a.publish('o', 7, 2, true);
    expect(a.hear()).toEqual(['lost #7', 'taken #7']);
    expect(anonymous(world.broker.take().slice(2))).toEqual(['publish o #a q2', 'publish o #a q2 dup', 'release #a']);
  });

  it('that is repeated while its handshake is open is not published again', () => {
    for (const qos of [1, 2] as const) {
      const world = World.started();
      world.broker.holds = true;
      const a = world.opened('a').publish('m', 5, qos).publish('m', 5, qos, true);
      a.abort();
      a.open().publish('m', 5, qos, true);
      expect(world.broker.take()).toHaveLength(1);
      world.broker.goOn();
      expect(a.hear()).toEqual(['present', 'taken #5']);
    }
  });

  it('of QoS 2 that was taken before is told so, without asking the broker', () => {
    const world = World.started();
    const a = world.opened('a').publish('m', 5, 2);
    a.abort();
    a.hear();
    a.open().publish('m', 5, 2, true).release(5);
    expect(a.hear()).toEqual(['present', 'taken #5', 'completed #5']);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q2', 'release #a']);
  });

  it('of QoS 2 goes on under the same identifier after the loss of the broker or of the process', () => {
    for (const lose of ['reconnect', 'restart'] as const) {
      const store = new MemoryStore();
      const world = World.started({ store });
      const a = world.opened('a');
      const before = [...store.entries()].map(([key]) => key);
      world.broker.holds = true;
      a.publish('m', 5, 2);
      world[lose]();
      a.open().publish('m', 5, 2, true).hear();
      world.broker.held.splice(0).at(-1)!(); // PUBREC
      expect(a.hear().at(-1)).toBe('taken #5');
      world[lose]();
      world.broker.goOn(); // PUBCOMP
      a.open().publish('m', 5, 2, true);
      expect(a.hear().at(-1)).toBe('taken #5');
      world[lose]();
      a.open().release(5);
      expect(a.hear().at(-1)).toBe('completed #5');
      expect(anonymous(world.broker.take())).toEqual([
        'publish m #a q2',
        'publish m #a q2 dup',
        'release #a',
        'release #a',
      ]);
      expect([...store.entries()].map(([key]) => key)).toEqual(before);
    }
  });

  it('of QoS 2 that the client has ended before the broker has is not sent again', () => {
    for (const lose of ['reconnect', 'restart'] as const) {
      const world = World.started({ store: new MemoryStore() });
      const a = world.opened('a');
      world.broker.holds = true;
      a.publish('m', 5, 2);
      world.broker.held.splice(0).at(-1)!(); // PUBREC
      expect(a.release(5).hear()).toEqual(['taken #5', 'completed #5']);
      world[lose]();
      world.broker.goOn();
      expect(anonymous(world.broker.take())).toEqual(['publish m #a q2', 'release #a', 'release #a']);
      a.open().publish('m', 5, 2);
      expect(world.broker.take()).toHaveLength(2);
    }
  });

  it('of QoS 2 waits while as many handshakes are open as the broker can bear', () => {
    const world = World.started({ publishQos2Max: 2 });
    world.broker.holds = true;
    const a = world.opened('a');
    for (const id of [1, 2, 3, 4]) a.publish(`m${id}`, id, 2);
    a.publish('n', 5, 1);
    expect(anonymous(world.broker.take())).toEqual(['publish m1 #a q2', 'publish m2 #b q2', 'publish n #c q1']);
    world.broker.held.shift()!(); // PUBREC: not over yet
    expect(anonymous(world.broker.take())).toEqual(['release #a']);
    world.broker.goOn();
    expect(anonymous(world.broker.take())).toEqual([
      'release #a',
      'publish m3 #b q2',
      'release #b',
      'publish m4 #c q2',
      'release #c',
    ]);
    expect(a.hear()).toEqual(['taken #1', 'taken #2', 'taken #3', 'taken #4', 'taken #5']);
  });

  it('of QoS 2 that waits is sent once after the loss of the broker, in its turn, whoever repeats it', () => {
    const world = World.started({ publishQos2Max: 1 });
    world.broker.holds = true;
    const a = world.opened('a').publish('m', 1, 2).publish('n', 2, 2);
    world.reconnect();
    a.open().publish('m', 1, 2, true).publish('n', 2, 2, true).publish('n', 2, 2, true);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q2', 'publish m #a q2 dup']);
    world.broker.goOn();
    expect(anonymous(world.broker.take())).toEqual(['release #a', 'publish n #b q2', 'release #b']);
  });

  it('of QoS 2 that the broker gave up is sent again once, however often it is repeated', () => {
    const world = World.started();
    world.broker.outcome = 'lost';
    const a = world.opened('a').publish('m', 1, 2);
    world.broker.holds = true;
    a.publish('m', 1, 2, true).publish('m', 1, 2, true);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q2', 'publish m #a q2 dup']);
  });

  it('of QoS 1 costs no record', () => {
    const store = new MemoryStore();
    const world = World.started({ store });
    const a = world.opened('a');
    const before = [...store.entries()].length;
    world.broker.holds = true;
    a.publish('m', 5, 1);
    expect([...store.entries()]).toHaveLength(before);
  });

  it('of QoS 1 is a new one after the loss of the broker', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a').publish('m', 5, 1);
    world.reconnect();
    world.broker.goOn();
    a.open().publish('m', 5, 1, true);
    expect(anonymous(world.broker.take())).toEqual(['publish m #a q1', 'publish m #b q1']);
  });

  it('under the identifier of another that is open ends the other, with the broker too', () => {
    const world = World.started();
    const a = world.opened('a').publish('m', 5, 2).publish('m', 5, 2).publish('o', 5, 2, true);
    expect(a.hear()).toEqual(['taken #5', 'taken #5', 'taken #5']);
    expect(anonymous(world.broker.take())).toEqual([
      'publish m #a q2',
      'release #a',
      'publish m #b q2',
      'release #b',
      'publish o #c q2',
      'release #c',
    ]);
  });

  it('whose identifier was used for another before the broker answered is published too', () => {
    const world = World.started({ store: new MemoryStore() });
    const seen: string[] = [];
    world.broker.holds = true;
    const a = world.opened('a').publish('m', 5, 2).publish('n', 5, 2);
    expect(anonymous(world.broker.take(), seen)).toEqual(['publish m #a q2', 'publish n #b q2']);
    world.restart();
    expect(anonymous(world.broker.take(), seen)).toEqual(['publish m #a q2 dup', 'publish n #b q2 dup']);
    a.open().publish('n', 5, 2, true).hear();
    world.broker.goOn();
    expect(a.hear()).toEqual(['taken #5']);
    expect(anonymous(world.broker.take(), seen)).toEqual(['release #a', 'release #b']);
  });

  it('whose client sends PUBREL too early is completed when the broker has it', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a').publish('m', 5, 2).release(5);
    expect(a.hear()).toEqual([]);
    world.broker.goOn();
    expect(a.hear()).toEqual(['taken #5', 'completed #5']);
  });

  it('that nobody will repeat is published all the same, once, and leaves nothing behind', () => {
    for (const lose of [undefined, 'reconnect', 'restart'] as const) {
      const world = World.started({ store: new MemoryStore() });
      const seen: string[] = [];
      world.broker.holds = true;
      const a = world.opened('a', true).publish('m', 5, 2);
      if (lose === undefined) a.close();
      else world[lose]();
      const again = lose && 'publish m #a q2 dup';
      expect(anonymous(world.broker.take(), seen)).toEqual(['publish m #a q2', ...(again ? [again] : [])]);
      world.broker.goOn();
      expect(anonymous(world.broker.take(), seen)).toEqual(['release #a']);
      expect(world.aggregate.gauges.publishing).toBe(0);
      world.restart();
      expect(world.broker.take()).toEqual([]);
    }
  });

  it('is lost, to be repeated, when all identifiers are in use', () => {
    const world = World.started();
    world.broker.holds = true;
    const a = world.opened('a');
    const b = world.opened('b');
    for (let id = 1; id <= 65_535; id++) a.publish('m', id, 1);
    expect(new Set(world.broker.take()).size).toBe(65_535);
    expect(b.publish('n', 1, 2).hear()).toEqual(['lost #1']);
    world.broker.goOn();
    expect(b.publish('n', 1, 2, true).hear()).toEqual(['taken #1']);
  });
});
