// MQTT 5.0, sections 3.14, 3.15, 4.11 to 4.13: authentication that goes on, authentication again, and the end of a connection.
import { describe, expect, it } from 'vitest';
import type { Answer, ConnectRequest, Verdict } from '../../host/broker/access.js';
import { JournalState } from '../../host/broker/journal-state.js';
import { MemoryJournal } from '../../host/core/memory-journal.js';
import { ACCEPTED, allowing, Door, refused, utf8Of } from './mqtt-5.0-access.js';
import { type Client5, FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { auth, bytes, type ConnectIn, connect, disconnect, PINGREQ, packet, publish } from './mqtt-5.0-wire.js';

const METHOD = 'SCRAM-TEST';
const CONTINUE = 0x18;
const AGAIN = 0x19;
/** Of a world: no time passes between question and answer. */
const BEGINNING_MS = 1_000;
const withMethod = (authenticationData?: string): ConnectIn => ({
  properties: { authenticationMethod: METHOD, ...(authenticationData !== undefined && { authenticationData }) },
});
const data = (text: string): Uint8Array => Buffer.from(text);
const answer = (authenticationData: string): Uint8Array =>
  auth(CONTINUE, { authenticationMethod: METHOD, authenticationData });

/** Asks `questions` one after another, takes any answer, notes them, and then says `end`. */
function examiner(questions: readonly string[], end: Verdict): { door: Door; answers: string[] } {
  const answers: string[] = [];
  const ask = (left: readonly string[]): Verdict => {
    const [question, ...rest] = left;
    if (question === undefined) return end;
    return {
      outcome: 'continue',
      authenticationData: data(question),
      next(given: Uint8Array | undefined, say: Answer): void {
        answers.push(utf8Of(given));
        say(ask(rest), BEGINNING_MS);
      },
    };
  };
  const door = new Door((request: ConnectRequest) => {
    answers.push(utf8Of(request.packet.properties?.authenticationData));
    return ask(questions);
  });
  return { door, answers };
}

describe('enhanced authentication', () => {
  it('goes AUTH by AUTH until CONNACK, all of one method [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1]', () => {
    const { door, answers } = examiner(['q1', 'q2'], { outcome: 'accepted', authenticationData: data('bye') });
    const world = new World5({ access: door });
    const client = world.open().connect('c', withMethod('hello'));
    for (const question of ['q1', 'q2']) {
      expect(client.take()).toEqual([
        expect.objectContaining({
          type: 'auth',
          reason: CONTINUE,
          properties: { authenticationMethod: METHOD, authenticationData: question },
        }),
      ]);
      client.say(answer(`to ${question}`));
    }
    const { properties } = client.accepted().connack;
    expect(properties).toMatchObject({ authenticationMethod: METHOD, authenticationData: 'bye' });
    expect(answers).toEqual(['hello', 'to q1', 'to q2']);
    client.isWell();
  });

  it('that is over at once names its method in CONNACK [MQTT-4.12.0-5]', () => {
    const client = new World5({ access: new Door(ACCEPTED) }).join('c', withMethod());
    expect(client.connack.properties.authenticationMethod).toBe(METHOD);
  });

  it('of a method that nobody knows is refused [MQTT-4.12.0-1]', () => {
    new World5().open().connect('c', withMethod()).refused(0x8c, 0x87);
    new World5({ access: new Door(refused(0x8c)) }).open().connect('c', withMethod()).refused(0x8c);
  });

  it.each([0x87, 0x86, 0x80])('may be refused at any point: %i [MQTT-4.12.0-4] [MQTT-4.13.2-1]', (reason) => {
    const { door } = examiner(['q1'], refused(reason));
    const client = new World5({ access: door }).open().connect('c', withMethod());
    client.next('auth');
    client.say(answer('wrong')).refused(reason);
  });

  it('is one thing with one method: an AUTH of another, or of none, ends it [MQTT-4.12.0-5]', () => {
    for (const properties of [{ authenticationMethod: 'other' }, {}]) {
      const { door } = examiner(['q1'], ACCEPTED);
      const client = new World5({ access: door }).open().connect('c', withMethod());
      client.next('auth');
      client.say(auth(CONTINUE, properties)).turnedAway(0x81, 0x82, 0x87, 0x8c);
    }
  });

  it.each([0x00, AGAIN, 0x80, 0x01])('is continued by Continue only, not by %i [MQTT-4.12.0-3]', (reason) => {
    const { door, answers } = examiner(['q1'], ACCEPTED);
    const client = new World5({ access: door }).open().connect('c', withMethod());
    client.next('auth');
    client.say(auth(reason, { authenticationMethod: METHOD, authenticationData: 'a' })).turnedAway(0x81, 0x82, 0x87);
    expect(answers).toEqual(['']);
  });

  it('keeps everything else out until it is over [MQTT-3.1.4-6] [MQTT-3.2.0-1]', () => {
    const { door } = examiner(['q1'], refused(0x87));
    const world = new World5({ access: door });
    const client = world.open();
    client.say(connect('c', withMethod()), publish('t', 'x', { retain: true }));
    client.say(answer('wrong'));
    expect(client.take().filter(({ type }) => type !== 'auth' && type !== 'connack')).toEqual([]);
    expect(client.isClosed).toBe(true);
    door.verdict = ACCEPTED;
    world.reader('late', '#').hearsNothing();
  });

  it('may be broken off by the client, whose will is then nobody’s [MQTT-3.1.2-7]', () => {
    for (const end of ['disconnect', 'drop'] as const) {
      const { door } = examiner(['q1'], ACCEPTED);
      const world = new World5({ access: door });
      const client = world
        .open()
        .connect('c', { ...withMethod(), will: { topic: 'will', payload: 'w', retain: true } });
      client.next('auth');
      if (end === 'drop') client.drop();
      else client.say(disconnect(0x04));
      door.verdict = ACCEPTED;
      world.reader('late', '#').hearsNothing();
    }
  });

  it('has to come to its end in time (4.12)', () => {
    const { door } = examiner(['q1', 'q2'], ACCEPTED);
    const world = new World5({ access: door, connectTimeoutMs: 5_000 });
    const client = world.open().connect('c', withMethod());
    client.next('auth');
    world.pass(4_999);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    client.take();
    expect(client.isClosed).toBe(true);
  });

  it('of a client that is connected already does not disturb it before the end [MQTT-3.1.4-3]', () => {
    const { door } = examiner(['q1'], refused(0x87));
    const world = new World5({
      access: new Door((request) => {
        if (request.packet.properties?.authenticationMethod === undefined) return ACCEPTED;
        return (door.verdict as (r: ConnectRequest) => Verdict)(request);
      }),
    });
    const first = world.join('c');
    const second = world.open().connect('c', withMethod());
    second.next('auth');
    first.isWell();
    second.say(answer('wrong')).refused(0x87);
    first.isWell();
  });

  it('is never offered by the broker to those who did not begin it [MQTT-4.12.0-6]', () => {
    const { door } = examiner(['q1'], ACCEPTED);
    const client = new World5({ access: door }).open().connect('c');
    const packets = client.take();
    expect(packets.filter(({ type }) => type === 'auth')).toEqual([]);
    for (const { properties } of packets) expect(properties.authenticationMethod).toBeUndefined();
  });

  it('has no AUTH that is too large for the client for the sake of its user properties [MQTT-3.15.2-2] [MQTT-3.15.2-3]', () => {
    const userProperties = { hint: 'a rather long hint for the client' };
    const world = new World5({ access: new Door({ outcome: 'accepted', userProperties }) });
    const client = world.join('c', { properties: { authenticationMethod: METHOD, maximumPacketSize: 50 } });
    client.say(auth(AGAIN, { authenticationMethod: METHOD }));
    expect(client.next('auth')).toMatchObject({ reason: 0, properties: { authenticationMethod: METHOD } });
  });
});

describe('authentication again', () => {
  function connected(end: Verdict, questions: readonly string[] = []): { world: World5; client: Client5; door: Door } {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const client = world.join('c', { properties: { authenticationMethod: METHOD, sessionExpiryS: 60 } });
    door.verdict = examiner(questions, end).door.verdict;
    return { world, client, door };
  }
  const again = (authenticationData = ''): Uint8Array =>
    auth(AGAIN, { authenticationMethod: METHOD, authenticationData });

  it('succeeds with AUTH of Success and the same method [MQTT-4.12.1-1] [MQTT-4.12.0-5] [MQTT-3.15.2-1]', () => {
    const { client, door } = connected({ outcome: 'accepted', authenticationData: data('fine') });
    client.say(again('token'));
    expect(client.next('auth')).toMatchObject({
      reason: 0,
      properties: { authenticationMethod: METHOD, authenticationData: 'fine' },
    });
    expect(door.requests[1]).toMatchObject({ why: 'reauthenticate', clientId: 'c' });
    expect(utf8Of(door.requests[1]?.packet.properties?.authenticationData)).toBe('token');
    client.isWell();
  });

  it('may take several steps, while messages flow [MQTT-4.12.1-1] [MQTT-4.12.0-2]', () => {
    const { client } = connected(ACCEPTED, ['q1']);
    client.subscribe({ filter: 't' });
    client.say(again());
    expect(client.next('auth')).toMatchObject({ reason: CONTINUE, properties: { authenticationData: 'q1' } });
    client.publish('t', 'meanwhile');
    expect(client.message().payload).toBe('meanwhile');
    client.say(answer('a1'));
    expect(client.next('auth').reason).toBe(0);
    client.isWell();
  });

  it('that fails ends the connection, will and all [MQTT-4.12.1-2]', () => {
    const door = new Door(ACCEPTED);
    const world = new World5({ access: door });
    const watcher = world.reader('watcher', 'will');
    const client = world.join('c', { ...withMethod(), will: { topic: 'will', payload: 'w' } });
    door.verdict = refused(0x87);
    client.say(again()).ended(0x87);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('that fails after steps ends the connection [MQTT-4.12.1-2]', () => {
    const { client } = connected(refused(0x87), ['q1']);
    client.say(again());
    client.next('auth');
    client.say(answer('wrong')).ended(0x87);
  });

  it.each([0x84, 0x85, 0x86, 0x88, 0x8a, 0x8c])(
    'that fails with a reason DISCONNECT does not have ends it as Not authorized: %i [MQTT-3.14.2-1]',
    (reason) => {
      const { client } = connected(refused(reason));
      client.say(again()).ended(0x87);
    },
  );

  it('of another method, or of none, is a protocol error [MQTT-4.12.1-1] [MQTT-4.12.0-5]', () => {
    for (const properties of [{ authenticationMethod: 'other' }, {}]) {
      const { client, door } = connected(ACCEPTED);
      client.say(auth(AGAIN, properties)).ended(0x82, 0x81, 0x87);
      expect(door.requests.length).toBe(1);
    }
  });

  it('is not for a client that began without a method [MQTT-4.12.0-7] [MQTT-4.12.0-6]', () => {
    const door = new Door(ACCEPTED);
    const client = new World5({ access: door }).join('c');
    client.say(again()).ended(0x82);
    expect(door.requests.length).toBe(1);
  });

  it.each([
    ['Continue, where nothing was asked', answer('a')],
    ['Success, which only servers say', auth(0x00, { authenticationMethod: METHOD })],
    ['nothing, which is Success', packet(0xf0)],
    ['a reason that there is not', auth(0x01, { authenticationMethod: METHOD })],
  ])('begins with Re-authenticate, not with %s (3.15.2.1)', (_, wrong) => {
    const { client } = connected(ACCEPTED);
    client.say(wrong).ended(0x82, 0x81);
  });

  it('may change what the client is allowed (4.12.1)', () => {
    const { client } = connected(allowing({ publish: () => false }));
    expect(client.publish('t', '', { qos: 1 })).toBeLessThan(0x80);
    client.say(again());
    client.next('auth');
    expect(client.publish('t', '', { qos: 1 })).toBe(0x87);
  });

  it('that is answered after the client has gone does nothing (4.12.1)', () => {
    const { world, client, door } = connected(ACCEPTED);
    door.verdict = 'later';
    client.say(again());
    client.drop();
    door.waiting[0]!(refused(0x87), world.now);
    door.verdict = ACCEPTED;
    expect(world.join('c', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
  });
});

describe('access', () => {
  it('may end a connection after a time (4.13)', () => {
    const world = new World5({ access: new Door({ outcome: 'accepted', disconnectAfterMs: 60_000 }) });
    const client = world.join('c');
    world.pass(59_999);
    client.hearsNothing();
    world.pass(1);
    client.ended(0xa0);
  });

  it('is asked again when its answer has grown old, and may end the connection then (4.13)', () => {
    const door = new Door({ outcome: 'accepted', refreshAfterMs: 10_000 });
    const world = new World5({ access: door });
    const client = world.join('c');
    world.pass(10_000);
    expect(door.requests.map(({ why }) => why)).toEqual(['connect', 'refresh']);
    client.isWell();
    door.verdict = refused(0x87);
    world.pass(10_000);
    client.ended(0x87);
  });

  it('may send a client that is connected to another server (4.11)', () => {
    const door = new Door({ outcome: 'accepted', refreshAfterMs: 10_000 });
    const world = new World5({ access: door });
    const client = world.join('c');
    door.verdict = refused(0x9d, { serverReference: 'new.example' });
    world.pass(10_000);
    expect(client.ended(0x9d).properties.serverReference).toBe('new.example');
  });

  it('keeps back messages that the client may not receive (4.13)', () => {
    const world = new World5({ access: new Door(allowing({ receive: (topic) => topic !== 'secret' })) });
    world.join('p').publish('secret', 'kept', { retain: true });
    const client = world.reader('c', '#', 1, FOR_AN_HOUR);
    const publisher = world.join('q');
    for (const topic of ['secret', 'open']) publisher.publish(topic, topic, { qos: 1 });
    expect(client.payloads()).toEqual(['open']);
    client.drop();
    for (const topic of ['secret', 'open']) publisher.publish(topic, `${topic} later`, { qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(['open later']);
  });
});

describe('DISCONNECT', () => {
  it('of the client is followed by the close, without an answer [MQTT-3.14.4-2]', () => {
    for (const say of [disconnect(), disconnect(0), disconnect(0, {}), disconnect(0, { reasonString: 'bye' })]) {
      const client = new World5().join('c');
      client.say(say).isOver();
    }
  });

  it('of the client is the last that counts [MQTT-3.14.4-1]', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    const client = world.join('c');
    client.say(publish('t', 'before'), disconnect(), publish('t', 'behind'), PINGREQ);
    client.isOver();
    expect(other.payloads()).toEqual(['before']);
  });

  it('of the broker is the last word, and the connection is closed [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.2-1]', () => {
    const world = new World5();
    const client = world.reader('c', 't');
    client.say(bytes('30 00'), PINGREQ);
    client.ended(0x81);
    world.join('p').publish('t', 'x');
    client.isOver();
  });

  it('of the broker carries no session expiry interval [MQTT-3.14.2-2]', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    world.join('c', FOR_AN_HOUR);
    expect(client.ended(0x8e).properties.sessionExpiryS).toBeUndefined();
  });

  it('tells a client that the host has ended its connection, whose will is published [MQTT-3.14.2-1]', () => {
    const world = new World5();
    const watcher = world.reader('watcher', 'will');
    const client = world.join('c', { will: { topic: 'will', payload: 'w' } });
    expect(world.broker.disconnect('c', world.now)).toBe(true);
    client.ended(0x98);
    expect(watcher.payloads()).toEqual(['w']);
    expect(world.broker.disconnect('c', world.now)).toBe(false);
  });

  it('tells each client that the broker ends [MQTT-3.14.2-1]', () => {
    const world = new World5();
    const clients = [world.join('a'), world.join('b', FOR_AN_HOUR)];
    world.broker.stop(world.now);
    for (const client of clients) client.ended(0x8b);
  });

  it('is not what a connection hears whose CONNACK still waits for the disk [MQTT-3.14.0-1]', () => {
    const journal = new MemoryJournal();
    const world = new World5({}, { durable: new JournalState(journal, 0) });
    world.broker.restore(world.now);
    journal.flush(world.now);
    const client = world.open().connect('c', FOR_AN_HOUR);
    client.hearsNothing();
    client.say(connect('c')).isOver();
    const second = world.open().connect('d', FOR_AN_HOUR);
    journal.flush(world.now);
    second.accepted().isWell();
    client.isOver();
  });

  it('is not what a connection hears that comes when the broker has ended [MQTT-3.14.0-1]', () => {
    const world = new World5();
    world.broker.stop(world.now);
    const client = world.open();
    if (!client.isClosed) client.connect('c');
    client.turnedAway(0x88, 0x89);
  });
});
