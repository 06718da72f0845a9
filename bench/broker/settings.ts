// What every broker is told, where it can be told.

/** Where all listen. */
export const HOST = '127.0.0.1';
/** Messages of QoS 1 and 2 that a broker has on their way to a subscriber at a time. aedes knows no such bound. */
export const INFLIGHT_TO_SUBSCRIBER_MAX = 100;
/** Cores by number: the broker has one for itself, the load another. */
export const BROKER_CORE = 0;
export const LOAD_CORE = 1;
