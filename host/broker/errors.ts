// Why a connection ended, in words that stay, and the broker's own errors.

/** Why a connection ended. All but `disconnect` and `refused` publish the will. */
export type CloseReason =
  /** The client said DISCONNECT. */
  | 'disconnect'
  /** The network said so. */
  | 'network'
  /** Bytes that are no packet. */
  | 'malformed'
  /** A packet against the rules. */
  | 'violation'
  /** No packet for one and a half times the keep-alive. */
  | 'keep-alive'
  /** No CONNECT in time. */
  | 'connect-timeout'
  /** CONNACK with a return code. */
  | 'refused'
  /** Another connection has the same client identifier. */
  | 'taken-over'
  /** It did not read what it was sent. */
  | 'slow'
  /** The broker stops. */
  | 'stopped';

/** Stable codes of `BrokerError`. */
export type BrokerErrorCode =
  | 'ERR_BROKER_CONFIG'
  | 'ERR_BROKER_MESSAGE'
  /** What the journal holds is not what this version of the broker wrote. */
  | 'ERR_BROKER_RECORD';

/** A mistake of the host that calls the broker, or what it was given to remember; never of a client. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';

  constructor(
    readonly code: BrokerErrorCode,
    message: string,
  ) {
    super(message);
  }
}
