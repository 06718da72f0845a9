// What the load and the process with the gateway have agreed on.

/** Payload octets of every message. */
export const PAYLOAD_BYTES = 32;
/** Messages that a client gets each time it asks. */
export const DOWN_WINDOW = 16;
/** Where client i asks: the first octet of the payload is the QoS of what it gets. */
export const ASK = 'ask/';
/** Where client i listens. */
export const TO = 'to/';

/** Answer to each message from the parent: what the process has used and counted since its start. */
export interface Usage {
  readonly cpuUs: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly retransmissions: number;
}

/** The first message to the parent. */
export interface Ready {
  readonly port: number;
}
