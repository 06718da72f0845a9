// The will: handed over in the dialogue of CONNECT (6.3), and changed during a session (6.4).

import { T_RETRY_MS, WILL_MESSAGE_BYTES_MAX } from '../memory/limits';
import { keep } from '../memory/octets';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_SHIFT } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { raise } from './events';
import { begin } from './exchange';
import { ask } from './requests';
import { client, nameOf, owedBy, packet, Request, topicAt, WILL_MESSAGE_AT, Will } from './state';
import { isNamed } from './topics';
import { transmitWith } from './transmit';

/**
 * The will: a message for a topic with a name; a negative handle means none, and deletes the one that the gateway has. During
 * a session the gateway is told at once (event: WillUpdated), otherwise with the next CONNECT.
 */
export function setWill(handle: i32, message: usize, bytes: i32, qos: i32, retain: bool): i32 {
  if (<u32>qos > 2 || bytes < 0) return ErrorCode.BadArgument;
  if (bytes > WILL_MESSAGE_BYTES_MAX) return ErrorCode.TooLong;
  let place = 0;
  if (handle >= 0) {
    if (!isNamed(handle)) return ErrorCode.BadTopic;
    place = handle + 1;
  }
  keep(WILL_MESSAGE_AT, message, bytes);
  client.willTopic = <u8>place;
  client.willFlags = <u8>((qos << QOS_SHIFT) | (retain ? Flags.Retain : 0));
  client.willKnown = <u8>Will.Owed;
  return ErrorCode.None;
}

/** True while the gateway does not have the will as the application wants it. */
export function hasWillWork(): bool {
  return <i32>client.willKnown > Will.Held;
}

/** The gateway has no will of ours, or may have none. */
export function loseWill(): void {
  if (client.willKnown) client.willKnown = <u8>Will.Owed;
}

/** Answered in any state but Off: the gateway may be asking because of a CONNECT that came twice. */
export function onWillTopicReq(): void {
  sendWillTopic(PacketType.WillTopic);
  restartConnect();
}

export function onWillMsgReq(): void {
  sendWillMessage(PacketType.WillMsg);
  restartConnect();
}

/** The gateway is there and busy with our CONNECT: T_retry begins anew. */
function restartConnect(): void {
  if (owedBy(Request.Control) === PacketType.ConnAck) begin(Request.Control, PacketType.ConnAck, T_RETRY_MS);
}

/** Without a will the packet is empty: it deletes the one that is there (5.4.7, 5.4.22). */
export function sendWillTopic(type: PacketType): void {
  packet.flags = client.willFlags;
  packet.present = client.willTopic;
  transmitWith(type, nameOf(topicAt(<i32>client.willTopic - 1)));
}

export function sendWillMessage(type: PacketType): void {
  transmitWith(type, WILL_MESSAGE_AT);
}

/** Tells the gateway of a will that was set since the session stands. */
export function startWill(): void {
  if (client.willKnown !== Will.Owed || owedBy(Request.Will)) return;
  client.willKnown = <u8>Will.Offered;
  ask(Request.Will, PacketType.WillTopicResp);
}

/** WILLTOPICRESP or WILLMSGRESP. Neither has a MsgId: where the will was set anew meanwhile, all of it goes again. */
export function onWillResp(): void {
  if (client.willKnown !== Will.Offered) return;
  if (packet.type === PacketType.WillTopicResp && packet.code === ReturnCode.Accepted && client.willTopic) {
    ask(Request.Will, PacketType.WillMsgResp);
    return;
  }
  client.willKnown = <u8>Will.Held;
  raise(EventKind.WillUpdated).code = <u8>packet.code;
}
