// What the host imports from the device's side. AssemblyScript imports the files themselves.
export * from './error-code.js';
export * from './event-kind.js';
export * from './flags.js';
export * from './image.js';
export * from './limits.js';
export * from './packet-type.js';
export * from './return-code.js';
export * from './timers.js';
export * from './update.js';
