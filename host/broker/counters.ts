// What a broker counts. Those that end in `Now` go up and down, the others only up.

export interface Counters {
  connections: number;
  connectionsNow: number;
  /** CONNACK with anything but 0. */
  connectionsRefused: number;
  /** Of these, those refused by `Access`. */
  connectionsDenied: number;
  /** Bytes from and to clients on the network. */
  bytesIn: number;
  bytesOut: number;
  connectTimeouts: number;
  keepAliveTimeouts: number;
  /** Bytes that are no packet. */
  malformed: number;
  /** Packets that break a rule of the protocol. */
  violations: number;
  sessionsNow: number;
  sessionsTakenOver: number;
  /** Sessions whose CONNACK had Session Present. */
  sessionsResumed: number;
  sessionsExpired: number;
  subscriptionsNow: number;
  /** PUBLISH packets from clients, without repeated ones of QoS 2. */
  messagesInQos0: number;
  messagesInQos1: number;
  messagesInQos2: number;
  /** PUBLISH of QoS 2 that were there already. */
  duplicatesIn: number;
  /** PUBLISH packets to clients, redelivery included. */
  messagesOutQos0: number;
  messagesOutQos1: number;
  messagesOutQos2: number;
  /** PUBLISH packets sent again with DUP. */
  redelivered: number;
  /** Acknowledgements of what was never sent or is done. */
  acksUnknown: number;
  retainedNow: number;
  /** PUBLISH packets to clients with RETAIN. */
  retainedSent: number;
  willsPublished: number;
  /** QoS 0 to a session without a connection. */
  droppedOffline: number;
  /** QoS 0 to a client that reads too slowly, with its queue full. */
  droppedSlow: number;
  /** QoS 1 and 2 to a session with its queue full. */
  droppedQueueFull: number;
  /** Past their expiry before they could be sent. */
  droppedExpired: number;
  /** Larger than the client takes. */
  droppedTooLarge: number;
  /** Messages that the client may not receive. */
  droppedNotReceivable: number;
  /** Shared subscriptions of which no member could take it. */
  droppedNobody: number;
  /** QoS 1 and 2 that a client refused with a reason code. */
  droppedRejected: number;
  /** QoS 1 and 2 that a session still had when it was discarded. */
  droppedSessionEnd: number;
  /** Messages the client may not publish: refused by `Access`, or to `$SYS`. */
  droppedDenied: number;
  droppedTooDeep: number;
  /** Messages passed on but not retained, for want of room. */
  retainRefused: number;
  /** Filters that `Access` refused. */
  subscriptionsDenied: number;
}

export function newCounters(): Counters {
  return {
    connections: 0,
    connectionsNow: 0,
    connectionsRefused: 0,
    connectionsDenied: 0,
    bytesIn: 0,
    bytesOut: 0,
    connectTimeouts: 0,
    keepAliveTimeouts: 0,
    malformed: 0,
    violations: 0,
    sessionsNow: 0,
    sessionsTakenOver: 0,
    sessionsResumed: 0,
    sessionsExpired: 0,
    subscriptionsNow: 0,
    messagesInQos0: 0,
    messagesInQos1: 0,
    messagesInQos2: 0,
    duplicatesIn: 0,
    messagesOutQos0: 0,
    messagesOutQos1: 0,
    messagesOutQos2: 0,
    redelivered: 0,
    acksUnknown: 0,
    retainedNow: 0,
    retainedSent: 0,
    willsPublished: 0,
    droppedOffline: 0,
    droppedSlow: 0,
    droppedQueueFull: 0,
    droppedExpired: 0,
    droppedTooLarge: 0,
    droppedNotReceivable: 0,
    droppedNobody: 0,
    droppedRejected: 0,
    droppedSessionEnd: 0,
    droppedDenied: 0,
    droppedTooDeep: 0,
    retainRefused: 0,
    subscriptionsDenied: 0,
  };
}
