import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { answerOf, CONNACK, connectBytes, HOST, publishBytes, subscribeBytes, World } from './listeners-world.js';

const world = new World();
const PING = Buffer.of(0xc0, 0x00);
const PONG = Buffer.of(0xd0, 0x00);
const SUBACK = Buffer.of(0x90, 0x03, 0x00, 0x01, 0x00);

/** Everything that came, as soon as it is so many bytes. */
function bytesOf(webSocket: WebSocket, count: number): Promise<Buffer> {
  const messages: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    const take = (data: Buffer): void => {
      messages.push(data);
      bytes += data.length;
      if (bytes < count) return;
      webSocket.off('message', take);
      resolve(Buffer.concat(messages));
    };
    webSocket.on('message', take);
  });
}

const closeCodeOf = async (webSocket: WebSocket): Promise<number> => (await once(webSocket, 'close'))[0];

async function opened(path?: string, protocols?: readonly string[], options?: object): Promise<WebSocket> {
  const webSocket = world.webSocket(path, protocols, options);
  await once(webSocket, 'open');
  return webSocket;
}

/** The status that an upgrade is refused with. */
async function refusal(path?: string, protocols?: readonly string[], options?: object): Promise<number> {
  const webSocket = world.webSocket(path, protocols, options);
  const [, response] = await once(webSocket, 'unexpected-response');
  return response.statusCode;
}

describe('The upgrade to WebSocket', () => {
  it('happens on /mqtt, with any query, and nowhere else', async () => {
    await world.open({ kind: 'ws' });
    await opened('/mqtt');
    await opened('/mqtt?token=x');
    for (const path of ['/', '/mqtt/', '/mqtt/x', '/MQTT', '/other?/mqtt']) expect(await refusal(path), path).toBe(404);
    expect(world.peers.map(({ url }) => url)).toEqual(['/mqtt', '/mqtt?token=x']);
  });

  it('happens on another path where that is asked for', async () => {
    await world.open({ kind: 'ws', path: '/' });
    await opened('/');
    expect(await refusal('/mqtt')).toBe(404);
  });

  it.each([
    [['mqtt'], 'mqtt'],
    [['mqttv3.1'], 'mqttv3.1'],
    [['other', 'mqtt', 'mqttv3.1'], 'mqtt'],
  ])('takes of the subprotocols %o the first that is MQTT', async (offered, taken) => {
    await world.open({ kind: 'ws' });
    expect((await opened('/mqtt', offered)).protocol).toBe(taken);
  });

  it.each([[[]], [['other']], [['mqttv5']], [['xmqtt']]])('is refused with the subprotocols %o', async (offered) => {
    await world.open({ kind: 'ws' });
    expect(await refusal('/mqtt', offered)).toBe(400);
    expect(world.peers).toEqual([]);
  });

  it('compresses nothing, whatever the client offers', async () => {
    await world.open({ kind: 'ws' });
    expect((await opened('/mqtt', ['mqtt'], { perMessageDeflate: true })).extensions).toBe('');
  });

  it('is refused to pages from elsewhere, where that is asked for', async () => {
    await world.open({ kind: 'ws', origins: ['https://here.example'] });
    expect(await refusal('/mqtt', ['mqtt'], { origin: 'https://there.example' })).toBe(403);
    await opened('/mqtt', ['mqtt'], { origin: 'https://here.example' });
    await opened('/mqtt', ['mqtt']); // no page: a browser always says where from
  });

  it('is what a request without one hears of', async () => {
    await world.open({ kind: 'ws' });
    const get = async (path: string): Promise<number> => {
      const sent = request({ host: HOST, port: world.port, path }).end();
      const [response] = await once(sent, 'response');
      response.resume();
      return response.statusCode;
    };
    expect(await get('/mqtt')).toBe(426);
    expect(await get('/')).toBe(404);
  });

  it('has little time', async () => {
    await world.open({ kind: 'ws' }, { handshakeMsMax: 50 });
    const silent = await world.tcp();
    const slow = await world.tcp(Buffer.from('GET /mqtt HTTP/1.1\r\nHost: x\r\n'));
    expect(await Promise.all([answerOf(silent), answerOf(slow)])).toEqual([undefined, undefined]);
    expect(world.log.filter(({ why }) => why === 'too-slow')).toHaveLength(2);
  });

  it('has little room', async () => {
    await world.open({ kind: 'ws' }, { headBytesMax: 1_000 });
    expect(await refusal('/mqtt', ['mqtt'], { headers: { x: 'x'.repeat(1_000) } })).toBe(431);
    await opened('/mqtt', ['mqtt'], { headers: { x: 'x'.repeat(500) } });
  });

  it('gives no more time to a connection that has it behind it', async () => {
    await world.open({ kind: 'ws' }, { handshakeMsMax: 100 });
    const webSocket = await opened();
    await closeAfterOther();
    expect(webSocket.readyState).toBe(webSocket.OPEN);
  });

  /** Waits for a connection that came later to be out of time. */
  async function closeAfterOther(): Promise<void> {
    expect(await answerOf(await world.tcp())).toBeUndefined();
  }
});

describe('A WebSocket', () => {
  it('may cut packets at every place, and join them', async () => {
    await world.open({ kind: 'ws' });
    const bytes = Buffer.concat([connectBytes('c'), PING, PING]);
    const expected = Buffer.concat([CONNACK, PONG, PONG]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const webSocket = await opened();
      const answers = bytesOf(webSocket, expected.length);
      webSocket.send(bytes.subarray(0, cut));
      webSocket.send(bytes.subarray(cut));
      expect(await answers, `cut at ${cut}`).toEqual(expected);
    }
  });

  it('may send a message in fragments', async () => {
    await world.open({ kind: 'ws' });
    const webSocket = await opened();
    const answers = bytesOf(webSocket, CONNACK.length);
    for (const byte of connectBytes('c')) webSocket.send(Buffer.of(byte), { fin: false });
    webSocket.send(Buffer.alloc(0), { fin: true });
    expect(await answers).toEqual(CONNACK);
  });

  it('that sends text is closed with 1003, and its will is published', async () => {
    await world.open({ kind: 'ws' });
    const webSocket = await opened();
    const answers = bytesOf(webSocket, CONNACK.length);
    webSocket.send(connectBytes('c'));
    await answers;
    webSocket.send('text');
    expect(await closeCodeOf(webSocket)).toBe(1003);
    expect(world.broker.counters.connectionsNow).toBe(0);
  });

  it.each([
    ['anything but MQTT', Buffer.from('GET /'), 1002],
    ['a second CONNECT', Buffer.concat([connectBytes('c'), connectBytes('c')]), 1002],
    ['DISCONNECT', Buffer.concat([connectBytes('c'), Buffer.of(0xe0, 0x00)]), 1000],
  ])('that sends %s is closed with a code that says so', async (_, bytes, code) => {
    await world.open({ kind: 'ws' });
    const webSocket = await opened();
    webSocket.send(bytes);
    expect(await closeCodeOf(webSocket)).toBe(code);
  });

  it('that sends more in a message than may be is closed, and a packet of the largest size is not', async () => {
    const packetBytesMax = 2_000;
    await world.open({ kind: 'ws' }, { messageBytesMax: 1_000 }, { packetBytesMax });
    const largest = publishBytes('t', Buffer.alloc(packetBytesMax - 6));
    expect(largest).toHaveLength(packetBytesMax);
    const webSocket = await opened();
    webSocket.send(connectBytes('c'));
    await once(webSocket, 'message');
    webSocket.send(largest);
    webSocket.send(PING);
    await once(webSocket, 'message');
    webSocket.send(Buffer.concat([largest, PING]));
    expect(await closeCodeOf(webSocket)).toBe(1009);
    expect(world.broker.counters.connectionsNow).toBe(0);
  });

  it('hears 1001 when the listeners close', async () => {
    await world.open({ kind: 'ws' });
    const webSocket = await opened();
    const code = closeCodeOf(webSocket);
    await world.listeners.close();
    expect(await code).toBe(1001);
  });

  it('that does not answer the close is cut off', async () => {
    await world.open({ kind: 'ws' }, { closeGraceMs: 50 });
    const webSocket = await opened();
    webSocket.pause();
    webSocket.send(connectBytes('c'));
    webSocket.send(Buffer.of(0xe0, 0x00));
    await world.isEmpty();
  });

  it('that does not read is held, and gets everything when it reads', async () => {
    await world.open({ kind: 'ws' }, { writeBufferBytesMax: 2 ** 17 });
    const webSocket = await opened();
    const ready = bytesOf(webSocket, CONNACK.length + SUBACK.length);
    webSocket.send(Buffer.concat([connectBytes('slow'), subscribeBytes('t')]));
    await ready;
    webSocket.pause();
    const payload = Buffer.alloc(10_000, 1);
    const count = 2_000;
    const expected = count * publishBytes('t', payload).length;
    for (let i = 0; i < count; i++) world.broker.publish({ topic: 't', payload, qos: 0, retain: false }, 0);
    const all = bytesOf(webSocket, expected);
    webSocket.resume();
    expect(await all).toHaveLength(expected);
    expect(world.broker.counters.droppedSlow).toBe(0);
  });

  it('that does not read for too long is given up', async () => {
    await world.open({ kind: 'ws' }, { writeBufferBytesMax: 2 ** 17, stallMsMax: 50, closeGraceMs: 50 });
    const webSocket = await opened();
    const ready = bytesOf(webSocket, CONNACK.length + SUBACK.length);
    webSocket.send(Buffer.concat([connectBytes('slow'), subscribeBytes('t')]));
    await ready;
    webSocket.pause();
    const payload = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 200; i++) world.broker.publish({ topic: 't', payload, qos: 0, retain: false }, 0);
    await world.isEmpty();
    expect(world.broker.counters.connectionsNow).toBe(0);
  });
});
