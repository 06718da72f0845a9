import { describe, expect, it } from 'vitest';
import type { Access } from '../../../host/broker/access.js';
import { ackPacket, type Packet } from '../../../host/broker/packets.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { Qos } from '../../../host/ports.js';
import { type ScriptedClient, utf8, World } from './scripted.js';

/** Acknowledges as a client should, from inside the broker's call. */
function answers(client: ScriptedClient): ScriptedClient {
  client.onPacket = (packet: Packet) => {
    if (packet.cmd === 'publish' && packet.qos === 1) client.ack('puback', packet.messageId);
    if (packet.cmd === 'publish' && packet.qos === 2) client.ack('pubrec', packet.messageId);
    if (packet.cmd === 'pubrel') client.ack('pubcomp', packet.messageId);
  };
  return client;
}

describe('a message from a client', () => {
  it('reaches every subscriber at the lower of both QoS', () => {
    for (const sent of [0, 1, 2] as Qos[]) {
      for (const granted of [0, 1, 2] as Qos[]) {
        const world = new World();
        const subscriber = world.subscriber('s', 't', granted);
        world.connect('p').publish('t', 'x', sent, sent);
        expect(subscriber.messages()).toMatchObject([{ topic: 't', qos: Math.min(sent, granted), dup: false }]);
      }
    }
  });

  it('is answered by nothing, PUBACK or PUBREC', () => {
    const publisher = new World().connect('p');
    publisher.publish('t', 'x', 0);
    expect(publisher.take()).toEqual([]);
    publisher.publish('t', 'x', 1, 7);
    expect(publisher.take()).toEqual([ackPacket('puback', 7)]);
    publisher.publish('t', 'x', 2, 8);
    expect(publisher.take()).toEqual([ackPacket('pubrec', 8)]);
    publisher.ack('pubrel', 8);
    expect(publisher.take()).toEqual([ackPacket('pubcomp', 8)]);
  });

  it('goes to its own sender too, when that has subscribed', () => {
    const client = new World().subscriber('a', 't');
    client.publish('t', 'x');
    expect(client.texts()).toEqual(['x']);
  });

  it('of QoS 2 is passed on once however often it is sent before PUBREL, also over a new connection', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    const publisher = world.connect('p', { clean: false });
    publisher.publish('t', 'x', 2, 5);
    publisher.publish('t', 'x', 2, 5, false, true);
    publisher.publish('t', 'x', 2, 5);
    publisher.drop();
    const again = world.connect('p', { clean: false });
    again.publish('t', 'x', 2, 5, false, true);
    expect(again.take()).toEqual([ackPacket('pubrec', 5)]);
    expect(subscriber.texts()).toEqual(['x']);
    again.ack('pubrel', 5);
    again.publish('t', 'y', 2, 5);
    expect(subscriber.texts()).toEqual(['y']);
    expect(world.broker.counters).toMatchObject({ messagesInQos2: 2, duplicatesIn: 3 });
  });

  it('of QoS 1 is passed on each time it is sent', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 1);
    const publisher = world.connect('p');
    publisher.publish('t', 'x', 1, 5);
    publisher.publish('t', 'x', 1, 5, false, true);
    expect(subscriber.messages()).toMatchObject([{ dup: false }, { dup: false }]);
  });

  it('PUBREL of one that is not known is answered with PUBCOMP', () => {
    const publisher = new World().connect('p');
    publisher.ack('pubrel', 99);
    expect(publisher.take()).toEqual([ackPacket('pubcomp', 99, ReasonCode.PacketIdentifierNotFound)]);
  });

  it.each([
    ['to a topic with a wildcard', (c: ScriptedClient) => c.publish('a/+')],
    ['to an empty topic', (c: ScriptedClient) => c.publish('')],
    ['with packet identifier 0', (c: ScriptedClient) => c.publish('a', '', 1, 0)],
    ['of QoS 0 with DUP', (c: ScriptedClient) => c.publish('a', '', 0, 0, false, true)],
    ['of QoS 3', (c: ScriptedClient) => c.publish('a', '', 3 as Qos, 1)],
    ['PUBACK of identifier 0', (c: ScriptedClient) => c.ack('puback', 0)],
    ['that only servers send', (c: ScriptedClient) => c.say({ cmd: 'pingresp' })],
  ])('%s ends the connection', (_, say) => {
    const world = new World();
    const client = world.connect('p');
    say(client);
    expect(client.closedBy).toBe('violation');
    expect(world.broker.counters.violations).toBe(1);
  });

  it('that it may not publish is acknowledged and dropped', () => {
    const permit = { publish: (topic: string) => topic !== 'no', subscribe: () => true, receive: () => true };
    const access: Access = { connect: (_, answer, now) => answer({ outcome: 'accepted', permit }, now) };
    const world = new World({ access });
    const subscriber = world.subscriber('s', '#', 1);
    const system = world.subscriber('y', '$SYS/#', 1);
    const publisher = world.connect('p');
    for (const [index, topic] of ['no', '$SYS', '$SYS/x', '$SYStem', 'yes'].entries())
      publisher.publish(topic, topic, 1, index + 1);
    expect(publisher.take()).toHaveLength(5);
    expect(subscriber.texts()).toEqual(['yes']);
    expect(system.take()).toEqual([]);
    expect(world.broker.counters.droppedDenied).toBe(3);
  });

  it('to a topic of too many levels is acknowledged and dropped', () => {
    const world = new World({ topicLevelsMax: 2 });
    const subscriber = world.subscriber('s', '#');
    const publisher = world.connect('p');
    publisher.publish('a/b/c', 'x', 1, 1);
    publisher.publish('a/b', 'y');
    expect(publisher.take()).toEqual([ackPacket('puback', 1)]);
    expect(subscriber.texts()).toEqual(['y']);
    expect(world.broker.counters.droppedTooDeep).toBe(1);
  });
});

describe('a message from the host', () => {
  it('may go below $SYS', () => {
    const world = new World();
    const subscriber = world.subscriber('s', '$SYS/#');
    world.publish('$SYS/uptime', '1');
    expect(subscriber.texts()).toEqual(['1']);
  });

  it('must have a topic name', () => {
    expect(() => new World().publish('a/#')).toThrow(expect.objectContaining({ code: 'ERR_BROKER_MESSAGE' }));
  });
});

describe('a QoS 0 fan-out', () => {
  it('is one packet for all', () => {
    const world = new World();
    const first = world.subscriber('a', 't');
    const second = world.subscriber('b', '#', 2);
    world.publish('t', 'x');
    expect(first.messages()[0]).toBe(second.messages()[0]);
  });
});

describe('the window', () => {
  it('holds back what it has no room for, in order, and sends it as acknowledgements come', () => {
    const world = new World({ inflightMax: 2 });
    const client = world.subscriber('s', 't', 2);
    for (const text of ['1', '2', '3', '4', '5']) world.publish('t', text, text === '2' ? 1 : 2);
    const [first, second] = client.messages();
    expect([first!.qos, second!.qos]).toEqual([2, 1]);
    client.ack('pubrec', first!.messageId);
    expect(client.take()).toEqual([ackPacket('pubrel', first!.messageId)]);
    client.ack('pubcomp', first!.messageId);
    expect(client.texts()).toEqual(['3']);
    client.ack('puback', second!.messageId);
    expect(client.texts()).toEqual(['4']);
  });

  it('lets QoS 0 pass', () => {
    const world = new World({ inflightMax: 1 });
    const client = world.subscriber('s', 't', 1);
    for (const qos of [1, 1, 0] as Qos[]) world.publish('t', `${qos}`, qos);
    expect(client.texts()).toEqual(['1', '0']);
  });

  it('never gives an identifier twice, nor 0, over more messages than there are identifiers', () => {
    const world = new World({ inflightMax: 3 });
    const client = world.subscriber('s', 't', 1);
    world.publish('t', 'stays', 1);
    const [stays] = client.messages();
    for (let i = 0; i < 70_000; i++) {
      world.publish('t', '', 1);
      const [packet] = client.messages();
      if (packet!.messageId === stays!.messageId || packet!.messageId < 1 || packet!.messageId > 65_535) {
        expect.unreachable(`identifier ${packet!.messageId}`);
      }
      client.ack('puback', packet!.messageId);
    }
  });

  it('takes a second PUBREC as a lost PUBREL', () => {
    const world = new World();
    const client = world.subscriber('s', 't', 2);
    world.publish('t', 'x', 2);
    const id = client.messages()[0]!.messageId;
    client.ack('pubrec', id);
    client.ack('pubrec', id);
    expect(client.take()).toEqual([ackPacket('pubrel', id), ackPacket('pubrel', id)]);
  });

  it('counts acknowledgements of what it does not know, and answers an unknown PUBREC', () => {
    const world = new World();
    const client = world.connect('s');
    for (const cmd of ['puback', 'pubcomp', 'pubrec'] as const) client.ack(cmd, 9);
    expect(client.take()).toEqual([ackPacket('pubrel', 9, ReasonCode.PacketIdentifierNotFound)]);
    expect(world.broker.counters.acksUnknown).toBe(3);
  });

  it.each([
    [1, 'pubrec'],
    [1, 'pubcomp'],
    [2, 'puback'],
    [2, 'pubcomp'],
  ] as const)('of a message of QoS %i takes %s as a violation', (qos, cmd) => {
    const world = new World();
    const client = world.subscriber('s', 't', qos);
    world.publish('t', 'x', qos);
    client.ack(cmd, client.messages()[0]!.messageId);
    expect(client.closedBy).toBe('violation');
  });
});

describe('redelivery', () => {
  it('sends PUBRELs in the order of PUBRECs, then PUBLISHes in their own with DUP, then the queue', () => {
    const world = new World({ inflightMax: 4 });
    const client = world.subscriber('s', 't', 2, { clean: false });
    for (const text of ['1', '2', '3', '4', '5']) world.publish('t', text, 2);
    const ids = client.messages().map((packet) => packet.messageId);
    client.ack('pubrec', ids[2]!);
    client.ack('pubrec', ids[0]!);
    client.drop();
    world.publish('t', '6', 1);
    const again = world.connect('s', { clean: false });
    const heard = again.take();
    expect(heard.slice(0, 2)).toEqual([ackPacket('pubrel', ids[2]!), ackPacket('pubrel', ids[0]!)]);
    expect(heard.slice(2)).toMatchObject([
      { messageId: ids[1], dup: true, payload: utf8('2') },
      { messageId: ids[3], dup: true, payload: utf8('4') },
    ]);
    again.ack('pubcomp', ids[0]!);
    again.ack('pubcomp', ids[2]!);
    expect(again.messages()).toMatchObject([
      { dup: false, payload: utf8('5') },
      { dup: false, payload: utf8('6'), qos: 1 },
    ]);
    expect(world.broker.counters.redelivered).toBe(2);
  });

  it('does not change the packets that were sent first', () => {
    const world = new World();
    const client = world.subscriber('s', 't', 1, { clean: false });
    world.publish('t', 'x', 1);
    const [first] = client.messages();
    client.drop();
    const [second] = world.connect('s', { clean: false }).messages();
    expect([first!.dup, second!.dup]).toEqual([false, true]);
  });

  it('happens again after each reconnection until it is acknowledged', () => {
    const world = new World();
    world.subscriber('s', 't', 1, { clean: false }).drop();
    world.publish('t', 'x', 1);
    for (let i = 0; i < 3; i++) {
      const client = world.connect('s', { clean: false });
      expect(client.messages()).toMatchObject([{ dup: i > 0 }]);
      client.drop();
    }
    const client = world.connect('s', { clean: false });
    client.ack('puback', client.messages()[0]!.messageId);
    client.drop();
    expect(world.connect('s', { clean: false }).take()).toEqual([]);
  });
});

describe('the queue', () => {
  it('of an absent client keeps QoS 1 and 2 and drops QoS 0', () => {
    const world = new World();
    world.subscriber('s', 't', 2, { clean: false }).drop();
    for (const qos of [0, 1, 2] as Qos[]) world.publish('t', `${qos}`, qos);
    expect(world.connect('s', { clean: false }).texts()).toEqual(['1', '2']);
    expect(world.broker.counters.droppedOffline).toBe(1);
  });

  it('that is full drops the newest', () => {
    const world = new World({ queueMessagesMax: 2 });
    world.subscriber('s', 't', 1, { clean: false }).drop();
    for (const text of ['1', '2', '3']) world.publish('t', text, 1);
    expect(world.connect('s', { clean: false }).texts()).toEqual(['1', '2']);
    expect(world.broker.counters.droppedQueueFull).toBe(1);
  });

  it('is bounded in bytes of topics and payloads', () => {
    const world = new World({ queueBytesMax: 10 });
    world.subscriber('s', 't', 1, { clean: false }).drop();
    for (const text of ['1234', '56789', '6789', '']) world.publish('t', text, 1);
    expect(world.connect('s', { clean: false }).texts()).toEqual(['1234', '6789']);
  });

  it('of a slow client keeps all, in order for each QoS, until it reads again', () => {
    const world = new World();
    const client = world.subscriber('s', 't', 1);
    client.isCongested = true;
    for (const text of ['a', 'b', 'c']) {
      world.publish('t', `${text}0`, 0);
      world.publish('t', `${text}1`, 1);
    }
    expect(client.take()).toEqual([]);
    client.drained();
    expect(client.texts()).toEqual(['a1', 'b1', 'c1', 'a0', 'b0', 'c0']);
  });

  it('of a slow client drops QoS 0 first, the oldest first', () => {
    const world = new World({ queueMessagesMax: 3 });
    const client = world.subscriber('s', 't', 1);
    client.isCongested = true;
    for (const text of ['a', 'b', 'c', 'd']) world.publish('t', text, 0);
    world.publish('t', 'e', 1);
    world.publish('t', 'f', 1);
    expect(world.broker.counters.droppedSlow).toBe(3);
    for (const text of ['g', 'h']) world.publish('t', text, 1);
    expect(world.broker.counters).toMatchObject({ droppedSlow: 4, droppedQueueFull: 1 });
    client.drained();
    expect(client.texts()).toEqual(['e', 'f', 'g']);
  });

  it('drops nothing for a message that would not fit even then', () => {
    const world = new World({ queueBytesMax: 10 });
    const client = world.subscriber('s', 't', 1);
    client.isCongested = true;
    world.publish('t', 'small');
    world.publish('t', 'larger than all that may wait', 1);
    client.drained();
    expect(client.texts()).toEqual(['small']);
    expect(world.broker.counters).toMatchObject({ droppedSlow: 0, droppedQueueFull: 1 });
  });

  it('stops at the moment the client is congested again', () => {
    const world = new World();
    const client = world.subscriber('s', 't', 0);
    client.isCongested = true;
    for (const text of ['a', 'b', 'c']) world.publish('t', text, 0);
    client.onPacket = () => {
      client.isCongested = true;
    };
    client.drained();
    expect(client.texts()).toEqual(['a']);
    world.publish('t', 'd');
    client.drained();
    expect(client.texts()).toEqual(['b']);
  });

  it('goes with a clean session, and is counted', () => {
    const world = new World({ inflightMax: 1 });
    const client = world.subscriber('s', 't', 1);
    for (const text of ['a', 'b', 'c']) world.publish('t', text, 1);
    client.drop();
    expect(world.broker.counters.droppedSessionEnd).toBe(3);
  });
});

describe("calls from inside the broker's calls", () => {
  it('wait for their turn, so that nothing is lost or overtaken', () => {
    const world = new World({ inflightMax: 1 });
    const client = answers(world.subscriber('s', 't', 2));
    const echo = world.subscriber('e', 't', 1);
    echo.onPacket = (packet) => {
      if (packet.cmd !== 'publish') return;
      echo.ack('puback', packet.messageId);
      echo.publish('echo', '', 0);
    };
    const ears = world.subscriber('x', 'echo');
    for (let i = 0; i < 50; i++) world.publish('t', `${i}`, i % 2 === 0 ? 1 : 2);
    expect(client.texts()).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
    expect(ears.messages()).toHaveLength(50);
  });

  it('may close a connection in the middle of a fan-out', () => {
    const world = new World();
    const first = world.subscriber('a', 't');
    const second = world.subscriber('b', 't');
    first.onPacket = () => second.drop();
    world.publish('t', '1');
    world.publish('t', '2');
    expect(first.texts()).toEqual(['1', '2']);
    expect(second.texts()).toEqual(['1']);
  });
});
