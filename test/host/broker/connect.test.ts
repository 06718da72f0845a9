import { describe, expect, it } from 'vitest';
import type { Access } from '../../../host/broker/access.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { utf8, World } from './scripted.js';

const accepted = (sessionPresent = false) => ({ cmd: 'connack', reasonCode: ReasonCode.Success, sessionPresent });
const refused = (reasonCode: ReasonCode) => ({ cmd: 'connack', reasonCode, sessionPresent: false, properties: {} });

describe('CONNECT', () => {
  it('is answered with CONNACK 0', () => {
    const client = new World().connect('a');
    expect(client.connack).toEqual(accepted());
    expect(client.closedBy).toBeUndefined();
    expect(client.connection.client?.clientId).toBe('a');
  });

  it.each([
    ['MQTT', 6],
    ['MQTT', 3],
    ['MQTT', 0],
    ['MQTT', 0x84],
    ['MQIsdp', 4],
  ])('of %s at level %i is refused', (protocolId, protocolVersion) => {
    const client = new World().connect('a', { protocolId, protocolVersion });
    expect(client.connack).toEqual(refused(ReasonCode.UnsupportedProtocolVersion));
    expect(client.closedBy).toBe('refused');
  });

  it('of MQTT 3.1 is accepted, without Session Present', () => {
    const world = new World();
    const options = { protocolId: 'MQIsdp', protocolVersion: 3, clean: false };
    world.connect('a', options).drop();
    expect(world.connect('a', options).connack).toEqual(accepted(false));
    expect(world.broker.counters.sessionsResumed).toBe(1);
  });

  it('of another protocol closes without CONNACK', () => {
    const client = new World().connect('a', { protocolId: 'HTTP' });
    expect(client.connack).toBeUndefined();
    expect(client.closedBy).toBe('violation');
  });

  it('must come first', () => {
    const client = new World().dial();
    client.say({ cmd: 'pingreq' });
    expect(client.take()).toEqual([]);
    expect(client.closedBy).toBe('violation');
  });

  it('must come once', () => {
    const world = new World();
    const watcher = world.subscriber('w', 'will');
    const client = world.connect('a', { will: { topic: 'will', payload: utf8('!') } });
    client.connect('a');
    expect(client.closedBy).toBe('violation');
    expect(watcher.texts()).toEqual(['!']);
  });

  it('must come in time', () => {
    const world = new World({ connectTimeoutMs: 500 });
    const client = world.dial();
    world.pass(499);
    expect(client.closedBy).toBeUndefined();
    world.pass(1);
    expect(client.closedBy).toBe('connect-timeout');
    expect(world.broker.counters.connectTimeouts).toBe(1);
    expect(world.broker.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it('with an empty identifier gets one when the session is clean', () => {
    const world = new World();
    const first = world.connect('');
    const second = world.connect('');
    expect(first.connack).toEqual(accepted());
    expect(second.connack).toEqual(accepted());
    expect(first.connection.client!.clientId).not.toBe(second.connection.client!.clientId);
    expect(first.connection.client!.clientId).not.toBe('');
  });

  it('with an empty identifier is refused when the session is not clean, and in MQTT 3.1', () => {
    const world = new World();
    for (const options of [{ clean: false }, { protocolId: 'MQIsdp', protocolVersion: 3 }]) {
      const client = world.connect('', options);
      expect(client.connack).toEqual(refused(ReasonCode.ClientIdentifierNotValid));
      expect(client.closedBy).toBe('refused');
    }
  });

  it('with an identifier that is no MQTT string is refused', () => {
    for (const id of ['a\0', '\ud800']) {
      expect(new World().connect(id).connack).toEqual(refused(ReasonCode.ClientIdentifierNotValid));
    }
  });

  it('may have any identifier up to 65535 bytes', () => {
    for (const id of ['a'.repeat(65_535), 'ü/#+ 😀']) expect(new World().connect(id).connack).toEqual(accepted());
  });

  it('with a password and no user name, or a bad will, is a violation', () => {
    const payload = utf8('');
    for (const options of [
      { password: utf8('p') },
      { will: { topic: 'a/+', payload } },
      { will: { topic: '', payload } },
      { will: { topic: 'a', payload, qos: 3 } },
    ]) {
      const client = new World().connect('a', options);
      expect(client.connack).toBeUndefined();
      expect(client.closedBy).toBe('violation');
    }
  });

  it('is asked of the access rules, whose answer it gets', () => {
    const seen: unknown[] = [];
    const permit = { publish: (topic: string) => topic !== 'secret', subscribe: () => true, receive: () => true };
    const access: Access = {
      connect: ({ packet, clientId }, answer, now) => {
        seen.push([packet.username, clientId]);
        if (clientId === 'bad') answer({ outcome: 'refused', reason: ReasonCode.BadUserNameOrPassword }, now);
        else answer({ outcome: 'accepted', permit }, now);
      },
    };
    const world = new World({ access });
    expect(world.connect('bad', { username: 'u' }).connack).toEqual(refused(ReasonCode.BadUserNameOrPassword));
    expect(world.connect('good').connack).toEqual(accepted());
    expect(seen).toEqual([
      ['u', 'bad'],
      [undefined, 'good'],
    ]);
    const will = { topic: 'secret', payload: utf8('') };
    expect(world.connect('good', { will }).connack).toEqual(refused(ReasonCode.NotAuthorized));
  });

  it('is refused when there is no room for one more session, and only then', () => {
    const world = new World({ sessionsMax: 1 });
    world.connect('a', { clean: false }).drop();
    expect(world.connect('b').connack).toEqual(refused(ReasonCode.QuotaExceeded));
    expect(world.connect('a', { clean: false }).connack).toEqual(accepted(true));
  });

  it('is followed by nothing once it is refused', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const client = world.connect('', { clean: false });
    client.publish('a', 'x');
    expect(watcher.take()).toEqual([]);
    expect(client.take()).toEqual([]);
  });
});

describe('keep-alive', () => {
  it('closes after one and a half times its seconds of silence, to the millisecond', () => {
    const world = new World();
    const client = world.connect('a', { keepalive: 3 });
    world.pass(4_499);
    expect(client.closedBy).toBeUndefined();
    world.pass(1);
    expect(client.closedBy).toBe('keep-alive');
    expect(world.broker.counters.keepAliveTimeouts).toBe(1);
  });

  it('counts from the last packet', () => {
    const world = new World();
    const client = world.connect('a', { keepalive: 10 });
    for (let i = 0; i < 5; i++) {
      world.pass(14_000);
      client.say({ cmd: 'pingreq' });
    }
    expect(client.take()).toEqual(new Array(5).fill({ cmd: 'pingresp' }));
    world.pass(14_999);
    expect(client.closedBy).toBeUndefined();
    world.pass(1);
    expect(client.closedBy).toBe('keep-alive');
  });

  it('is not moved by what the client hears', () => {
    const world = new World();
    const client = world.subscriber('a', '#', 0, { keepalive: 10 });
    world.pass(14_000);
    world.publish('x');
    world.pass(1_000);
    expect(client.closedBy).toBe('keep-alive');
  });

  it('of 0 is none', () => {
    const world = new World();
    const client = world.connect('a', { keepalive: 0 });
    world.pass(1_000_000_000);
    expect(client.closedBy).toBeUndefined();
    expect(world.broker.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('sessions', () => {
  it('are resumed with Session Present when neither connection is clean', () => {
    const world = new World();
    world.subscriber('a', 't', 1, { clean: false }).drop();
    const again = world.connect('a', { clean: false });
    expect(again.connack).toEqual(accepted(true));
    world.publish('t', 'x', 1);
    expect(again.texts()).toEqual(['x']);
  });

  it('are discarded by a clean CONNECT', () => {
    const world = new World();
    world.subscriber('a', 't', 1, { clean: false }).drop();
    world.publish('t', 'x', 1);
    const clean = world.connect('a', { clean: true });
    expect(clean.connack).toEqual(accepted(false));
    expect(clean.take()).toEqual([]);
    clean.drop();
    expect(world.connect('a', { clean: false }).connack).toEqual(accepted(false));
    expect(world.broker.counters.subscriptionsNow).toBe(0);
  });

  it('that are clean leave nothing behind', () => {
    const world = new World();
    world.subscriber('a', 't', 1).drop();
    expect(world.connect('a', { clean: false }).connack).toEqual(accepted(false));
    expect(world.broker.counters).toMatchObject({ sessionsNow: 1, subscriptionsNow: 0 });
  });

  it('survive DISCONNECT as they survive the loss of the network', () => {
    const world = new World();
    world.connect('a', { clean: false }).disconnect();
    expect(world.connect('a', { clean: false }).connack).toEqual(accepted(true));
  });

  it('expire when the host says so', () => {
    const world = new World({ offlineSessionMsMax: 100 });
    world.connect('a', { clean: false }).drop();
    world.pass(99);
    world.connect('a', { clean: false }).drop();
    world.pass(99);
    expect(world.broker.counters.sessionsNow).toBe(1);
    world.pass(1);
    expect(world.broker.counters).toMatchObject({ sessionsNow: 0, sessionsExpired: 1 });
  });
});

describe('taking over a client identifier', () => {
  it('closes the old connection, publishes its will and goes on with the session', () => {
    const world = new World();
    const watcher = world.subscriber('w', 'will');
    const old = world.connect('a', { clean: false, will: { topic: 'will', payload: utf8('gone') } });
    const fresh = world.connect('a', { clean: false });
    expect(old.closedBy).toBe('taken-over');
    expect(fresh.connack).toEqual(accepted(true));
    expect(watcher.texts()).toEqual(['gone']);
    old.publish('will', 'ghost');
    old.drop();
    expect(watcher.take()).toEqual([]);
    expect(fresh.closedBy).toBeUndefined();
    expect(world.broker.counters).toMatchObject({ sessionsTakenOver: 1, connectionsNow: 2, sessionsNow: 2 });
  });

  it('of a clean session starts anew', () => {
    const world = new World();
    world.subscriber('a', 't', 1);
    const fresh = world.connect('a', { clean: false });
    expect(fresh.connack).toEqual(accepted(false));
    world.publish('t', 'x', 1);
    expect(fresh.take()).toEqual([]);
  });
});

describe('the will', () => {
  const will = { topic: 'will', payload: utf8('gone'), qos: 1, retain: false };

  it.each([
    ['loss of the network', (world: World) => world.connect('a', { will }).drop()],
    ['a violation', (world: World) => world.connect('a', { will }).publish('a/#')],
    [
      'silence',
      (world: World) => {
        world.connect('a', { will, keepalive: 1 });
        world.pass(1_500);
      },
    ],
    [
      'bytes that are no packet',
      (world: World) => world.connect('a', { will }).connection.abandon('malformed', 'x', 0),
    ],
  ])('is published after %s', (_, happen) => {
    const world = new World();
    const watcher = world.subscriber('w', 'will', 1);
    happen(world);
    expect(watcher.messages()).toMatchObject([{ topic: 'will', qos: 1, retain: false }]);
    expect(world.broker.counters.willsPublished).toBe(1);
  });

  it('is not published after DISCONNECT', () => {
    const world = new World();
    const watcher = world.subscriber('w', 'will', 1);
    const client = world.connect('a', { will });
    client.disconnect();
    client.drop();
    expect(watcher.take()).toEqual([]);
    expect(client.closedBy).toBe('disconnect');
  });

  it('is retained where it says so', () => {
    const world = new World();
    world.connect('a', { will: { ...will, retain: true } }).drop();
    const late = world.connect('w');
    late.subscribe('will', 1);
    expect(late.messages()).toMatchObject([{ topic: 'will', qos: 1, retain: true }]);
  });

  it('is queued for its own persistent session, not sent to the connection that ended', () => {
    const world = new World();
    const client = world.subscriber('a', 'will', 1, { clean: false, will });
    client.drop();
    expect(client.take()).toEqual([]);
    expect(world.connect('a', { clean: false }).texts()).toEqual(['gone']);
  });

  it('is published when the broker stops', () => {
    const world = new World();
    const first = world.connect('a', { will });
    const watcher = world.subscriber('w', 'will', 1);
    world.broker.stop(world.now);
    expect(watcher.texts()).toEqual(['gone']);
    expect([first.closedBy, watcher.closedBy]).toEqual(['stopped', 'stopped']);
    expect(world.dial().closedBy).toBe('stopped');
    expect(world.broker.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the configuration', () => {
  it.each([{ inflightMax: 0 }, { inflightMax: 65_536 }, { queueMessagesMax: -1 }, { sessionsMax: 1.5 }])(
    'may not be %j',
    (config) => {
      expect(() => new World(config)).toThrow(expect.objectContaining({ code: 'ERR_BROKER_CONFIG' }));
    },
  );
});
