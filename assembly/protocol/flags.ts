// The Flags octet of MQTT-SN 1.2 (5.3.4).
//
//    7     6   5     4       3        2          1   0
// ┌─────┬─────────┬────────┬──────┬──────────────┬───────────┐
// │ DUP │   QoS   │ Retain │ Will │ CleanSession │ TopicType │
// └─────┴─────────┴────────┴──────┴──────────────┴───────────┘

/** Masks of the Flags octet. */
export const enum Flags {
  Dup = 0x80,
  Qos = 0x60,
  Retain = 0x10,
  Will = 0x08,
  CleanSession = 0x04,
  TopicType = 0x03,
}

/** Right shift that brings the two QoS bits to 0..3; 3 means QoS -1. */
export const QOS_SHIFT = 5;

/** The value of the two QoS bits that stands for QoS -1 (6.8). */
export const QOS_BITS_MINUS_ONE = 3;

/** TopicIdType, the two low bits of Flags. */
export const enum TopicType {
  /** A registered id in PUBLISH, a topic *name* in SUBSCRIBE and UNSUBSCRIBE (5.3.4). */
  Normal = 0x00,
  /** An id that client and gateway know beforehand. */
  Predefined = 0x01,
  /** Two octets that are the topic name itself. */
  Short = 0x02,
  Reserved = 0x03,
}

/** Topic ids that never name a topic (5.3.11). */
export const TOPIC_ID_NONE = 0x0000;
export const TOPIC_ID_RESERVED = 0xffff;

/** ProtocolId of CONNECT (5.3.8). */
export const PROTOCOL_ID = 0x01;

/** A client id has 1 to 23 characters (5.3.1). */
export const CLIENT_ID_MIN = 1;
export const CLIENT_ID_MAX = 23;

/** A first octet of 0x01 means that Length takes three octets (5.2.1). */
export const LENGTH_LONG_MARK = 0x01;
/** The largest packet, Length included, whose Length fits one octet. */
export const SHORT_PACKET_BYTES_MAX = 255;
/** The largest packet, Length included, of the three-octet form. */
export const PACKET_BYTES_MAX = 65535;
