// A packet of MQTT-SN 1.2 taken apart: one flat record that holds the fields of any of them.
// The first six words stand in the order of enum Field, which the codec relies on.

@unmanaged
export class Packet {
  /** PacketType. */
  type: i32;
  /** The Flags octet as it is on the wire. */
  flags: i32;
  /** ReturnCode, GwId, Radius, ProtocolId or Ctrl, by type. */
  code: i32;
  /** Seconds. */
  duration: i32;
  /** TopicId; the two octets of a short topic name, big-endian. */
  topicId: i32;
  msgId: i32;
  /** The variable part: ClientId, names, Data, GwAdd, Wireless Node Id. */
  data: usize;
  dataBytes: i32;
  /** Non-zero where a body that may be absent is there: DISCONNECT's Duration, WILLTOPIC's Flags and name. */
  present: i32;
  /** The packet inside a forwarder encapsulation; 0 octets otherwise. */
  inner: usize;
  innerBytes: i32;
}
