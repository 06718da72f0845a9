// Timers and counters of MQTT-SN 1.2 (7.2, table 30). All are defaults: every side takes its own from configuration.

/** T_ADV: from one ADVERTISE to the next, more than 15 minutes. */
export const T_ADV_MS = 960_000;
/** N_ADV: missed ADVERTISEs after which a gateway counts as gone, 2 or 3. */
export const N_ADV = 3;
/** T_SEARCHGW: the longest random delay before SEARCHGW. */
export const T_SEARCHGW_MS = 5_000;
/** T_GWINFO: the longest random delay before a client answers with GWINFO. */
export const T_GWINFO_MS = 5_000;
/** T_WAIT: pause after ReturnCode congestion, more than 5 minutes. */
export const T_WAIT_MS = 301_000;
/** T_retry: wait for an answer before a packet is sent again, 10 to 15 s. */
export const T_RETRY_MS = 10_000;
/** N_retry: how often a packet is sent again before the peer counts as lost, 3 to 5. */
export const N_RETRY = 5;
/** Keep-alive above which the tolerance is 10 %; up to and including it, 50 %. */
export const TOLERANCE_STEP_MS = 60_000;
export const TOLERANCE_LONG_PERCENT = 10;
export const TOLERANCE_SHORT_PERCENT = 50;
