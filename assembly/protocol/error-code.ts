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
  // An update's: what runs goes on running.
  /** No chunk, or no header, of a format that the board knows; or one that ends elsewhere than it says. */
  UpdateFormat = -48,
  /** Not signed by the key that the board trusts. */
  UpdateSignature = -49,
  /** All chunks are here, but their SHA-256 is not the one that was signed. */
  UpdateDamaged = -50,
  /** For another application, board or version of the contract. */
  UpdateForeign = -51,
  /** No newer than what runs, and not marked as a way back. */
  UpdateVersion = -52,
  /** It was tried here before, and did not confirm that it works. */
  UpdateFailed = -53,
  /** The board's memory for updates could not be written. */
  UpdateStorage = -54,
}
