// From a packet to the radio.
import { send } from '../board';
import { encode } from '../codec/encode';
import { NODE_ID_BYTES_MAX } from '../memory/limits';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { envelopeBytes, wrap } from './forwarded';
import { ADDRESS_BYTES, client, count, GATEWAY_ADDRESS_AT, PEER_AT, packet, TX_AT } from './state';

/**
 * Sends the packet as one of this type to the gateway in use, or to everyone where its type is for everyone. The caller has set
 * the fields that the type has; it fits, see memory/limits. A datagram the board does not take is a datagram lost: retries
 * make up for it.
 */
export function transmit(type: PacketType): void {
  packet.type = type;
  const before = envelopeBytes();
  const bytes = before + encode(packet, TX_AT + before);
  if (NODE_ID_BYTES_MAX && before) wrap(type, before);
  store<u8>(PEER_AT, 0);
  if (type > PacketType.GwInfo) memory.copy(PEER_AT, GATEWAY_ADDRESS_AT, ADDRESS_BYTES);
  const taken = send(TX_AT, bytes);
  store<u8>(PEER_AT, 0);
  client.sentAt = client.now;
  count(taken >= 0 ? Counter.DatagramsOut : Counter.SendFailed);
}

/** The same with counted octets for its variable part. */
export function transmitWith(type: PacketType, octets: usize): void {
  packet.data = octets + 1;
  packet.dataBytes = load<u8>(octets);
  transmit(type);
}

/** Answers the packet received: its MsgId and TopicId go back, with a ReturnCode where the type has one. */
export function answer(type: PacketType, code: i32): void {
  packet.code = code;
  transmit(type);
}

/** The next MsgId: never 0, also on wrap (5.3.7). */
export function nextMsgId(): u16 {
  let id = <u16>(client.lastMsgId + 1);
  if (!id) id = 1;
  client.lastMsgId = id;
  return id;
}
