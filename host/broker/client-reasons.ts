// The reason codes that a client may send, by packet: MQTT 5.0, sections 3.4 to 3.7, 3.14 and 3.15.
import type { AckPacket, AuthPacket, DisconnectPacket } from './packets.js';
import { ReasonCode } from './reason-codes.js';

export interface ClientReasons {
  readonly codes: ReadonlySet<ReasonCode>;
  /** What another one breaks: a Protocol Error. */
  readonly clause: `MQTT-${string}`;
}

/** Tables 3-4 and 3-5. */
const PUBLISH_ANSWERS = new Set([
  ReasonCode.Success,
  ReasonCode.NoMatchingSubscribers,
  ReasonCode.UnspecifiedError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.TopicNameInvalid,
  ReasonCode.PacketIdentifierInUse,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
]);

/** Tables 3-6 and 3-7. */
const RELEASE_ANSWERS = new Set([ReasonCode.Success, ReasonCode.PacketIdentifierNotFound]);

/** Table 3-10, without what only servers say. */
const GOODBYES = new Set([
  ReasonCode.Success,
  ReasonCode.DisconnectWithWill,
  ReasonCode.UnspecifiedError,
  ReasonCode.MalformedPacket,
  ReasonCode.ProtocolError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.TopicNameInvalid,
  ReasonCode.ReceiveMaximumExceeded,
  ReasonCode.TopicAliasInvalid,
  ReasonCode.PacketTooLarge,
  ReasonCode.MessageRateTooHigh,
  ReasonCode.QuotaExceeded,
  ReasonCode.AdministrativeAction,
  ReasonCode.PayloadFormatInvalid,
]);

/** Table 3-11, without Success, which is the server's. */
const AUTHENTICATION_STEPS = new Set([ReasonCode.ContinueAuthentication, ReasonCode.ReAuthenticate]);

type WithReason = (AckPacket | DisconnectPacket | AuthPacket)['cmd'];

export const CLIENT_REASONS: Readonly<Record<WithReason, ClientReasons>> = {
  puback: { codes: PUBLISH_ANSWERS, clause: 'MQTT-3.4.2-1' },
  pubrec: { codes: PUBLISH_ANSWERS, clause: 'MQTT-3.5.2-1' },
  pubrel: { codes: RELEASE_ANSWERS, clause: 'MQTT-3.6.2-1' },
  pubcomp: { codes: RELEASE_ANSWERS, clause: 'MQTT-3.7.2-1' },
  disconnect: { codes: GOODBYES, clause: 'MQTT-3.14.2-1' },
  auth: { codes: AUTHENTICATION_STEPS, clause: 'MQTT-3.15.2-1' },
};
