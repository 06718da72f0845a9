// A serial line: octets both ways, over a device or pseudo terminal, a TCP connection, or whoever connects to a TCP port. A
// line that was there once and is interrupted (a cable pulled, a board without power) is opened again as soon as it can be.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { listening } from './listen-error.js';
import { parseAddress } from './udp.js';

/** What is wrong with the line that was named. */
export type SerialErrorCode =
  /** Not of the form PATH, tcp:HOST:PORT or listen:PORT. */
  | 'ERR_SERIAL_NAME'
  /** No such device, no permission for it, or no serial device at all. */
  | 'ERR_SERIAL_PORT'
  /** The device does not do this speed. */
  | 'ERR_SERIAL_SPEED';

export class SerialError extends Error {
  override readonly name = 'SerialError';

  constructor(
    readonly code: SerialErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface SerialPortOptions {
  /** Bits per second of a device; default 115200. */
  readonly baud?: number;
  /** Octets that have come; valid only during the call. */
  readonly onOctets: (octets: Uint8Array) => void;
  /** The line is there, for the first time or again. */
  readonly onUp?: () => void;
  /** The line is gone, or was not there to begin with: said once, and not with each attempt to open it. */
  readonly onDown?: (reason: string) => void;
  /** Between two attempts to open the line, ms; default 1000. */
  readonly retryMs?: number;
}

export interface SerialPort {
  /** Where it listens, of `listen:` only. */
  readonly port?: number;
  /** Passes octets on. False where they are dropped: the line is gone, or slower than what is to go over it. */
  write(octets: Uint8Array): boolean;
  close(): Promise<void>;
}

export const BAUD_DEFAULT = 115_200;
const RETRY_MS_DEFAULT = 1_000;
/** Of what waits for the line: more would only arrive when nobody waits for it any more. */
const BACKLOG_BYTES_MAX = 16_384;
/** Where `listen:PORT` listens: a line has no passwords, so only for this machine. */
const LISTEN_HOST = '127.0.0.1';

/**
 * Opens `name`: the path of a device or pseudo terminal, `tcp:HOST:PORT`, or `listen:PORT` (0: any free one). Rejects with
 * SerialError or TcpListenError where it cannot be had; where nobody answers at `tcp:` yet, it is tried again and again.
 */
export async function openSerialPort(name: string, options: SerialPortOptions): Promise<SerialPort> {
  if (/^\w+:\/\//.test(name)) throw new SerialError('ERR_SERIAL_NAME', `${name}: no URL, but ${FORM}`);
  const [, scheme, rest = ''] = /^(tcp|listen):(.*)$/.exec(name) ?? [];
  if (scheme === 'listen') return openListener(portOf(name, rest), options);
  const line = new ReopeningLine(options, scheme === 'tcp' ? tcpOpener(name, rest) : deviceOpener(name, options));
  await line.open(scheme === 'tcp');
  return line;
}

const FORM = 'the path of a serial device, tcp:HOST:PORT, or listen:PORT';

function portOf(name: string, text: string): number {
  const { port } = parseAddress(`localhost:${text}`) ?? {};
  if (port === undefined) throw new SerialError('ERR_SERIAL_NAME', `${name}: listen:PORT, with a port from 0 to 65535`);
  return port;
}

/** One attempt. Resolves with a stream that is open. */
type Opener = () => Promise<Socket>;

function tcpOpener(name: string, address: string): Opener {
  const { host, port } = parseAddress(address) ?? { host: '', port: 0 };
  if (port === 0) throw new SerialError('ERR_SERIAL_NAME', `${name}: ${FORM}`);
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
}

function deviceOpener(path: string, { baud = BAUD_DEFAULT }: SerialPortOptions): Opener {
  return async () => {
    const file = await open(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK).catch(
      (error: NodeJS.ErrnoException) => {
        throw new SerialError('ERR_SERIAL_PORT', `${path}: ${reasonOf(error)}`, { cause: error });
      },
    );
    try {
      if (!isatty(file.fd)) throw new SerialError('ERR_SERIAL_PORT', `${path} is no serial device`);
      await makeRaw(file, path, baud);
      // A terminal's stream opens the device anew, for itself, and reads and writes without blocking.
      return new ReadStream(file.fd);
    } finally {
      await file.close();
    }
  };
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such device; those that are plugged in are /dev/ttyACM* and /dev/ttyUSB*';
  if (code === 'EACCES')
    return 'no permission; who is in the group dialout has it: `sudo usermod -aG dialout $USER`, then log in anew';
  if (code === 'EBUSY') return 'another program has it';
  if (code === 'EISDIR') return 'that is a folder';
  return message;
}

/** Octets as they are, at this speed, and no modem to wait for: what `stty` of coreutils does for any Unix. */
async function makeRaw(file: FileHandle, path: string, baud: number): Promise<void> {
  const modes = ['raw', '-echo', 'cs8', '-parenb', '-cstopb', '-crtscts', 'clocal', `${baud}`];
  const said = await new Promise<string>((resolve, reject) => {
    let text = '';
    const child = spawn('stty', modes, { stdio: [file.fd, 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.on('error', (error) => {
      reject(new SerialError('ERR_SERIAL_PORT', `${path}: stty cannot be run: ${error.message}`, { cause: error }));
    });
    child.on('close', (status) => resolve(status === 0 ? '' : text.trim() || `stty ended with ${status}`));
  });
  if (said === '') return;
  if (said.includes(`${baud}`)) {
    throw new SerialError('ERR_SERIAL_SPEED', `${path}: no speed of ${baud} baud; usual are 9600, 57600 and 115200`);
  }
  throw new SerialError('ERR_SERIAL_PORT', `${path}: ${said}`);
}

/** The stream of the moment. */
class Carrier {
  protected stream: Socket | undefined;

  constructor(protected readonly options: SerialPortOptions) {}

  write(octets: Uint8Array): boolean {
    const { stream } = this;
    if (stream === undefined || stream.writableLength > BACKLOG_BYTES_MAX) return false;
    stream.write(octets);
    return true;
  }

  protected carry(stream: Socket, ended: (reason: string) => void): void {
    let reason = 'the other end has gone';
    this.stream = stream;
    stream.on('data', (octets) => this.options.onOctets(octets as unknown as Uint8Array));
    stream.on('error', (error) => {
      reason = error.message;
    });
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      if (this.stream !== stream) return;
      this.stream = undefined;
      ended(reason);
    });
    this.options.onUp?.();
  }

  protected drop(): void {
    const { stream } = this;
    this.stream = undefined;
    stream?.destroy();
  }
}

/** A line that this end opens, again and again. */
class ReopeningLine extends Carrier implements SerialPort {
  private timeout: NodeJS.Timeout | undefined;
  private isClosed = false;
  private hasComplained = false;

  constructor(
    options: SerialPortOptions,
    private readonly attempt: Opener,
  ) {
    super(options);
  }

  /** `patiently`: where it fails, it is tried again, and nothing is thrown. */
  async open(patiently: boolean): Promise<void> {
    try {
      const stream = await this.attempt();
      if (this.isClosed) stream.destroy();
      else this.begin(stream);
    } catch (error) {
      if (!patiently) throw error;
      this.again((error as Error).message);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timeout);
    this.drop();
  }

  private begin(stream: Socket): void {
    this.hasComplained = false;
    this.carry(stream, (reason) => this.again(reason));
  }

  private again(reason: string): void {
    if (this.isClosed) return;
    if (!this.hasComplained) this.options.onDown?.(reason);
    this.hasComplained = true;
    this.timeout = setTimeout(() => void this.open(true), this.options.retryMs ?? RETRY_MS_DEFAULT);
  }
}

/** A line that others open: the last who has come is the board. */
class ListeningLine extends Carrier implements SerialPort {
  private isClosed = false;

  constructor(
    options: SerialPortOptions,
    private readonly server: Server,
  ) {
    super(options);
    server.on('connection', (socket) => {
      this.drop();
      socket.setNoDelay(true);
      this.carry(socket, (reason) => {
        if (!this.isClosed) options.onDown?.(reason);
      });
    });
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  close(): Promise<void> {
    this.isClosed = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.drop();
    return closed;
  }
}

async function openListener(port: number, options: SerialPortOptions): Promise<SerialPort> {
  const server = createServer();
  const line = new ListeningLine(options, server);
  await listening(server, LISTEN_HOST, port);
  return line;
}
