/** What a call on the device returns below zero. Results are zero or more. */
export const enum ErrorCode {
  None = 0,
  // Off the wire: the datagram is dropped and counted.
  /** A datagram ends before its fields do, or has octets left over (5.2.1). */
  Truncated = -1,
  /** The Length field does not match the datagram (5.2.1). */
  LengthMismatch = -2,
  /** A MsgType that is reserved (5.2.2). */
  UnknownType = -3,
  /** TopicIdType 11 (5.3.4). */
  ReservedTopicType = -4,
  /** A field whose value the specification forbids, such as MsgId 0 where one is required. */
  BadField = -5,
  /** A good packet that nobody asked for. */
  Unexpected = -6,
  // The caller's: nothing was changed.
  /** Longer than the buffer or table entry that should hold it. */
  TooLong = -16,
  /** The table or queue is full; free something, or try again later. */
  Full = -17,
  /** An argument out of range. */
  BadArgument = -18,
  /** Not possible in the present state, such as a wake-up while not asleep. */
  WrongState = -19,
  /** A topic handle that is free, or a filter where a name is needed. */
  BadTopic = -20,
  // The world's.
  /** A restored image is damaged, or has another magic, layout version or length; the device was started clean. */
  BadImage = -33,
}
