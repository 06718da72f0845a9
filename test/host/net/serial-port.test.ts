// Pseudo terminals are made by `script`, whose own input and output are then the other end of the line.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openSerialPort, type SerialPort, type SerialPortOptions } from '../../../host/net/serial-port.js';
import { until } from '../../e2e/world.js';
import { describeWithTools, findTool } from '../../tools.js';

const RETRY_MS = 20;
/** Every octet there is: a line that changes one of them (CR, ^C, ^S …) is not raw. */
const ALL_OCTETS = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A line, and what has become of it. */
class Line {
  heard: Buffer = Buffer.alloc(0);
  readonly events: string[] = [];
  port!: SerialPort;

  static async open(name: string, options: Partial<SerialPortOptions> = {}): Promise<Line> {
    const line = new Line();
    line.port = await openSerialPort(name, {
      onOctets: (octets) => {
        line.heard = Buffer.concat([line.heard, octets]);
      },
      onUp: () => line.events.push('up'),
      onDown: (reason) => line.events.push(`down: ${reason}`),
      retryMs: RETRY_MS,
      ...options,
    });
    closers.push(() => line.port.close());
    return line;
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-serial-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A pseudo terminal: its path, and the process that holds its other end. */
async function pseudoTerminal(): Promise<{ path: string; program: ChildProcess; heard: () => Buffer }> {
  const program = spawn(findTool('script')!, ['-qfc', 'tty; sleep 600', '/dev/null'], { stdio: 'pipe' });
  closers.push(() => void program.kill('SIGKILL'));
  let said = Buffer.alloc(0);
  program.stdout!.on('data', (octets: Buffer) => {
    said = Buffer.concat([said, octets]);
  });
  const path = await until('the terminal', () => /^(\/dev\/\S+)\r\n/.exec(said.toString('latin1'))?.[1]);
  const start = said.length;
  return { path, program, heard: () => said.subarray(start) };
}

describeWithTools(['script'], 'a serial line on a pseudo terminal', () => {
  it('carries every octet both ways as it is', async () => {
    const { path, program, heard } = await pseudoTerminal();
    const line = await Line.open(path);
    expect(line.port.write(ALL_OCTETS)).toBe(true);
    await until('all octets there', () => heard().length === ALL_OCTETS.length);
    expect(heard()).toEqual(ALL_OCTETS);
    // `script` takes its own end of input, and nothing else, for a reason to say something of its own.
    program.stdin!.write(ALL_OCTETS);
    await until('all octets here', () => line.heard.length === ALL_OCTETS.length);
    expect(line.heard).toEqual(ALL_OCTETS);
  });

  it('is opened again after its device was unplugged, and says each once', async () => {
    const link = join(temporaryFolder(), 'ttyACM0');
    const first = await pseudoTerminal();
    symlinkSync(first.path, link);
    const line = await Line.open(link);
    unlinkSync(link);
    first.program.kill('SIGKILL');
    await until('the loss', () => line.events.length === 2);
    expect(line.port.write(Uint8Array.of(1))).toBe(false);
    const second = await pseudoTerminal();
    await new Promise((resolve) => setTimeout(resolve, 5 * RETRY_MS)); // several attempts that nobody is to hear of
    symlinkSync(second.path, link);
    await until('the return', () => line.events.length > 2);
    expect(line.events).toEqual(['up', expect.stringMatching(/^down: /), 'up']);
    line.port.write(Uint8Array.of(1, 2, 3));
    await until('octets', () => second.heard().length === 3);
  });

  it('leaves no file open when it is closed', async () => {
    const { path } = await pseudoTerminal();
    const count = (): number => readdirSync('/proc/self/fd').length;
    await (await Line.open(path)).port.close();
    const before = count();
    for (let i = 0; i < 5; i++) await (await Line.open(path)).port.close();
    await until('as many files as before', () => count() <= before);
  });

  it('refuses a speed that the device does not have', async () => {
    const { path } = await pseudoTerminal();
    await expect(Line.open(path, { baud: 12_345 })).rejects.toMatchObject({ code: 'ERR_SERIAL_SPEED' });
  });
});

describe('a serial line', () => {
  it.each(['tcp:', 'tcp:nowhere', 'tcp:host:0', 'listen:', 'listen:x', 'listen:70000'])(
    'is not named %s',
    async (name) => {
      await expect(Line.open(name)).rejects.toMatchObject({ code: 'ERR_SERIAL_NAME' });
    },
  );

  it('has to be there, has to be a serial device, and has to be permitted', async () => {
    const file = join(temporaryFolder(), 'file');
    await expect(Line.open(file)).rejects.toMatchObject({ code: 'ERR_SERIAL_PORT', message: /no such device/ });
    writeFileSync(file, '');
    await expect(Line.open(file)).rejects.toMatchObject({ code: 'ERR_SERIAL_PORT', message: /no serial device/ });
    chmodSync(file, 0);
    if (process.getuid?.() === 0) return; // whom no permission stops
    await expect(Line.open(file)).rejects.toMatchObject({ code: 'ERR_SERIAL_PORT', message: /dialout/ });
  });
});

describe('a serial line over TCP', () => {
  it('waits for who is to answer, and comes back after a loss', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const line = await Line.open(`tcp:127.0.0.1:${port}`);
    await until('a complaint', () => line.events.length > 0);
    server.listen(port, '127.0.0.1');
    closers.push(() => void server.close());
    await until('the connection', () => line.events.at(-1) === 'up');
    line.port.write(ALL_OCTETS);
    const [octets] = (await once(await until('a socket', () => sockets[0]), 'data')) as [Buffer];
    expect(octets).toEqual(ALL_OCTETS);
    sockets[0]!.destroy();
    await until('the return', () => line.events.length === 4);
    expect(line.events).toEqual([expect.stringMatching(/^down: .*ECONNREFUSED/), 'up', expect.any(String), 'up']);
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
    });
  });

  it('drops what it cannot pass on in time', async () => {
    const server = createServer((socket) => socket.pause()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => void server.close());
    const line = await Line.open(`tcp:127.0.0.1:${(server.address() as { port: number }).port}`);
    const chunk = new Uint8Array(65_536);
    await until('a refusal', () => !line.port.write(chunk));
  });

  it('listens for a board that connects, the last of which counts', async () => {
    const line = await Line.open('listen:0');
    expect(line.port.write(Uint8Array.of(1))).toBe(false);
    const first = connect(line.port.port!, '127.0.0.1').resume();
    first.on('error', () => {});
    await until('the first', () => line.events.length === 1);
    const second = connect(line.port.port!, '127.0.0.1');
    closers.push(() => void second.destroy());
    await until('the second', () => line.events.length === 2);
    await until('the end of the first', () => first.closed);
    second.write(ALL_OCTETS);
    await until('octets', () => line.heard.length === ALL_OCTETS.length);
    line.port.write(Uint8Array.of(7));
    expect([...((await once(second, 'data')) as [Buffer])[0]]).toEqual([7]);
    expect(line.events).toEqual(['up', 'up']);
    second.destroy();
    await until('the end', () => line.events.length === 3);
  });
});
