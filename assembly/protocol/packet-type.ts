// The packet types of MQTT-SN 1.2. Portable: compiled by AssemblyScript for the device and by TypeScript for the host.

/** MsgType, one octet after the length (MQTT-SN 1.2, 5.2.2, table 3). */
export const enum PacketType {
  Advertise = 0x00,
  SearchGw = 0x01,
  GwInfo = 0x02,
  // 0x03 reserved
  Connect = 0x04,
  ConnAck = 0x05,
  WillTopicReq = 0x06,
  WillTopic = 0x07,
  WillMsgReq = 0x08,
  WillMsg = 0x09,
  Register = 0x0a,
  RegAck = 0x0b,
  Publish = 0x0c,
  PubAck = 0x0d,
  PubComp = 0x0e, // not in MQTT's order
  PubRec = 0x0f,
  PubRel = 0x10,
  // 0x11 reserved
  Subscribe = 0x12,
  SubAck = 0x13,
  Unsubscribe = 0x14,
  UnsubAck = 0x15,
  PingReq = 0x16,
  PingResp = 0x17,
  Disconnect = 0x18,
  // 0x19 reserved
  WillTopicUpd = 0x1a,
  WillTopicResp = 0x1b,
  WillMsgUpd = 0x1c,
  WillMsgResp = 0x1d,
  // 0x1e-0xfd reserved
  Forwarded = 0xfe, // forwarder encapsulation (5.5)
  // 0xff reserved
}
