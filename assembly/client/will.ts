// The will: handed over in the dialogue of CONNECT (6.3), and changed during a session (6.4).

import { WILL_MESSAGE_BYTES_MAX } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_SHIFT } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { raise } from './events';
import { owe, settle, wait } from './exchange';
import {
  client,
  control,
  Link,
  nameOf,
  Owed,
  received,
  sending,
  topicAt,
  WILL_MESSAGE_AT,
  Will,
  willing,
} from './state';
import { adopt, isName } from './topics';
import { transmit } from './transmit';

/**
 * The will: a message for a topic with a name; a negative handle means none, and deletes the one that the gateway has. During
 * a session the gateway is told at once (event: WillUpdated), otherwise with the next CONNECT.
 */
export function setWill(handle: i32, message: usize, bytes: i32, qos: i32, retain: bool): i32 {
  if (<u32>qos > 2 || bytes < 0) return ErrorCode.BadArgument;
  if (bytes > WILL_MESSAGE_BYTES_MAX) return ErrorCode.TooLong;
  if (handle >= 0 && !(adopt(handle) && isName(topicAt(handle)) && topicAt(handle).nameBytes))
    return ErrorCode.BadTopic;
  memory.copy(WILL_MESSAGE_AT, message, bytes);
  client.willSaid = 1;
  client.hasWill = handle >= 0 ? 1 : 0;
  client.willTopic = handle >= 0 ? <u8>handle : 0;
  client.willMessageBytes = <u8>bytes;
  client.willFlags = <u8>((qos << QOS_SHIFT) | (retain ? Flags.Retain : 0));
  client.willKnown = <u8>Will.Owed;
  return ErrorCode.None;
}

/** True while the gateway does not have the will as the application wants it. */
export function hasWillWork(): bool {
  return <bool>(client.willSaid && client.willKnown !== Will.Held);
}

/** Answered in any state but Off: the gateway may be asking because of a CONNECT that came twice. */
export function onWillTopicReq(): i32 {
  sendWillTopic(PacketType.WillTopic);
  return restartControl();
}

export function onWillMsgReq(): i32 {
  sendWillMsg(PacketType.WillMsg);
  return restartControl();
}

/** The gateway is there and busy with our CONNECT: T_retry begins anew. */
function restartControl(): i32 {
  if (control.owed === Owed.ConnAck) owe(control, Owed.ConnAck);
  return ErrorCode.None;
}

/** Without a will the packet is empty: it deletes the one that is there (5.4.7, 5.4.22). */
function sendWillTopic(type: PacketType): void {
  const topic = topicAt(client.willTopic);
  sending.present = client.hasWill;
  transmit(type, client.willFlags, 0, 0, nameOf(topic), topic.nameBytes);
}

function sendWillMsg(type: PacketType): void {
  transmit(type, 0, 0, 0, WILL_MESSAGE_AT, client.willMessageBytes);
}

/** Tells the gateway of a will that was set since the session stands. */
export function startWill(): void {
  if (willing.owed || client.link !== Link.Active || !client.willSaid || client.willKnown !== Will.Owed) return;
  client.willKnown = <u8>Will.Offered;
  owe(willing, Owed.WillTopicResp);
  sendWillUpdate();
}

export function sendWillUpdate(): void {
  if (willing.owed === Owed.WillTopicResp) sendWillTopic(PacketType.WillTopicUpd);
  else sendWillMsg(PacketType.WillMsgUpd);
}

/** WILLTOPICRESP or WILLMSGRESP. Neither has a MsgId: where the will was set anew meanwhile, all of it goes again. */
export function onWillResp(): i32 {
  const isTopic = received.type === PacketType.WillTopicResp;
  if (<i32>willing.owed !== (isTopic ? Owed.WillTopicResp : Owed.WillMsgResp)) return ErrorCode.Unexpected;
  const code = received.code;
  const isSame = client.willKnown === Will.Offered;
  if (code === ReturnCode.Congestion) {
    client.willKnown = <u8>Will.Owed;
    wait(willing);
  } else if (isTopic && isSame && code === ReturnCode.Accepted && client.hasWill) {
    owe(willing, Owed.WillMsgResp);
    sendWillUpdate();
  } else {
    settle(willing);
    if (!isSame) return ErrorCode.None;
    client.willKnown = <u8>Will.Held;
    raise(EventKind.WillUpdated).code = <u8>code;
  }
  return ErrorCode.None;
}
