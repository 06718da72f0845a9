export * from './flags.js';
export * from './packet-type.js';
export * from './return-code.js';
export * from './timers.js';
