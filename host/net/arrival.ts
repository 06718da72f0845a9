// A connection before its first byte of MQTT: what is known of it, and the time that it has to come so far.
import type { Socket } from 'node:net';
import type { Log, Millis } from '../ports.js';
import { TIMEOUT_MS_MAX } from './clock.js';
import type { MqttSocket } from './mqtt-socket.js';
import { plainAddress } from './peer.js';
import { readProxyHeader } from './proxy-protocol.js';

export class Arrival {
  /** The client's, of the PROXY protocol where there is one. */
  address: string | undefined;
  port: number | undefined;
  /** Once it speaks MQTT. */
  served: MqttSocket | undefined;
  private timeout: NodeJS.Timeout | undefined;

  constructor(
    readonly socket: Socket,
    private readonly log: Log,
  ) {
    this.address = socket.remoteAddress && plainAddress(socket.remoteAddress);
    this.port = socket.remotePort;
    socket.on('error', (error: NodeJS.ErrnoException) => this.failed(error));
  }

  /** The end, at once, unless `served` within so long. */
  limit(ms: Millis): void {
    this.timeout = setTimeout(() => this.refuse('too-slow'), Math.min(ms, TIMEOUT_MS_MAX));
    this.socket.on('close', () => clearTimeout(this.timeout));
  }

  serve(socket: MqttSocket): void {
    clearTimeout(this.timeout);
    this.served = socket;
  }

  /** The end, at once, for a reason that an operator may want to know. */
  refuse(why: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.socket.destroyed) return;
    this.log('info', 'connection-refused', { address: this.address, why, ...fields });
    this.socket.destroy();
  }

  failed({ code }: NodeJS.ErrnoException): void {
    this.log('debug', 'socket-error', { address: this.address, code });
  }

  /** Takes the PROXY header off the front of the stream. The socket is then paused, with what came behind it unread. */
  readProxyHeader(done: () => void): void {
    const { socket } = this;
    let held: Buffer = Buffer.alloc(0);
    const receive = (chunk: Buffer): void => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const header = readProxyHeader(held);
      if (header.state === 'partial') return;
      socket.off('data', receive);
      if (header.state === 'fault') {
        this.refuse('proxy-header', { fault: header.fault });
        return;
      }
      if (header.source !== undefined) {
        this.address = plainAddress(header.source.address);
        this.port = header.source.port;
      }
      socket.pause();
      if (held.length > header.bytes) socket.unshift(held.subarray(header.bytes));
      done();
    };
    socket.on('data', receive);
  }
}
