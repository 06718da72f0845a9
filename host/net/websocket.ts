// MQTT over WebSocket (section 6): the upgrade of HTTP on one path, and then frames. What a frame holds is bytes of the
// stream: part of a packet, one, or several [MQTT-6.0.0-2].
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { CloseReason } from '../broker/errors.js';
import type { Channel, ChannelEvents } from './channel.js';

export interface WebSocketOptions {
  /** The only path that is upgraded; a query may follow. */
  readonly path: string;
  /** The `Origin`s that may come, as browsers send it; undefined: all. One that sends none is no browser, and may. */
  readonly origins: readonly string[] | undefined;
  /** The largest head of the upgrade, bytes. */
  readonly headBytesMax: number;
  /** The largest message, in any number of frames, bytes. */
  readonly messageBytesMax: number;
}

/** [MQTT-6.0.0-3], and that of MQTT 3.1. */
const SUBPROTOCOLS: readonly string[] = ['mqtt', 'mqttv3.1'];

/** RFC 6455, 7.4.1. */
enum CloseCode {
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  UnsupportedData = 1003,
  PolicyViolation = 1008,
}

const CLOSE_CODES: Readonly<Record<string, CloseCode>> = {
  stopped: CloseCode.GoingAway,
  left: CloseCode.GoingAway,
  malformed: CloseCode.ProtocolError,
  violation: CloseCode.ProtocolError,
  refused: CloseCode.PolicyViolation,
  'not-authorized': CloseCode.PolicyViolation,
};

/** What a WebSocket began with. */
export interface Upgrade {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Upgrades sockets that are given to it. It has no time limits: whoever gives the sockets has. */
export class WebSocketDoor {
  private readonly http: Server;
  private readonly server: WebSocketServer;

  constructor(
    private readonly options: WebSocketOptions,
    private readonly opened: (socket: Duplex, webSocket: WebSocket, upgrade: Upgrade) => void,
  ) {
    const { path, headBytesMax, messageBytesMax } = options;
    this.http = createServer({ maxHeaderSize: headBytesMax }, (request, response) => {
      const status = pathOf(request) === path ? 426 : 404;
      const text = status === 426 ? 'only WebSocket is here\n' : `only ${path} is here\n`;
      const headers = { connection: 'close', 'content-type': 'text/plain', 'content-length': text.length };
      response.writeHead(status, status === 426 ? { ...headers, upgrade: 'websocket' } : headers);
      response.end(text);
    });
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    this.server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false, // payloads that are worth it are compressed by those who make them
      maxPayload: messageBytesMax,
      handleProtocols: (offered) => [...offered].find((name) => SUBPROTOCOLS.includes(name)) ?? false,
    });
  }

  /** A socket whose client is to speak HTTP. */
  take(socket: Duplex): void {
    this.http.emit('connection', socket);
    if (socket.isPaused()) socket.resume();
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { path, origins } = this.options;
    const { origin } = request.headers;
    if (pathOf(request) !== path) refuse(socket, 404, `only ${path} is here`);
    else if (origin !== undefined && origins?.includes(origin) === false) refuse(socket, 403, 'not from this origin');
    else if (!offersMqtt(request)) refuse(socket, 400, 'no subprotocol mqtt is offered');
    else {
      this.server.handleUpgrade(request, socket, head, (webSocket) =>
        this.opened(socket, webSocket, { url: request.url!, headers: flatten(request) }),
      );
    }
  }
}

const pathOf = (request: IncomingMessage): string => request.url!.split('?', 1)[0]!;

const offersMqtt = ({ headers }: IncomingMessage): boolean =>
  (headers['sec-websocket-protocol'] ?? '').split(',').some((name) => SUBPROTOCOLS.includes(name.trim()));

function flatten({ headers }: IncomingMessage): Record<string, string> {
  const present = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value!]));
}

function refuse(socket: Duplex, status: number, why: string): void {
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n`;
  socket.end(`${head}Content-Length: ${why.length + 1}\r\n\r\n${why}\n`);
}

const BINARY = { binary: true, compress: false };

/** The frames of a WebSocket. */
export class WebSocketChannel implements Channel {
  private closeCode: CloseCode | undefined;

  /** `socket`: what `webSocket` runs on. */
  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Duplex,
    private readonly failed: (error: NodeJS.ErrnoException) => void,
  ) {}

  get pendingBytes(): number {
    return this.webSocket.bufferedAmount;
  }

  open(events: ChannelEvents): void {
    const { webSocket, socket } = this;
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) events.received(data as Buffer);
      else this.refuseText(events); // [MQTT-6.0.0-1]
    });
    webSocket.on('error', this.failed);
    webSocket.on('close', () => events.closed());
    socket.on('drain', () => events.drained());
  }

  write(bytes: Uint8Array): void {
    this.webSocket.send(bytes, BINARY);
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  pause(): void {
    this.webSocket.pause();
  }

  resume(): void {
    this.webSocket.resume();
  }

  end(reason: CloseReason | 'left'): void {
    this.webSocket.resume(); // so that the other end's answer is heard
    this.webSocket.close(this.closeCode ?? CLOSE_CODES[reason] ?? CloseCode.Normal);
  }

  destroy(): void {
    this.webSocket.terminate();
  }

  private refuseText(events: ChannelEvents): void {
    this.closeCode = CloseCode.UnsupportedData;
    events.ended();
  }
}
