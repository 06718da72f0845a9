// One datagram to one packet and back, for every packet type of MQTT-SN 1.2 (5.2, 5.4, 5.5).
import { PacketType } from '../../assembly/protocol/index.js';
import * as connection from './connection.js';
import * as discovery from './discovery.js';
import type { Decoded } from './fault.js';
import { LENGTH_MISMATCH, TRUNCATED, UNKNOWN_TYPE } from './fault.js';
import { decodeForwarded, encodeForwarded } from './forwarder.js';
import { headerBytes, lengthField } from './frame.js';
import type { Packet } from './packets.js';
import * as publish from './publish.js';
import * as registration from './registration.js';
import * as will from './will.js';

/**
 * Reads one datagram. Never throws: what is no packet comes back as a fault. Byte strings in the result are views of
 * `datagram`; copy what is to outlive it.
 */
export function decode(datagram: Uint8Array): Decoded {
  const header = headerBytes(datagram);
  if (header === 0) return TRUNCATED;
  const length = lengthField(datagram, header);
  const type = datagram[header - 1]!;
  if (type === PacketType.Forwarded) {
    if (length > datagram.length) return TRUNCATED;
    return length < header ? LENGTH_MISMATCH : decodeForwarded(datagram, header, length);
  }
  if (length !== datagram.length) return LENGTH_MISMATCH;
  return decodeFields(type, datagram, header);
}

function decodeFields(type: number, bytes: Uint8Array, at: number): Decoded {
  switch (type) {
    case PacketType.Advertise:
      return discovery.decodeAdvertise(bytes, at);
    case PacketType.SearchGw:
      return discovery.decodeSearchGw(bytes, at);
    case PacketType.GwInfo:
      return discovery.decodeGwInfo(bytes, at);
    case PacketType.Connect:
      return connection.decodeConnect(bytes, at);
    case PacketType.ConnAck:
    case PacketType.WillTopicResp:
    case PacketType.WillMsgResp:
      return connection.decodeReturnCode(type, bytes, at);
    case PacketType.WillTopicReq:
    case PacketType.WillMsgReq:
    case PacketType.PingResp:
      return connection.decodeBare(type, bytes, at);
    case PacketType.WillTopic:
    case PacketType.WillTopicUpd:
      return will.decodeWillTopic(type, bytes, at);
    case PacketType.WillMsg:
    case PacketType.WillMsgUpd:
      return will.decodeWillMessage(type, bytes, at);
    case PacketType.Register:
      return registration.decodeRegister(bytes, at);
    case PacketType.RegAck:
    case PacketType.PubAck:
      return registration.decodeTopicAck(type, bytes, at);
    case PacketType.Publish:
      return publish.decodePublish(bytes, at);
    case PacketType.PubComp:
    case PacketType.PubRec:
    case PacketType.PubRel:
    case PacketType.UnsubAck:
      return publish.decodeMsgId(type, bytes, at);
    case PacketType.Subscribe:
      return registration.decodeSubscribe(bytes, at);
    case PacketType.SubAck:
      return registration.decodeSubAck(bytes, at);
    case PacketType.Unsubscribe:
      return registration.decodeUnsubscribe(bytes, at);
    case PacketType.PingReq:
      return connection.decodePingReq(bytes, at);
    case PacketType.Disconnect:
      return connection.decodeDisconnect(bytes, at);
    default:
      return UNKNOWN_TYPE;
  }
}

/** Writes one datagram: Length in one octet up to 255, in three from 256. Throws WireEncodeError for a field out of range. */
export function encode(packet: Packet): Uint8Array {
  switch (packet.type) {
    case PacketType.Advertise:
      return discovery.encodeAdvertise(packet);
    case PacketType.SearchGw:
      return discovery.encodeSearchGw(packet);
    case PacketType.GwInfo:
      return discovery.encodeGwInfo(packet);
    case PacketType.Connect:
      return connection.encodeConnect(packet);
    case PacketType.ConnAck:
    case PacketType.WillTopicResp:
    case PacketType.WillMsgResp:
      return connection.encodeReturnCode(packet);
    case PacketType.WillTopicReq:
    case PacketType.WillMsgReq:
    case PacketType.PingResp:
      return connection.encodeBare(packet);
    case PacketType.WillTopic:
    case PacketType.WillTopicUpd:
      return will.encodeWillTopic(packet);
    case PacketType.WillMsg:
    case PacketType.WillMsgUpd:
      return will.encodeWillMessage(packet);
    case PacketType.Register:
      return registration.encodeRegister(packet);
    case PacketType.RegAck:
    case PacketType.PubAck:
      return registration.encodeTopicAck(packet);
    case PacketType.Publish:
      return publish.encodePublish(packet);
    case PacketType.PubComp:
    case PacketType.PubRec:
    case PacketType.PubRel:
    case PacketType.UnsubAck:
      return publish.encodeMsgId(packet);
    case PacketType.Subscribe:
      return registration.encodeSubscribe(packet);
    case PacketType.SubAck:
      return registration.encodeSubAck(packet);
    case PacketType.Unsubscribe:
      return registration.encodeUnsubscribe(packet);
    case PacketType.PingReq:
      return connection.encodePingReq(packet);
    case PacketType.Disconnect:
      return connection.encodeDisconnect(packet);
    case PacketType.Forwarded:
      return encodeForwarded(packet);
  }
}
