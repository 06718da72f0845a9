// MQTT 5.0, sections 3.1 and 3.2: who comes in, and what the broker says about itself.
import { describe, expect, it } from 'vitest';
import { ACCEPTED, allowing, Door, refused, utf8Of } from './mqtt-5.0-access.js';
import { FOR_AN_HOUR, HOUR_MS, UNLIMITED, World5 } from './mqtt-5.0-client.js';
import {
  ack,
  auth,
  bytes,
  type ConnectIn,
  connect,
  disconnect,
  PINGREQ,
  packet,
  publish,
  subscribe,
  text,
  u8,
  u16,
  unsubscribe,
} from './mqtt-5.0-wire.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;
const SECOND_MS = 1_000;

describe('the first packet', () => {
  it.each([
    ['PUBLISH', publish('t', 'x')],
    ['SUBSCRIBE', subscribe(1, [{ filter: 't' }])],
    ['UNSUBSCRIBE', unsubscribe(1, ['t'])],
    ['PUBACK', ack('puback', 1)],
    ['PUBREL', ack('pubrel', 1)],
    ['PINGREQ', PINGREQ],
    ['DISCONNECT', disconnect()],
    ['AUTH', auth(0x18, { authenticationMethod: 'm' })],
    ['nothing known', bytes('00 00')],
  ])(
    'must be CONNECT: %s closes the connection without a word [MQTT-3.1.0-1] [MQTT-3.14.0-1] [MQTT-3.2.0-1]',
    (_, first) => {
      const world = new World5();
      const other = world.reader('other', '#');
      world.open().say(first).isOver();
      other.isWell();
    },
  );

  it('is CONNECT, and a second one is a protocol error [MQTT-3.1.0-2]', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    const client = world.join('c', { will: { topic: 'will', payload: 'w' } });
    client.say(connect('c')).ended(PROTOCOL_ERROR);
    expect(other.payloads()).toEqual(['w']);
  });

  it.each([
    ['of another protocol', connect('c', { protocol: 'HTTP' })],
    ['of another level', connect('c', { level: 6 })],
    ['of MQTT 3.1.1', connect('c', { level: 4 })],
    ['of MQTT 3.1', connect('c', { protocol: 'MQIsdp', level: 3 })],
    ['that is malformed', packet(0x10, text('MQTT'))],
    ['with a wrong will', connect('c', { will: { topic: '#', payload: '' } })],
  ])('is not followed by a second one %s, in the words of DISCONNECT [MQTT-3.1.0-2] [MQTT-3.14.2-1]', (_, second) => {
    const world = new World5();
    world.join('c').say(second).ended(PROTOCOL_ERROR, MALFORMED);
  });

  it('has to come in time (3.1.4)', () => {
    const world = new World5({ connectTimeoutMs: 5_000 });
    const client = world.open();
    world.pass(4_999);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    client.isOver();
  });
});

describe('protocol name and version', () => {
  it.each(['MQTt', 'mqtt', 'MQIsdp5', '', 'HTTP'])('"%s" is not spoken [MQTT-3.1.2-1]', (protocol) => {
    const world = new World5();
    world.open().say(connect('c', { protocol })).turnedAway(0x84);
  });

  it.each([0, 1, 2, 6, 127, 255])('MQTT of level %i is not spoken [MQTT-3.1.2-2]', (level) => {
    const world = new World5();
    const other = world.reader('other', '#');
    const written: Uint8Array[] = [];
    const client = world.open();
    client.onBytes = (chunk) => written.push(chunk);
    client.say(connect('c', { level }), publish('t', 'x'));
    expect(client.isClosed).toBe(true);
    // In the words of 5.0, of 3.1.1, or in silence.
    expect(['20 03 00 84 00', '20 02 00 01', '']).toContain(
      Buffer.concat(written)
        .toString('hex')
        .replace(/..(?=.)/g, '$& '),
    );
    other.isWell();
  });
});

describe('the connect flags', () => {
  const will = { topic: 't', payload: '' };
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['reserved bit 0', connect('c', { flags: 0x01 })],
    ['will QoS without a will', connect('c', { flags: 0x08 })],
    ['will retain without a will', connect('c', { flags: 0x20 })],
    ['will QoS 3', connect('c', { will: { ...will, qos: 3 } })],
    ['a will that is not there', connect('c', { flags: 0x04 })],
    ['a user name that is not there', connect('c', { flags: 0x80 })],
    ['a password that is not there', connect('c', { flags: 0x40 })],
    ['no user name, but one is there', connect('c', { username: 'u', flags: 0x00 })],
    ['no password, but one is there', connect('c', { username: 'u', password: 'p', flags: 0x80 })],
    ['no will, but one is there', connect('c', { will, flags: 0x00 })],
  ];
  it('hold one wrong case for each statement', () => expect(cases.length).toBe(10));
  it.each(cases)(
    'turn a CONNECT away: %s [MQTT-3.1.2-3] [MQTT-3.1.2-9] [MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.4-1]',
    (_, wrong) => {
      const world = new World5();
      world.open().say(wrong).turnedAway(MALFORMED, PROTOCOL_ERROR);
    },
  );

  it.each([
    ['everything cut off behind the protocol name', packet(0x10, text('MQTT'))],
    ['no client identifier', packet(0x10, text('MQTT'), u8(5), u8(2), u16(0), u8(0))],
    ['no properties', packet(0x10, text('MQTT'), u8(5), u8(2), u16(0))],
    ['something behind the end', packet(0x10, text('MQTT'), u8(5), u8(2), u16(0), u8(0), text('c'), u8(0))],
  ])('and fields must be whole: %s [MQTT-3.1.4-1] [MQTT-3.1.3-3]', (_, wrong) => {
    const world = new World5();
    world.open().say(wrong).turnedAway(MALFORMED);
  });

  it('say which fields follow, in their order [MQTT-3.1.3-1]', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const other = world.reader('other', '#');
    const will = { topic: 'will/topic', payload: 'will payload', qos: 1, properties: { contentType: 'type' } };
    world.join('client', { will, username: 'user', password: 'password' }).drop();
    expect(door.requests[1]).toMatchObject({ clientId: 'client', packet: { username: 'user' } });
    expect(utf8Of(door.requests[1]?.packet.password)).toBe('password');
    expect(other.message()).toMatchObject({
      topic: 'will/topic',
      payload: 'will payload',
      properties: { contentType: 'type' },
    });
  });

  it('may announce a password without a user name (3.1.2.9)', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    world.join('c', { password: 'only' });
    expect(utf8Of(door.requests[0]?.packet.password)).toBe('only');
    expect(door.requests[0]?.packet.username).toBeUndefined();
  });

  it('may announce a user name and a password that are empty (3.1.3.5)', () => {
    const door = new Door(ACCEPTED);
    new World5({ access: door }).join('c', { username: '', password: '' });
    expect(door.requests[0]?.packet.username).toBe('');
  });
});

describe('clean start', () => {
  it('discards the session there is [MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.1.4-4]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('a', 'queued', { qos: 1 });
    const fresh = world.join('c', { ...FOR_AN_HOUR, clean: true });
    expect(fresh.connack.sessionPresent).toBe(false);
    world.join('p2').publish('a', 'x', { qos: 1 });
    fresh.hearsNothing();
    fresh.drop();
    expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
  });

  it('absent resumes the session there is [MQTT-3.1.2-5] [MQTT-3.2.2-3]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('a', 'queued', { qos: 1 });
    const back = world.join('c', FOR_AN_HOUR);
    expect(back.connack.sessionPresent).toBe(true);
    expect(back.payloads()).toEqual(['queued']);
  });

  it('absent makes a session where there is none [MQTT-3.1.2-6] [MQTT-3.2.2-3]', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    expect(client.connack.sessionPresent).toBe(false);
    client.subscribe({ filter: 'a', qos: 1 });
    client.drop();
    expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
  });
});

describe('a client identifier', () => {
  const ALLOWED = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  it('of 1 to 23 letters and digits is accepted [MQTT-3.1.3-5]', () => {
    const world = new World5();
    for (let i = 0; i < ALLOWED.length; i++) world.join(ALLOWED[i]!);
    for (let i = 0; i + 23 <= ALLOWED.length; i++) world.join(ALLOWED.slice(i, i + 23));
  });

  it('names the session, and differs by every byte [MQTT-3.1.3-2]', () => {
    const world = new World5();
    for (const id of ['a', 'A', 'é', 'e\u0301', 'a ', ' a']) {
      expect(world.join(id, FOR_AN_HOUR).connack.sessionPresent).toBe(false);
    }
    expect(world.join('é', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
  });

  it('of no length is replaced by a new one, which names a session as any other [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]', () => {
    const world = new World5();
    const client = world.join('', FOR_AN_HOUR);
    const { assignedClientId = '' } = client.connack.properties;
    expect(assignedClientId).not.toBe('');
    client.subscribe({ filter: 'a', qos: 1 });
    client.drop();
    const back = world.join(assignedClientId, FOR_AN_HOUR);
    expect(back.connack.sessionPresent).toBe(true);
    expect(back.connack.properties.assignedClientId).toBeUndefined();
  });

  it('of no length is replaced by one that nobody has [MQTT-3.2.2-16]', () => {
    const world = new World5();
    const ids = Array.from({ length: 50 }, () => world.join('').connack.properties.assignedClientId);
    expect(new Set(ids).size).toBe(50);
    expect(ids).not.toContain(undefined);
  });

  it('of no length does not need clean start (3.1.3.1)', () => {
    const world = new World5();
    expect(world.join('', { clean: false }).connack.properties.assignedClientId).toBeDefined();
    expect(world.join('', { clean: true }).connack.properties.assignedClientId).toBeDefined();
  });

  it('that is refused closes the connection [MQTT-3.1.3-8]', () => {
    const world = new World5({ access: new Door(refused(0x85)) });
    world.open().connect('nobody').refused(0x85);
  });
});

describe('a refusal', () => {
  it.each([0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x97, 0x9c, 0x9d, 0x9f])(
    'of reason %i is CONNACK, then the connection is closed [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1]',
    (reason) => {
      const door = new Door(ACCEPTED);
      const world = new World5({ access: door });
      world.join('c', FOR_AN_HOUR).drop();
      door.verdict = refused(reason);
      world.open().connect('c', FOR_AN_HOUR).refused(reason);
      door.verdict = ACCEPTED;
      expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
    },
  );

  it('leaves the session and the client that is there alone [MQTT-3.1.4-2]', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const client = world.reader('c', 'a', 1, FOR_AN_HOUR);
    door.verdict = refused(0x87);
    world.open().connect('c', { clean: true }).refused(0x87);
    client.isWell();
    client.publish('a', 'still', { qos: 1 });
    expect(client.payloads()).toEqual(['still']);
  });

  it('lets nothing behind it count [MQTT-3.1.4-6]', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const other = world.reader('other', '#');
    door.verdict = refused(0x87);
    const client = world.open();
    client.say(connect('c', { will: { topic: 'will', payload: 'w' } }), publish('t', 'x', { retain: true }));
    client.refused(0x87);
    other.isWell();
    door.verdict = ACCEPTED;
    world.reader('late', '#').hearsNothing();
  });

  it('that comes later lets nothing behind the CONNECT count either [MQTT-3.1.4-6]', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const other = world.reader('other', '#');
    door.verdict = 'later';
    const client = world.open();
    client.say(connect('c'), publish('t', 'x'), subscribe(1, [{ filter: '#' }]), PINGREQ);
    expect(client.take()).toEqual([]);
    door.waiting[0]!(refused(0x87), world.now);
    client.refused(0x87);
    other.isWell();
  });

  it('may send the client to another server (3.2.2.3.16, 4.11)', () => {
    const world = new World5({ access: new Door(refused(0x9c, { serverReference: 'other.example:1883' })) });
    const connack = world.open().connect('c').refused(0x9c);
    expect(connack.properties.serverReference).toBe('other.example:1883');
  });

  it('gives its reason as a string where one is given and the packet has room [MQTT-3.2.2-19]', () => {
    const reasonString = 'no such device here';
    const world = new World5({ access: new Door(refused(0x87, { reasonString })) });
    expect(world.open().connect('c').refused(0x87).properties).toEqual({ reasonString });
    const tight: ConnectIn = { properties: { maximumPacketSize: 20 } };
    expect(world.open().connect('c', tight).refused(0x87).properties).toEqual({});
  });
});

describe('an acceptance', () => {
  it('is one CONNACK, before anything else [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('a', 'queued', { qos: 1 });
    const client = world.open();
    client.say(connect('c', FOR_AN_HOUR), PINGREQ, publish('b', '', { qos: 1 }));
    const types = client.take().map(({ type }) => type);
    expect(types[0]).toBe('connack');
    expect(types.sort()).toEqual(['connack', 'pingresp', 'puback', 'publish']);
  });

  it('that comes later comes before the answers to all that the client has said meanwhile [MQTT-3.2.0-1]', () => {
    const door = new Door('later');
    const world = new World5({ access: door });
    const client = world.open();
    client.say(connect('c'), subscribe(1, [{ filter: 'a' }]), publish('a', 'own'), PINGREQ);
    expect(client.take()).toEqual([]);
    expect(door.waiting.length).toBe(1);
    door.waiting[0]!(ACCEPTED, world.now);
    expect(client.take().map(({ type }) => type)).toEqual(['connack', 'suback', 'publish', 'pingresp']);
  });

  it('that comes after the client has gone makes nothing [MQTT-3.1.4-2]', () => {
    const door = new Door('later');
    const world = new World5({ access: door });
    const client = world.open().connect('c', { ...FOR_AN_HOUR, will: { topic: 'will', payload: 'w' } });
    client.drop();
    door.waiting[0]!(ACCEPTED, world.now);
    door.verdict = ACCEPTED;
    const other = world.reader('other', '#');
    expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(false);
    other.hearsNothing();
  });

  it('names no user properties that would make the packet too large [MQTT-3.2.2-20]', () => {
    const userProperties = { hint: 'a rather long hint for the client' };
    const world = new World5({ access: new Door({ outcome: 'accepted', userProperties }) });
    expect(world.join('c').connack.properties.userProperties).toEqual([['hint', userProperties.hint]]);
    const tight: ConnectIn = { properties: { maximumPacketSize: 40 } };
    const client = world.open().connect('c', tight);
    expect(client.accepted().connack.properties.userProperties).toBeUndefined();
  });

  it('of two that ask at once goes to both, one after another [MQTT-3.1.4-3] [MQTT-3.2.0-1]', () => {
    const door = new Door('later');
    const world = new World5({ access: door });
    const [first, second] = [world.open().connect('c', FOR_AN_HOUR), world.open().connect('c', FOR_AN_HOUR)];
    for (const answer of door.waiting.reverse()) answer(ACCEPTED, world.now);
    second.accepted();
    expect(second.connack.sessionPresent).toBe(false);
    second.ended(0x8e);
    expect(first.accepted().connack.sessionPresent).toBe(true);
    first.isWell();
  });

  it('is given once, whatever is said later [MQTT-3.2.0-2]', () => {
    const door = new Door('later');
    const world = new World5({ access: door });
    const client = world.open().connect('c');
    const [answer] = door.waiting;
    answer!(ACCEPTED, world.now);
    client.accepted();
    answer!(ACCEPTED, world.now);
    answer!(refused(0x87), world.now);
    client.isWell();
  });

  it('takes over from the connection of the same client, which hears why [MQTT-3.1.4-3]', () => {
    const world = new World5();
    const first = world.reader('c', 'a', 1, FOR_AN_HOUR);
    const second = world.join('c', FOR_AN_HOUR);
    first.ended(0x8e);
    expect(second.connack.sessionPresent).toBe(true);
    world.join('p').publish('a', 'x', { qos: 1 });
    expect(second.payloads()).toEqual(['x']);
  });

  it('takes over also where the new connection begins anew [MQTT-3.1.4-3] [MQTT-3.1.4-4]', () => {
    const world = new World5();
    const first = world.reader('c', 'a', 1, FOR_AN_HOUR);
    const second = world.join('c', { clean: true });
    first.ended(0x8e);
    expect(second.connack.sessionPresent).toBe(false);
    world.join('p').publish('a', 'x');
    second.hearsNothing();
  });
});

describe('CONNACK', () => {
  it('says nothing of what is as the standard has it by default (3.2.2.3)', () => {
    expect(new World5(UNLIMITED).join('c').connack.properties).toEqual({});
  });

  it('says how many messages may be on their way to the broker (3.2.2.3.3)', () => {
    expect(new World5({ receiveMax: 7 }).join('c').connack.properties.receiveMaximum).toBe(7);
  });

  it('says how long packets to the broker may be (3.2.2.3.6)', () => {
    expect(new World5({ packetBytesMax: 500 }).join('c').connack.properties.maximumPacketSize).toBe(500);
  });

  it('says how many topic aliases there may be (3.2.2.3.8)', () => {
    expect(new World5({ topicAliasMax: 9 }).join('c').connack.properties.topicAliasMaximum).toBe(9);
    expect(new World5({ topicAliasMax: 0 }).join('c').connack.properties.topicAliasMaximum ?? 0).toBe(0);
  });

  it('does not say that retaining, wildcards, subscription identifiers or shared subscriptions are missing (3.2.2.3)', () => {
    const { properties } = new World5().join('c').connack;
    for (const name of [
      'retainAvailable',
      'wildcardAvailable',
      'subscriptionIdsAvailable',
      'sharedAvailable',
    ] as const) {
      expect(properties[name] ?? 1).toBe(1);
    }
  });

  it.each([0, 1] as const)('says the highest QoS where it is %i [MQTT-3.2.2-9]', (qosMax) => {
    expect(new World5({ qosMax }).join('c').connack.properties.maximumQos).toBe(qosMax);
  });

  it('does not say a highest QoS of 2 (3.2.2.3.4) [MQTT-3.2.2-9]', () => {
    expect(new World5({ qosMax: 2 }).join('c').connack.properties.maximumQos).toBeUndefined();
  });

  it.each([0, 1] as const)(
    'at a highest QoS of %i does not hinder subscriptions of any QoS [MQTT-3.2.2-10]',
    (qosMax) => {
      const client = new World5({ qosMax }).join('c');
      const granted = client.subscribe([0, 1, 2].map((qos) => ({ filter: `t/${qos}`, qos })));
      expect(granted).toEqual([0, 1, 2].map((qos) => Math.min(qos, qosMax)));
    },
  );

  it('refuses a will of a QoS that there is not [MQTT-3.2.2-12]', () => {
    const world = new World5({ qosMax: 1 });
    const will = { topic: 'will', payload: 'w' };
    world
      .open()
      .connect('c', { will: { ...will, qos: 2 } })
      .refused(0x9b);
    world.join('c', { will: { ...will, qos: 1 } });
  });

  it('never refuses a will for being retained, since retaining is there [MQTT-3.2.2-13]', () => {
    const world = new World5();
    world.join('c', { will: { topic: 'will', payload: 'w', retain: true } }).drop();
    expect(world.reader('late', 'will').message()).toMatchObject({ payload: 'w', retain: true });
  });

  it('says how long the session will stay where that is not what was asked (3.2.2.3.2)', () => {
    const world = new World5({ offlineSessionMsMax: 60_000 });
    expect(world.join('a', { properties: { sessionExpiryS: 61 } }).connack.properties.sessionExpiryS).toBe(60);
    expect(world.join('b', { properties: { sessionExpiryS: 0xffff_ffff } }).connack.properties.sessionExpiryS).toBe(60);
    expect(world.join('c', { properties: { sessionExpiryS: 60 } }).connack.properties.sessionExpiryS ?? 60).toBe(60);
    expect(world.join('d').connack.properties.sessionExpiryS ?? 0).toBe(0);
  });

  it('names a keep-alive where the broker wants another one [MQTT-3.2.2-22]', () => {
    const world = new World5({ keepAliveSMax: 30 });
    expect(world.join('a', { keepAliveS: 31 }).connack.properties.serverKeepAliveS).toBe(30);
    expect(world.join('b', { keepAliveS: 0 }).connack.properties.serverKeepAliveS).toBe(30);
    expect(world.join('c', { keepAliveS: 30 }).connack.properties.serverKeepAliveS ?? 30).toBe(30);
    expect(world.join('d', { keepAliveS: 10 }).connack.properties.serverKeepAliveS ?? 10).toBe(10);
  });

  it('says where answers may be sent, to those who ask [MQTT-3.1.2-28]', () => {
    const world = new World5({ responseTopicPrefix: 'answers/' });
    const asks = (value: number): ConnectIn => ({ properties: { requestResponseInformation: value } });
    expect(world.join('a').connack.properties.responseInformation).toBeUndefined();
    expect(world.join('b', asks(0)).connack.properties.responseInformation).toBeUndefined();
    expect(world.join('c', asks(1)).connack.properties.responseInformation).toBe('answers/c');
    expect(new World5().join('d', asks(1)).connack.properties.responseInformation).toBeUndefined();
  });

  it('has no authentication method where the client has none [MQTT-4.12.0-6]', () => {
    const { properties } = new World5({ access: new Door(ACCEPTED) }).join('c').connack;
    expect(properties.authenticationMethod).toBeUndefined();
    expect(properties.authenticationData).toBeUndefined();
  });
});

describe('keep-alive', () => {
  const keepAlive = (keepAliveS: number): ConnectIn => ({ keepAliveS, will: { topic: 'will', payload: 'w' } });

  it('ends a silent connection after one and a half times its length, as if the network had failed [MQTT-3.1.2-22] [MQTT-3.2.2-22]', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    const client = world.join('c', keepAlive(10));
    world.pass(15 * SECOND_MS - 1);
    client.hearsNothing();
    world.pass(1);
    client.ended(0x8d);
    expect(other.payloads()).toEqual(['w']);
  });

  it('is fed by every packet of the client [MQTT-3.1.2-22]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 1, keepAlive(10));
    const says: readonly Uint8Array[] = [
      PINGREQ,
      publish('b'),
      publish('b', '', { qos: 2, id: 1 }),
      ack('pubrel', 1),
      subscribe(7, [{ filter: 'b' }]),
      unsubscribe(8, ['b']),
    ];
    for (const each of says) {
      world.pass(15 * SECOND_MS - 1);
      client.say(each);
    }
    world.pass(15 * SECOND_MS - 1);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    expect(client.isClosed).toBe(true);
  });

  it('is not fed by what the broker says [MQTT-3.1.2-22]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 0, keepAlive(10));
    const other = world.join('p');
    world.pass(10 * SECOND_MS);
    other.publish('a', 'x');
    expect(client.message().payload).toBe('x');
    world.pass(5 * SECOND_MS);
    client.ended(0x8d);
  });

  it('of 0 is none (3.1.2.10)', () => {
    const world = new World5();
    const client = world.join('c', { keepAliveS: 0 });
    world.pass(1_000 * HOUR_MS);
    client.isWell();
  });

  it('is the broker’s where it has named one (3.2.2.3.14)', () => {
    const world = new World5({ keepAliveSMax: 20 });
    const clients = [0, 21, 65_535].map((keepAliveS) => world.join(`c${keepAliveS}`, { keepAliveS }));
    world.pass(30 * SECOND_MS - 1);
    for (const client of clients) client.hearsNothing();
    world.pass(1);
    for (const client of clients) client.ended(0x8d);
  });

  it('is the access’s where that has named one (3.2.2.3.14)', () => {
    const world = new World5({ access: new Door({ outcome: 'accepted', keepAliveSMax: 5 }) });
    const client = world.join('c', { keepAliveS: 60 });
    expect(client.connack.properties.serverKeepAliveS).toBe(5);
    world.pass(7_500);
    client.ended(0x8d);
  });
});

describe('request problem information', () => {
  const QUIET: ConnectIn = { properties: { requestProblemInformation: 0 } };

  it('of 0 keeps reasons out of everything but CONNACK, PUBLISH and DISCONNECT [MQTT-3.1.2-29]', () => {
    const permit = { publish: (topic: string) => topic !== 'no', subscribe: (filter: string) => filter !== 'no' };
    const world = new World5({ access: new Door(allowing(permit)) });
    const client = world.join('c', QUIET);
    client.say(publish('no', '', { qos: 1, id: 1 }), publish('no', '', { qos: 2, id: 2 }));
    client.say(subscribe(3, [{ filter: 'no' }]), unsubscribe(4, ['none']), ack('pubrel', 9), ack('pubrec', 9));
    const answers = client.take();
    expect(answers.map(({ type }) => type)).toEqual(['puback', 'pubrec', 'suback', 'unsuback', 'pubcomp', 'pubrel']);
    for (const { properties } of answers) expect(properties).toEqual({});
  });

  it('of 0 lets user properties of messages through [MQTT-3.1.2-29]', () => {
    const world = new World5();
    const client = world.reader('c', 't', 0, QUIET);
    world.join('p').publish('t', '', { properties: { userProperties: [['a', 'b']] } });
    expect(client.message().properties.userProperties).toEqual([['a', 'b']]);
  });
});

describe('maximum packet size', () => {
  const sized = (maximumPacketSize: number): ConnectIn => ({
    properties: { maximumPacketSize, sessionExpiryS: 3_600 },
  });

  it.each([0, 1, 2])(
    'keeps a message of QoS %i that is too large from a client, as if it had been sent [MQTT-3.1.2-24] [MQTT-3.1.2-25]',
    (qos) => {
      const world = new World5();
      const client = world.reader('c', 't', 2, sized(30));
      const wide = world.reader('wide', 't', 2);
      const publisher = world.join('p');
      for (const payload of ['first', 'x'.repeat(40), 'last']) expect(publisher.publish('t', payload, { qos })).toBe(0);
      expect(client.payloads()).toEqual(['first', 'last']);
      expect(wide.payloads().length).toBe(3);
      client.drop();
      const back = world.join('c', { properties: { sessionExpiryS: 3_600 } });
      back.hearsNothing(); // the large one is not kept either
    },
  );

  it.each([1, 2])(
    'keeps back a message of QoS %i that was sent over a connection with more room, for good [MQTT-3.1.2-24] [MQTT-3.1.2-25]',
    (qos) => {
      const world = new World5();
      const client = world.reader('c', 't', 2, FOR_AN_HOUR);
      const publisher = world.join('p');
      for (const payload of ['x'.repeat(40), 'small']) publisher.publish('t', payload, { qos });
      expect(client.messages().length).toBe(2);
      client.drop();
      const tight = world.join('c', sized(30));
      expect(tight.payloads()).toEqual(['small']);
      tight.drop();
      world.join('c', FOR_AN_HOUR).hearsNothing();
    },
  );

  it('is counted to the byte, with header and properties [MQTT-3.1.2-24]', () => {
    const world = new World5();
    const client = world.reader('c', 't', 0, sized(30));
    const publisher = world.join('p');
    const properties = { userProperties: [['n', 'v']] } as const;
    // 2 fixed header, 3 topic, 1 + 7 properties
    publisher.publish('t', 'x'.repeat(17), { properties });
    publisher.publish('t', 'x'.repeat(18), { properties });
    expect(client.messages().map((message) => message.bytes)).toEqual([30]);
  });

  it('counts subscription identifiers and the message’s expiry [MQTT-3.1.2-24]', () => {
    const world = new World5();
    const client = world.join('c', sized(30));
    client.subscribe({ filter: 't' }, { subscriptionIds: [1_000] });
    const publisher = world.join('p');
    // 2 fixed header, 3 topic, 1 + 5 + 3 properties
    publisher.publish('t', 'x'.repeat(16), { properties: { messageExpiryS: 60 } });
    publisher.publish('t', 'x'.repeat(17), { properties: { messageExpiryS: 60 } });
    expect(client.messages().map((message) => message.bytes)).toEqual([30]);
  });

  it('holds for messages that waited for the client, and for retained ones [MQTT-3.1.2-24] [MQTT-3.1.2-25]', () => {
    const world = new World5();
    world.reader('c', 'q', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    publisher.publish('q', 'x'.repeat(40), { qos: 1 });
    publisher.publish('q', 'small', { qos: 1 });
    publisher.publish('r', 'x'.repeat(40), { retain: true });
    const back = world.join('c', sized(30));
    expect(back.payloads()).toEqual(['small']);
    back.subscribe({ filter: 'r' });
    back.isWell();
  });

  it('of a packet to the broker may not be exceeded (3.2.2.3.6)', () => {
    const world = new World5({ packetBytesMax: 60 });
    const client = world.join('c');
    // 2 fixed header, 3 topic, 1 properties
    client.publish('t', 'x'.repeat(54));
    client.isWell();
    client.say(publish('t', 'x'.repeat(55))).ended(0x95);
  });

  it('of a packet to the broker is known by its header: the rest is not waited for (3.2.2.3.6)', () => {
    const world = new World5({ packetBytesMax: 60 });
    world.join('c').say(bytes('30 ff ff 7f')).ended(0x95);
  });

  it('may leave no room for a DISCONNECT with a reason string [MQTT-3.14.2-3] [MQTT-3.14.2-4]', () => {
    const world = new World5(UNLIMITED);
    const client = world.join('c', { properties: { maximumPacketSize: 5 } });
    client.say(connect('c')).ended(PROTOCOL_ERROR);
  });

  it.each([1, 2, 3, 4, 5, 8, 12])(
    'of %i bytes, in which there is no room for CONNACK, leaves nobody waiting (3.2) [MQTT-3.1.2-24]',
    (maximumPacketSize) => {
      const world = new World5({ receiveMax: 10, packetBytesMax: 1_000, topicAliasMax: 10 });
      const client = world.open().connect('c', { properties: { maximumPacketSize, sessionExpiryS: 3_600 } });
      client.turnedAway(0x95);
      expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(false);
    },
  );

  it('in which there is no room for CONNACK is a refusal as any other: it leaves no will, and the client that is there alone (3.2) [MQTT-3.1.4-6]', () => {
    const world = new World5({ receiveMax: 10, packetBytesMax: 1_000, topicAliasMax: 10 });
    const healthy = world.reader('c', 'a', 1, FOR_AN_HOUR);
    const will = { topic: 'will', payload: 'w', retain: true };
    const properties = { maximumPacketSize: 8, sessionExpiryS: 3_600 };
    world.open().connect('c', { clean: true, will, properties }).turnedAway(0x95);
    healthy.isWell();
    world.join('p').publish('a', 'still', { qos: 1 });
    expect(healthy.payloads()).toEqual(['still']);
    world.reader('late', 'will').hearsNothing();
  });

  it('leaves out of CONNACK only what may be left out [MQTT-3.2.2-19] [MQTT-3.2.2-20]', () => {
    const door = new Door({ outcome: 'accepted', userProperties: { long: 'x'.repeat(100) } });
    const world = new World5({ access: door, receiveMax: 10, packetBytesMax: 1_000, topicAliasMax: 10 });
    const client = world.join('', { properties: { maximumPacketSize: 60 } });
    const { properties } = client.connack;
    expect(properties).toMatchObject({ receiveMaximum: 10, maximumPacketSize: 1_000, topicAliasMaximum: 10 });
    expect(properties.assignedClientId).toBeDefined();
    expect(properties.userProperties).toBeUndefined();
  });
});
