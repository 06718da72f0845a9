// From a packet to the radio.
import { send } from '../board';
import { encode } from '../codec/encode';
import { NODE_ID_BYTES_MAX, TX_BYTES } from '../memory/limits';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { envelopeBytes, wrap } from './forwarded';
import { ADDRESS_BYTES, client, count, cursor, GATEWAY_ADDRESS_AT, PEER_AT, received, sending, TX_AT } from './state';

/**
 * Sends one packet of these fields to the gateway in use, or to everyone where its type is for everyone; fields that its type
 * does not have are ignored. A datagram the board does not take is a datagram lost: retries make up for it.
 */
export function transmit(type: PacketType, flags: i32, topicId: i32, msgId: i32, data: usize, bytes: i32): void {
  sending.type = type;
  sending.flags = flags;
  sending.topicId = topicId;
  sending.msgId = msgId;
  sending.data = data;
  sending.dataBytes = bytes;
  const before = envelopeBytes();
  let length = encode(sending, cursor, TX_AT + before, TX_BYTES - before);
  if (length > 0) {
    if (NODE_ID_BYTES_MAX && before) wrap(type, before);
    if (type > PacketType.GwInfo) memory.copy(PEER_AT, GATEWAY_ADDRESS_AT, ADDRESS_BYTES);
    else store<u8>(PEER_AT, 0);
    length = send(TX_AT, length + before);
    store<u8>(PEER_AT, 0);
  }
  client.sentAt = client.now;
  count(length >= 0 ? Counter.DatagramsOut : Counter.SendFailed);
}

/** Answers the packet received: its MsgId and TopicId come back, with a ReturnCode where the type has one. */
export function answer(type: PacketType, code: i32): void {
  sending.code = code;
  transmit(type, 0, received.topicId, received.msgId, 0, 0);
}

/** The next MsgId: never 0, also on wrap (5.3.7). */
export function nextMsgId(): u16 {
  let id = <u16>(client.lastMsgId + 1);
  if (!id) id = 1;
  client.lastMsgId = id;
  return id;
}
