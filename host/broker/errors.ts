// Why a connection ended, in words that stay, and the broker's own errors.

import { ReasonCode } from './reason-codes.js';

/**
 * Why a connection ended. All publish the will, if there is one by then; `disconnect` only where the client gives
 * another reason than Success (MQTT 5.0).
 */
export type CloseReason =
  /** The client said DISCONNECT. */
  | 'disconnect'
  /** The network said so. */
  | 'network'
  /** Bytes that are no packet. */
  | 'malformed'
  /** A packet against the rules, or beyond a limit. */
  | 'violation'
  /** No packet for one and a half times the keep-alive. */
  | 'keep-alive'
  /** No CONNECT in time, or no end of authentication. */
  | 'connect-timeout'
  /** CONNACK with a reason against it. */
  | 'refused'
  /** Another connection has the same client identifier. */
  | 'taken-over'
  /** It did not read what it was sent. */
  | 'slow'
  /** What it did is not allowed, or no longer. */
  | 'not-authorized'
  /** As long as its authorization lets it be connected. */
  | 'time-limit'
  /** The host that runs the broker asked for it. */
  | 'administrative'
  /** The broker stops. */
  | 'stopped';

/** What a client of MQTT 5.0 hears at the end of its connection, where it hears anything. */
const CLOSE_CODES: Readonly<Partial<Record<CloseReason, ReasonCode>>> = {
  malformed: ReasonCode.MalformedPacket,
  violation: ReasonCode.ProtocolError,
  'keep-alive': ReasonCode.KeepAliveTimeout,
  'taken-over': ReasonCode.SessionTakenOver,
  slow: ReasonCode.QuotaExceeded,
  'not-authorized': ReasonCode.NotAuthorized,
  'time-limit': ReasonCode.MaximumConnectTime,
  administrative: ReasonCode.AdministrativeAction,
  stopped: ReasonCode.ServerShuttingDown,
};

/** What DISCONNECT has no word for, of what a connection may end by: table 3-13. */
const UNSAID: ReadonlySet<ReasonCode> = new Set([
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.ServerUnavailable,
  ReasonCode.Banned,
  ReasonCode.BadAuthenticationMethod,
]);

/** The reason code of DISCONNECT; undefined: none is sent. `code`: what is known better than by the reason. */
export function disconnectCode(reason: CloseReason, code: ReasonCode | undefined): ReasonCode | undefined {
  return code === undefined || UNSAID.has(code) ? CLOSE_CODES[reason] : code;
}

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
