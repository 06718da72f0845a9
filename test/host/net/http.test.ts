import { once } from 'node:events';
import { get, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listenMetrics, type MetricsLimits, type MetricsListener } from '../../../host/net/http.js';

const HOST = '127.0.0.1';
const TEXT = '# HELP a ü\n# TYPE a gauge\na 1\n';
/** Far beyond what a test may take. */
const NEVER_MS = 600_000;

const listeners: MetricsListener[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});

async function listen(limits: Partial<MetricsLimits> = {}, collect = () => TEXT): Promise<MetricsListener> {
  const listener = await listenMetrics({ host: HOST, port: 0, collect, limits });
  listeners.push(listener);
  return listener;
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

async function ask(port: number, path: string, method = 'GET', body = ''): Promise<Answer> {
  const asked = request({ host: HOST, port, path, method, agent: false }).end(body);
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode!, headers: response.headers, body: text };
}

/** A bare connection, and everything that came over it until it ended. */
async function open(port: number): Promise<{ socket: Socket; all: Promise<string> }> {
  const socket = connect(port, HOST);
  sockets.push(socket);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {}); // a reset is an end too
  const all = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await once(socket, 'connect');
  return { socket, all };
}

describe('the page of metrics', () => {
  it('is at /metrics, made anew for each request', async () => {
    let scrapes = 0;
    const { port } = await listen({}, () => `a ${++scrapes}\n`);
    const first = await ask(port, '/metrics');
    expect(first).toMatchObject({ status: 200, body: 'a 1\n' });
    expect(first.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect((await ask(port, '/metrics?name=x')).body).toBe('a 2\n');
  });

  it('says how long it is in octets', async () => {
    const { port } = await listen();
    const { headers, body } = await ask(port, '/metrics');
    expect(body).toBe(TEXT);
    expect(Number(headers['content-length'])).toBe(Buffer.byteLength(TEXT));
  });

  it.each(['/', '/metrics/', '/Metrics', '/metrics/x', '//metrics', '/%6detrics', '*'])(
    'is not at %s',
    async (path) => {
      const { port } = await listen();
      expect((await ask(port, path)).status).toBe(404);
      expect((await ask(port, path, 'POST')).status).toBe(404);
    },
  );

  it.each(['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])('is only read: %s is refused', async (method) => {
    const { port } = await listen();
    const { status, headers, body } = await ask(port, '/metrics', method, method === 'HEAD' ? '' : 'x'.repeat(100_000));
    expect(status).toBe(405);
    expect(headers.allow).toBe('GET');
    expect(body).not.toContain('# TYPE');
  });

  it('is refused to what is no HTTP, or has a head beyond the limit', async () => {
    const { port } = await listen({ headBytesMax: 1_000 });
    const nonsense = await open(port);
    nonsense.socket.write('nonsense\r\n\r\n');
    expect(await nonsense.all).toMatch(/^HTTP\/1\.1 400 /);
    const long = await open(port);
    long.socket.write(`GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(2_000)}\r\n\r\n`);
    expect(await long.all).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('cannot be had where another program listens', async () => {
    const { port } = await listen();
    const refusal = listenMetrics({ host: HOST, port, collect: () => '' });
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_TCP_LISTEN' });
  });
});

describe('who asks slowly', () => {
  it.each([
    ['says nothing', ''],
    ['says half a request', 'GET /metrics HTTP/1.1\r\nhost:'],
    ['promises a body that never comes', 'POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n'],
  ])('and %s is cut off', async (_what, begun) => {
    const { port } = await listen({ timeoutMs: 100 });
    const { socket, all } = await open(port);
    socket.write(begun);
    expect(await all).not.toContain(TEXT);
  });

  it('and adds an octet now and then is cut off too', async () => {
    const { port } = await listen({ timeoutMs: 200 });
    const { socket, all } = await open(port);
    socket.write('GET /metrics HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('a'), 20);
    expect(await all).not.toContain(TEXT);
    clearInterval(drip);
  });

  it('and asks and does not read is cut off, and then others have its place', { timeout: 20_000 }, async () => {
    const page = 'a 1\n'.repeat(5_000_000); // more than the system buffers
    const { port } = await listen({ timeoutMs: 200, connectionsMax: 1 }, () => page);
    const slow = await open(port);
    slow.socket.pause();
    slow.socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
    const next = (): Promise<number> =>
      ask(port, '/')
        .then(({ status }) => status)
        .catch(next);
    expect(await next()).toBe(404);
    slow.socket.resume();
    expect((await slow.all).length).toBeLessThan(page.length);
  });

  it('leaves room for others, up to so many, and is not in the way of the end', async () => {
    const { port } = await listen({ timeoutMs: NEVER_MS, connectionsMax: 3 });
    const held = [await open(port), await open(port)];
    for (const { socket } of held) socket.write('GET /metrics HTTP/1.1\r\n');
    expect((await ask(port, '/metrics')).status).toBe(200);
    held.push(await open(port));
    const refused = await open(port);
    expect(await refused.all).toBe('');
    await listeners.pop()!.close();
    for (const { all } of held) expect(await all).toBe('');
    const after = get({ host: HOST, port, path: '/metrics', agent: false });
    const [error] = (await once(after, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});
