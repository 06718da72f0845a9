// Who may come in, and what they may do: the port to authenticators and policies. Answers may come at once or later;
// until a CONNECT is answered the client's other packets wait.
import type { Millis, Qos } from '../ports.js';
import type { ConnectPacket, UserProperties } from './packets.js';
import type { ReasonCode } from './reason-codes.js';

/** What an adapter knows of the other end of a connection. */
export interface Peer {
  /** How the client came: over the network, or `local`, from the same process. */
  readonly transport: 'tcp' | 'tls' | 'ws' | 'wss' | 'local';
  /** Of the listener, where it has a name in the configuration. */
  readonly listener?: string;
  /** The client's IP address, of the PROXY protocol where that is trusted. */
  readonly address?: string;
  readonly port?: number;
  /** The certificate that the client has proved to own, signed by an authority of the listener's: DER. */
  readonly certificate?: Uint8Array;
  /** What TLS agreed on by ALPN; undefined: nothing. */
  readonly alpn?: string;
  /** The name that the client asked for by SNI. */
  readonly serverName?: string;
  /** WebSocket: path and query of the upgrade, as sent. */
  readonly url?: string;
  /** WebSocket: headers of the upgrade, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of the same process. */
export const LOCAL_PEER: Peer = { transport: 'local' };

/** The client that asks for something. */
export interface Client {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly peer: Peer;
  /** Who it is according to the authenticator that let it in. */
  readonly principal: string | undefined;
}

/** What a client may do. Asked in the middle of the broker's work: answers at once, never throws. */
export interface Permit {
  /** Asked for each message from the client, and for its will: at CONNECT, and when the connection is over. */
  publish(topic: string, qos: Qos, retain: boolean): boolean;
  /** Asked for each filter; that of a shared subscription is given without `$share/…/`. */
  subscribe(filter: string, qos: Qos): boolean;
  /** Asked for each message to the client, also those that were queued or retained before it came. */
  receive(topic: string): boolean;
}

export interface ConnectRequest {
  /** It has passed all checks of the protocol. */
  readonly packet: ConnectPacket;
  /** The client's identifier, also where the broker made it up. */
  readonly clientId: string;
  readonly peer: Peer;
  /**
   * `connect`: a client comes. `refresh`: it is connected, and `refreshAfterMs` has passed. `reauthenticate`: it is connected and sent
   * AUTH, whose data are in `packet.properties.authenticationData`; the rest of `packet` is the CONNECT of before.
   */
  readonly why: 'connect' | 'refresh' | 'reauthenticate';
}

export interface Accepted {
  readonly outcome: 'accepted';
  /** Absent: everything is allowed. */
  readonly permit?: Permit;
  readonly principal?: string;
  /** The connection is closed after so long, ms. Absent: never. */
  readonly disconnectAfterMs?: number;
  /** After so long the same request is put again, as a `refresh`; refused, the connection is closed. ms. */
  readonly refreshAfterMs?: number;
  /** At most so long a keep-alive, seconds, 1 to 65,535; CONNACK then names it (MQTT 5.0). */
  readonly keepAliveSMax?: number;
  /** For CONNACK or AUTH: the server's last word of an enhanced authentication. */
  readonly authenticationData?: Uint8Array;
  readonly userProperties?: UserProperties;
}

export interface Refused {
  readonly outcome: 'refused';
  /** 0x80 or more. `UseAnotherServer` and `ServerMoved` redirect the client to `serverReference`. */
  readonly reason: ReasonCode;
  /** For a person, if the client asks for such: nothing that helps an attacker. */
  readonly reasonString?: string;
  readonly serverReference?: string;
}

/** Enhanced authentication goes on (MQTT 5.0, 4.12): AUTH with these data, and `next` with the client's answer. */
export interface Challenge {
  readonly outcome: 'continue';
  readonly authenticationData?: Uint8Array;
  next(data: Uint8Array | undefined, answer: Answer): void;
}

export type Verdict = Accepted | Refused | Challenge;

/** To be called once, inside or after the call that asks; what comes after the client has gone is ignored. */
export type Answer = (verdict: Verdict, now: Millis) => void;

export interface Access {
  /**
   * Whether the client may come in. A `packet.properties.authenticationMethod` that is not known is refused with
   * BadAuthenticationMethod; one that is known may be continued. Never throws.
   */
  connect(request: ConnectRequest, answer: Answer, now: Millis): void;
}
