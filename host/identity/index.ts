// Who clients are and what they may do: what others use of it.
export { createAccess } from './access.js';
export type { IdentityConfig, PolicyReference, RedirectConfig, TokensConfig, WayIn } from './config.js';
export { IdentityError, type IdentityErrorCode } from './error.js';
export { nodeIdentityPorts } from './node-ports.js';
export type { PolicyDocument, StatementDocument } from './policy/document.js';
export type {
  AuditEvent,
  Authorizer,
  AuthorizerAnswer,
  AuthorizerRequest,
  EnhancedMethod,
  EnhancedStep,
  IdentityPorts,
  Redirection,
} from './ports.js';
export { IDENTITY_SCHEMA } from './schema.js';
