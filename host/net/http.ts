// The page that Prometheus reads, on a port of its own. Whoever asks slowly, or not at all, is cut off, and nobody keeps
// the process from ending.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { METRICS_CONTENT_TYPE } from '../metrics/text.js';
import type { Log } from '../ports.js';
import { listening } from './listen-error.js';

export interface MetricsOptions {
  /** Address to listen at. */
  readonly host: string;
  /** 0: one that is free, to be read from the listener. */
  readonly port: number;
  /** The page, made anew for each request. */
  readonly collect: () => string;
  readonly limits?: Partial<MetricsLimits>;
  readonly log?: Log;
}

export interface MetricsLimits {
  /** Connections at a time; more are closed as they come. */
  readonly connectionsMax: number;
  /** How long a request may take to arrive, and a connection to do nothing, ms. */
  readonly timeoutMs: number;
  /** The largest head of a request, bytes. */
  readonly headBytesMax: number;
}

export const METRICS_LIMITS: MetricsLimits = { connectionsMax: 16, timeoutMs: 5_000, headBytesMax: 8_192 };

export interface MetricsListener {
  readonly host: string;
  readonly port: number;
  /** Ends all connections, and listens no more. */
  close(): Promise<void>;
}

export const METRICS_PATH = '/metrics';

/** Listens for scrapes. Rejects with TcpListenError. */
export async function listenMetrics(options: MetricsOptions): Promise<MetricsListener> {
  const { host, port, collect } = options;
  const { connectionsMax, timeoutMs, headBytesMax } = { ...METRICS_LIMITS, ...options.limits };
  const server = createServer(
    {
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectionsCheckingInterval: Math.min(timeoutMs, 1_000),
      maxHeaderSize: headBytesMax,
    },
    (request, response) => answer(request, response, collect),
  );
  server.maxConnections = connectionsMax;
  server.timeout = timeoutMs; // also ends a connection that asks and does not read
  await listening(server, host, port);
  server.on('error', (error: NodeJS.ErrnoException) =>
    options.log?.('error', 'metrics-listener', { code: error.code }),
  );
  const address = server.address();
  const close = (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    return closed;
  };
  return { host, port: typeof address === 'object' && address !== null ? address.port : port, close };
}

/** One answer a connection: a scrape is rare, and a body that nobody asked for is not waited for. */
function answer(request: IncomingMessage, response: ServerResponse, collect: () => string): void {
  const end = (status: number, type: string, text: string, headers = {}): void => {
    const contentLength = Buffer.byteLength(text);
    response.writeHead(status, {
      'content-type': type,
      'content-length': contentLength,
      connection: 'close',
      ...headers,
    });
    response.end(text);
  };
  const path = request.url!.split('?', 1)[0];
  if (path !== METRICS_PATH) end(404, 'text/plain', `only ${METRICS_PATH} is here\n`);
  else if (request.method !== 'GET') end(405, 'text/plain', `only GET ${METRICS_PATH} is here\n`, { allow: 'GET' });
  else end(200, METRICS_CONTENT_TYPE, collect());
}
