// The MQTT-SN gateway core.
export type { GatewayConfig, PredefinedConfig } from './config.js';
export { gatewayConfig } from './config.js';
export type { GatewayPorts } from './core.js';
export type { Counters } from './counters.js';
export { Gateway } from './gateway.js';
