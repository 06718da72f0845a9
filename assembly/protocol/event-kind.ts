/** What the client tells its application. What the fields of an event hold is said at each kind; others are zero. */
export const enum EventKind {
  None = 0,
  /** The session with the gateway stands. */
  Connected = 1,
  /** The gateway refused CONNECT for good; `code` is its ReturnCode. The client does not try again by itself. */
  Refused = 2,
  /** The session is over because the application asked for it. */
  Disconnected = 3,
  /** The gateway is gone (retries used up, or it said DISCONNECT). The client reconnects by itself. */
  Lost = 4,
  /** Asleep: the gateway keeps messages until the client wakes. `code` is 1 where it has not answered; the second time in a row is Lost. */
  Asleep = 5,
  /** A message: `topic`, `name`, `data`, `flags` as in PUBLISH. Valid until `receive` returns. */
  Message = 6,
  /** A QoS 1 or 2 message has arrived: `topic`, and `ticket` as `publish` returned it. */
  Published = 7,
  /** A message was given up: `topic`, `ticket`, and `code`, the gateway's ReturnCode. */
  PublishFailed = 8,
  /** `topic` is subscribed; `flags` holds the granted QoS as in SUBACK. */
  Subscribed = 9,
  /** The gateway refused the subscription; `code` is its ReturnCode. */
  SubscribeFailed = 10,
  Unsubscribed = 11,
  /** The gateway has answered a will that was set during a session; `code` is its ReturnCode. */
  WillUpdated = 12,
}
