// Clients whom a function of the embedding program judges, with the answers of AWS's custom authorizers.
import { Ajv } from 'ajv';
import type { ConnectRequest, Peer } from '../broker/access.js';
import { explainSchemaError } from '../core/schema-error.js';
import { type Authenticator, isForPeer, type Judgement, unavailable, wrong } from './authenticator.js';
import { parseForeignPolicies } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import type { Authorizer, AuthorizerAnswer, AuthorizerRequest } from './ports.js';
import { LIFETIME_S_MAX, LIFETIME_S_MIN } from './schema.js';
import { authorizerAskedFor, findToken, TOKEN_KEY_DEFAULT } from './token-places.js';

const MS_PER_S = 1_000;
const LIFETIME_S = { type: 'integer', minimum: LIFETIME_S_MIN, maximum: LIFETIME_S_MAX };

const ANSWER_SCHEMA = {
  type: 'object',
  properties: {
    isAuthenticated: { type: 'boolean' },
    principalId: { type: 'string', pattern: '^[A-Za-z0-9]{1,128}$', description: '1 to 128 letters and digits' },
    policyDocuments: { type: 'array' },
    disconnectAfterInSeconds: LIFETIME_S,
    refreshAfterInSeconds: LIFETIME_S,
  },
  required: ['isAuthenticated'],
};

const validate = new Ajv({ strict: false, verbose: true }).compile<AuthorizerAnswer>(ANSWER_SCHEMA);

export class CustomAuthorizer implements Authenticator {
  readonly kind = 'authorizer';

  constructor(private readonly authorize: Authorizer) {}

  isFor(peer: Peer): boolean {
    return isForPeer(undefined, peer);
  }

  hasCredentials(request: ConnectRequest): boolean {
    const { packet } = request;
    if (packet.username !== undefined || packet.password !== undefined) return true;
    return authorizerAskedFor(request) !== undefined || tokenOf(request) !== undefined;
  }

  async judge(request: ConnectRequest): Promise<Judgement> {
    let answer: unknown;
    try {
      answer = await this.authorize(requestFor(request));
    } catch {
      // What it says may have the client's credentials in it.
      return unavailable('authorizer-failed');
    }
    if (!validate(answer)) {
      return wrong('authorizer-answer', { reason: explainSchemaError(validate.errors!, 'the answer') });
    }
    if (!answer.isAuthenticated) return wrong('authorizer-refused');
    if (answer.principalId === undefined)
      return wrong('authorizer-answer', { reason: 'the answer lacks "principalId"' });
    return grant(answer, answer.principalId);
  }
}

function grant(answer: AuthorizerAnswer, principal: string): Judgement {
  const { policyDocuments, disconnectAfterInSeconds, refreshAfterInSeconds } = answer;
  const inMs = (seconds: number | undefined): number | undefined => seconds && seconds * MS_PER_S;
  try {
    return {
      isGranted: true,
      principal,
      policies: new PolicySet(parseForeignPolicies(policyDocuments, 'policyDocuments')),
      disconnectAfterMs: inMs(disconnectAfterInSeconds),
      refreshAfterMs: inMs(refreshAfterInSeconds),
    };
  } catch (error) {
    return wrong('authorizer-answer', { principal, reason: (error as Error).message });
  }
}

function tokenOf(request: ConnectRequest): string | undefined {
  return findToken(request, ['username-query', 'query', 'header'], TOKEN_KEY_DEFAULT);
}

function requestFor(request: ConnectRequest): AuthorizerRequest {
  const { packet, peer, clientId, why } = request;
  const token = tokenOf(request);
  const isTls = peer.transport === 'tls' || peer.transport === 'wss';
  const tls = isTls ? { serverName: peer.serverName ?? '' } : undefined;
  const at = peer.url?.indexOf('?') ?? -1;
  const http =
    peer.url === undefined
      ? undefined
      : { headers: peer.headers ?? {}, queryString: at === -1 ? '' : peer.url.slice(at) };
  return {
    ...(token !== undefined && { token }),
    protocols: [...(tls ? ['tls' as const] : []), ...(http ? ['http' as const] : []), 'mqtt'],
    protocolData: {
      ...(tls && { tls }),
      ...(http && { http }),
      mqtt: {
        ...(packet.username !== undefined && { username: packet.username }),
        ...(packet.password !== undefined && { password: Buffer.from(packet.password).toString('base64') }),
        clientId,
      },
    },
    why,
  };
}
