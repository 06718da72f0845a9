// What keeps a listener from listening: one form of message for TCP and UDP, for TLS, and for what makes no sense.
import type { Server } from 'node:net';

/** Why, and what to do. `cause`: Node's error. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program, or another listener of this one, has it; choose another port, or 0 for a free one';
    case 'EACCES':
      return 'the system reserves it; choose a port from 1024, or 0 for a free one';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no address is known for that name';
    default:
      return message;
  }
}

const text = (host: string, port: string, cause: NodeJS.ErrnoException): string =>
  `cannot listen at ${host}, ${port}: ${reasonOf(cause)} (${cause.code})`;

/** No TCP listener there; `cause` is Node's error. */
export class TcpListenError extends Error {
  override readonly name = 'TcpListenError';
  readonly code = 'ERR_TCP_LISTEN';

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    super(text(host, `TCP port ${port}`, cause), { cause });
  }
}

/** Resolves once the server listens; rejects with TcpListenError. */
export function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(new TcpListenError(host, port, error));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

/** No UDP socket there; `cause` is Node's error. */
export class UdpListenError extends Error {
  override readonly name = 'UdpListenError';
  readonly code = 'ERR_UDP_LISTEN';

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    super(text(host, `UDP port ${port}`, cause), { cause });
  }
}

/** TLS cannot be had with this key, certificate or list; `cause` is OpenSSL's error, where it is its. */
export class TlsListenError extends Error {
  override readonly name = 'TlsListenError';
  readonly code = 'ERR_LISTEN_TLS';

  /** `at`: the listener. `part`: which part of its `tls`, for a caller who knows its file. */
  constructor(
    at: string,
    readonly part: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`listener ${at}, tls.${part}: ${why}`, options);
  }
}

/** Options of a listener that contradict each other, or are out of range. */
export class ListenerSpecError extends Error {
  override readonly name = 'ListenerSpecError';
  readonly code = 'ERR_LISTEN_OPTION';

  constructor(at: string, why: string) {
    super(`listener ${at}: ${why}`);
  }
}
