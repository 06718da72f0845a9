// The monitor of QEMU (QMP): a line of JSON to ask for something, a line back. The emulator connects to us, so that nobody
// has to try until a socket is there.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { FirmwareError } from '../error.js';

interface Reply {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

type Waiter = (reply: Reply | undefined) => void;

export class Monitor {
  private readonly waiting: Waiter[] = [];
  private socket: Socket | undefined;
  private text = '';
  private isOver = false;

  private constructor(private readonly server: Server) {}

  /** Listens at `path`, for one emulator. */
  static async listen(path: string): Promise<Monitor> {
    const server = createServer();
    const monitor = new Monitor(server);
    server.once('connection', (socket) => monitor.take(socket));
    server.listen(path);
    await once(server, 'listening');
    return monitor;
  }

  /** Waits for the emulator's greeting. Rejects with ERR_EMULATOR where it ends before. */
  async ready(): Promise<void> {
    await this.reply('the emulator ended before it was ready');
    await this.execute('qmp_capabilities');
  }

  /** Rejects with ERR_EMULATOR where the emulator refuses, or ends before it has answered. */
  async execute(command: string): Promise<void> {
    this.socket?.write(`${JSON.stringify({ execute: command })}\n`);
    const { error } = await this.reply(`the emulator ended during ${command}`);
    if (error !== undefined) throw new FirmwareError('ERR_EMULATOR', `${command}: ${error.desc}`);
  }

  /** Nobody will answer any more. */
  close(): void {
    this.isOver = true;
    this.server.close();
    this.socket?.destroy();
    for (const wake of this.waiting.splice(0)) wake(undefined);
  }

  private take(socket: Socket): void {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.read(text));
    socket.on('error', () => {}); // it has ended: whoever started it hears of that
  }

  private read(text: string): void {
    const lines = (this.text + text).split('\n');
    this.text = lines.pop()!;
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      // The rest are events that nobody has asked for.
      if ('QMP' in reply || 'return' in reply || 'error' in reply) this.waiting.shift()?.(reply);
    }
  }

  private async reply(otherwise: string): Promise<Reply> {
    const reply = this.isOver ? undefined : await new Promise<Reply | undefined>((wake) => this.waiting.push(wake));
    if (reply === undefined) throw new FirmwareError('ERR_EMULATOR', otherwise);
    return reply;
  }
}
