// A broker of your own, as `thimble/broker`. docs/BROKER.md explains it.
export type { Accepted, Access, Answer, Client, ConnectRequest, Peer, Permit, Verdict } from '../broker/access.js';
export type { ClientInfo } from '../broker/broker.js';
export { BROKER_DEFAULTS, type BrokerConfig } from '../broker/config.js';
export type { Counters } from '../broker/counters.js';
export { BrokerError, type BrokerErrorCode } from '../broker/errors.js';
export type { MessageProperties } from '../broker/properties.js';
export { ReasonCode } from '../broker/reason-codes.js';
export type {
  Authorizer,
  AuthorizerAnswer,
  AuthorizerRequest,
  EnhancedMethod,
  EnhancedStep,
  IdentityConfig,
  PolicyDocument,
} from '../identity/index.js';
export { type MetricFamily, renderMetrics } from '../metrics/text.js';
export { LISTENER_LIMITS, type ListenerKind, type ListenerLimits, type TlsSpec } from '../net/listeners.js';
export type { Log, Qos } from '../ports.js';
export { createBroker } from './create-broker.js';
export { type LineLogOptions, type LogFormat, type LogLevel, lineLog } from './logs.js';
export type { Payload, PublishOptions, ReceivedMessage } from './message.js';
export type { MessageListener } from './observers.js';
export type { BrokerListener, BrokerOptions, Durability, IdentityHooks, ReloadOptions } from './options.js';
export type { BrokerListening, RunningBroker } from './running-broker.js';
