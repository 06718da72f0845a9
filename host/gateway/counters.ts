// What a gateway counts. All start at 0 and only grow.

export interface Counters {
  datagramsIn: number;
  datagramsOut: number;
  /** Datagrams that are no packet, or a packet that breaks a rule of its own (MsgId 0 with QoS 1, nested encapsulation). */
  malformed: number;
  /** Packets from an address without a session; answered with DISCONNECT. */
  unknownSender: number;
  /** Packets that make no sense from this client at this time; ignored. */
  unexpected: number;
  connects: number;
  /** CONNECTs answered with anything but "accepted". */
  connectsRefused: number;
  disconnects: number;
  /** Clients that fell silent: the broker publishes their will. */
  clientsLost: number;
  /** Clean sessions that were ended because more waited for the client than the buffer holds. */
  sessionsOverrun: number;
  /** Sessions restored after a restart. */
  sessionsRestored: number;
  /** Sessions whose broker went away, the gateway's own included. */
  upstreamsLost: number;
  /** Remembered sessions that made room for a new one. */
  sessionsForgotten: number;
  publishesInQosMinus1: number;
  publishesInQos0: number;
  publishesInQos1: number;
  publishesInQos2: number;
  publishesOutQos0: number;
  publishesOutQos1: number;
  publishesOutQos2: number;
  /** Packets that the gateway sent again because no answer came. */
  retransmissions: number;
  /** Exact copies of a request, answered again but not executed again. */
  lateDuplicates: number;
  /** PUBLISHes from clients whose topic id means nothing. */
  unknownTopicIds: number;
  /** PUBLISHes from clients at a QoS that the broker does not know. */
  qosNotSupported: number;
  /** PUBLISHes from clients that the broker refused for good. */
  refusedByBroker: number;
  /** Requests of clients that their permissions do not allow. */
  denied: number;
  /** Requests answered with "congestion". */
  congested: number;
  /** QoS -1 that could not be passed on. */
  droppedQosMinus1: number;
  /** Messages for clients: larger than `maxPacketBytes` or `bufferBytesMax`, or a topic longer than `topicBytesMax`. */
  droppedTooLong: number;
  /** Messages for clients: no room in the buffer. */
  droppedBufferFull: number;
  /** Messages for clients: the client refused them or their topic. */
  droppedRejected: number;
  /** Messages for clients: their permissions do not allow it any more. */
  droppedDenied: number;
  /** Messages for clients: all topic ids are taken. */
  droppedNoTopicId: number;
  /** Messages with QoS 1 or 2 that the buffer had no room for and that the broker was left to hold. */
  leftWithBroker: number;
}

export function newCounters(): Counters {
  return {
    datagramsIn: 0,
    datagramsOut: 0,
    malformed: 0,
    unknownSender: 0,
    unexpected: 0,
    connects: 0,
    connectsRefused: 0,
    disconnects: 0,
    clientsLost: 0,
    sessionsOverrun: 0,
    sessionsRestored: 0,
    upstreamsLost: 0,
    sessionsForgotten: 0,
    publishesInQosMinus1: 0,
    publishesInQos0: 0,
    publishesInQos1: 0,
    publishesInQos2: 0,
    publishesOutQos0: 0,
    publishesOutQos1: 0,
    publishesOutQos2: 0,
    retransmissions: 0,
    lateDuplicates: 0,
    unknownTopicIds: 0,
    qosNotSupported: 0,
    refusedByBroker: 0,
    denied: 0,
    congested: 0,
    droppedQosMinus1: 0,
    droppedTooLong: 0,
    droppedBufferFull: 0,
    droppedRejected: 0,
    droppedDenied: 0,
    droppedNoTopicId: 0,
    leftWithBroker: 0,
  };
}
