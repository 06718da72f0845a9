// A client of the load: a socket, and no more of MQTT than the load needs. All sockets read into one buffer.
import { connect as connectSocket, type Socket } from 'node:net';
import { CONNACK, connect, DISCONNECTED, PUBLISH, SUBACK, subscribe, TYPE } from './packets.js';
import { FrameScanner, type OnFrame } from './scanner.js';
import { HOST } from './settings.js';

const READ_BYTES = 64 * 1024;
const READ_BUFFER = Buffer.alloc(READ_BYTES);

/** Clients that are connected at the same time, unless a task asks for something else. */
export const CONNECTING_MAX = 50;
/** Nothing for so long: whatever is waited for does not come. */
export const SILENCE_MS_MAX = 5_000;

export interface Hears {
  readonly frame: OnFrame;
  /** All packets of one read have been given. */
  readonly readDone: () => void;
}

export class Client {
  private readonly scanner: FrameScanner;
  private hears: Hears | undefined;
  private answer: { readonly resolve: (packet: Buffer) => void; readonly reject: (error: Error) => void } | undefined;
  private isClosing = false;
  private isGone = false;

  private constructor(
    private readonly socket: Socket,
    private readonly clientId: string,
  ) {
    this.scanner = new FrameScanner((bytes, at, bodyAt, end) => {
      const { hears } = this;
      if (hears === undefined || this.answer !== undefined) this.answered(Buffer.from(bytes.subarray(at, end)));
      else hears.frame(bytes, at, bodyAt, end);
    });
  }

  /** Resolves when the broker has accepted the connection. */
  static open(port: number, clientId: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      let client: Client | undefined;
      const callback = (bytes: number, octets: Uint8Array): boolean => {
        client!.read(octets as Buffer, bytes);
        return true;
      };
      const socket = connectSocket({ host: HOST, port, noDelay: true, onread: { buffer: READ_BUFFER, callback } });
      client = new Client(socket, clientId);
      const own = client;
      socket.on('error', (error) => own.ended(error, reject));
      socket.on('close', () => own.ended(new Error('the broker has closed the connection'), reject));
      own
        .ask(connect(clientId), CONNACK, 'connection')
        .then((code) => {
          if (code === 0) resolve(own);
          else reject(new Error(`${clientId}: the broker refuses the connection with ${code}`));
        })
        .catch(reject);
    });
  }

  /** Rejects unless the broker grants just that QoS. */
  async subscribe(filter: string, qos: number): Promise<void> {
    const granted = await this.ask(subscribe(filter, qos), SUBACK, 'subscription');
    if (granted !== qos) throw new Error(`${this.clientId}: QoS ${granted} is granted, not ${qos}`);
  }

  /** Until the broker, or whatever lies between, has ended the connection. */
  get isOpen(): boolean {
    return !this.isGone;
  }

  listen(hears: Hears): void {
    this.hears = hears;
  }

  /** The octets must stay as they are until they are sent. */
  write(octets: Buffer): void {
    this.socket.write(octets);
  }

  /** DISCONNECT, and the end. Resolves when the socket is gone. */
  close(): Promise<void> {
    this.isClosing = true;
    return new Promise((resolve) => {
      this.socket.removeAllListeners('close').once('close', () => resolve());
      this.socket.end(DISCONNECTED);
    });
  }

  private read(octets: Buffer, bytes: number): void {
    this.scanner.scan(octets, bytes);
    this.hears?.readDone();
  }

  /** Sends something that has one answer, whose last octet says what became of it. */
  private async ask(request: Buffer, type: number, of: string): Promise<number> {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      this.answer = { resolve, reject };
      this.write(request);
    });
    if ((answer[0]! & TYPE) !== type) {
      throw new Error(`${this.clientId}: to its ${of}, the broker answers with packet type ${answer[0]! >> 4}`);
    }
    return answer.at(-1)!;
  }

  private answered(packet: Buffer): void {
    const { answer } = this;
    if (answer === undefined) {
      if ((packet[0]! & TYPE) === PUBLISH) throw new Error(`${this.clientId} is sent a message before it listens`);
      return;
    }
    this.answer = undefined;
    answer.resolve(packet);
  }

  private ended(error: Error, reject: (error: Error) => void): void {
    if (this.isClosing) return;
    this.isGone = true;
    const named = new Error(`${this.clientId}: ${error.message}`);
    reject(named);
    this.answer?.reject(named);
    this.answer = undefined;
    // In the middle of a run there is nobody to catch it: the run ends here.
    if (this.hears !== undefined) throw named;
  }
}

/** Does something for each index, so many at a time. */
export async function inParallel(
  count: number,
  atATime: number,
  action: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await action(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atATime, count) }, worker));
}

/** Connects clients whose names begin with the prefix. */
export async function openClients(port: number, prefix: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  await inParallel(count, CONNECTING_MAX, async (index) => {
    clients[index] = await Client.open(port, `${prefix}${index}`);
  });
  return clients;
}
