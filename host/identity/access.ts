// Who comes in: the ways in that the configuration has, in their order, and what becomes of a client that one of them has judged.
import { Ajv } from 'ajv';
import type { Accepted, Access, Answer, ConnectRequest, Refused, Verdict } from '../broker/access.js';
import { ReasonCode } from '../broker/reason-codes.js';
import { explainSchemaError } from '../core/schema-error.js';
import {
  type Authenticator,
  type Denied,
  type Granted,
  type Judgement,
  unavailable,
  unwanted,
  wrong,
} from './authenticator.js';
import { CustomAuthorizer } from './authorizer.js';
import { Certificates } from './certificates.js';
import type { IdentityConfig } from './config.js';
import { variablesOf } from './context.js';
import { EnhancedMethods, type EnhancedOutcome } from './enhanced.js';
import { IdentityError } from './error.js';
import { Passwords } from './passwords.js';
import { PolicyBook } from './policies.js';
import type { IdentityPorts, Redirection } from './ports.js';
import { IDENTITY_SCHEMA } from './schema.js';
import { SignedUrls } from './signed-urls.js';
import { Tokens } from './tokens.js';
import { Anonymous, Local, UnknownAuthorizer } from './uncredentialed.js';

const validate = new Ajv({ strict: false, verbose: true }).compile<IdentityConfig>(IDENTITY_SCHEMA);

/**
 * Reads the files that the configuration names. Throws an IdentityError that names the key, or the file. Without any way in
 * everybody comes in and may do everything.
 */
export function createAccess(config: IdentityConfig, ports: IdentityPorts): Access {
  if (!validate(config)) {
    throw new IdentityError(
      'ERR_IDENTITY_CONFIG',
      'identity',
      explainSchemaError(validate.errors!, 'the configuration'),
    );
  }
  const book = new PolicyBook(config.policies);
  const ways = waysIn(config, book, ports);
  const methods = ports.methods && new EnhancedMethods(ports.methods, book);
  if (ways.length === 0 && methods === undefined && config.policies !== undefined) {
    const what = 'nobody has them: name certificates, tokens, signedUrls, passwords, anonymous or local, too';
    throw new IdentityError('ERR_IDENTITY_CONFIG', 'identity.policies', what);
  }
  return new Doorkeeper(ways, methods, config, ports);
}

/** In the order in which they are asked. */
function waysIn(config: IdentityConfig, book: PolicyBook, ports: IdentityPorts): readonly Authenticator[] {
  const { certificates, tokens = [], signedUrls, passwords, anonymous, local } = config;
  const ways: Authenticator[] = [];
  if (local !== undefined) ways.push(new Local(local, book));
  if (certificates !== undefined) ways.push(new Certificates(certificates, book, ports));
  for (const [index, one] of tokens.entries()) ways.push(new Tokens(one, `identity.tokens[${index}]`, book, ports));
  if (signedUrls !== undefined) ways.push(new SignedUrls(signedUrls, book, ports));
  if (ports.authorizer !== undefined) ways.push(new CustomAuthorizer(ports.authorizer));
  if (tokens.length > 0) ways.push(new UnknownAuthorizer());
  if (passwords !== undefined) ways.push(new Passwords(passwords, book, ports));
  if (anonymous !== undefined) ways.push(new Anonymous(anonymous, book));
  return ways;
}

/** A longer client identifier is cut in what is told. */
const TOLD_CHARS_MAX = 128;

/** Who has judged a client, for the auditor. */
type By = string | undefined;

class Doorkeeper implements Access {
  private readonly isOpen: boolean;

  constructor(
    private readonly ways: readonly Authenticator[],
    private readonly methods: EnhancedMethods | undefined,
    private readonly config: IdentityConfig,
    private readonly ports: IdentityPorts,
  ) {
    this.isOpen = ways.length === 0 && methods === undefined;
  }

  connect(request: ConnectRequest, answer: Answer, now: number): void {
    const method = request.packet.properties?.authenticationMethod;
    if (method !== undefined) {
      void this.enhanced(method, request).then((outcome) => this.reply(outcome, request, answer));
      return;
    }
    if (this.isOpen) {
      answer(this.open(request), now);
      return;
    }
    const way = this.ways.find((one) => one.isFor(request.peer) && one.hasCredentials(request));
    const judgement = judgementOf(way, request);
    if (judgement instanceof Promise) {
      void judgement.then((later) => answer(this.verdict(later, request, way?.kind), this.ports.clock()));
    } else answer(this.verdict(judgement, request, way?.kind), now);
  }

  /** Everybody may come in. Never throws. */
  private open(request: ConnectRequest): Verdict {
    try {
      return this.redirected(request) ?? { outcome: 'accepted' };
    } catch (error) {
      return this.refuse(failure(error), request, undefined);
    }
  }

  private async enhanced(method: string, request: ConnectRequest): Promise<EnhancedOutcome> {
    const unknown: Denied = { isGranted: false, reason: ReasonCode.BadAuthenticationMethod, why: 'method-unknown' };
    return this.methods?.start(method, request) ?? unknown;
  }

  /** A round of enhanced authentication is over. */
  private reply(outcome: EnhancedOutcome, request: ConnectRequest, answer: Answer): void {
    const data = 'data' in outcome && outcome.data !== undefined ? { authenticationData: outcome.data } : {};
    if (outcome.isGranted !== undefined) {
      const verdict = this.verdict(outcome, request, 'method');
      answer(verdict.outcome === 'accepted' ? { ...verdict, ...data } : verdict, this.ports.clock());
      return;
    }
    const next = (said: Uint8Array | undefined, then: Answer): void => {
      void outcome.next(said).then((later) => this.reply(later, request, then));
    };
    answer({ outcome: 'continue', ...data, next }, this.ports.clock());
  }

  /** Never throws. */
  private verdict(judgement: Judgement, request: ConnectRequest, by: By): Exclude<Verdict, { outcome: 'continue' }> {
    if (!judgement.isGranted) return this.refuse(judgement, request, by);
    try {
      const permissions = judgement.policies.for(variablesOf(request, judgement));
      if (!permissions.connect(request.clientId)) {
        return this.refuse(unwanted('policy', { principal: judgement.principal }), request, by);
      }
      return this.redirected(request) ?? accepted(judgement, permissions);
    } catch (error) {
      return this.refuse(failure(error), request, by);
    }
  }

  private refuse(denied: Denied, { clientId, peer, why }: ConnectRequest, by: By): Refused {
    this.ports.audit?.('connect-refused', {
      clientId: clientId.slice(0, TOLD_CHARS_MAX),
      ...(peer.address !== undefined && { address: peer.address }),
      ...(peer.listener !== undefined && { listener: peer.listener }),
      transport: peer.transport,
      ...(why !== 'connect' && { request: why }),
      ...(by !== undefined && { by }),
      why: denied.why,
      ...denied.fields,
    });
    return { outcome: 'refused', reason: denied.reason };
  }

  /** Only who may come in learns where the others are; and who is here already stays. */
  private redirected(request: ConnectRequest): Refused | undefined {
    if (request.why !== 'connect' || request.peer.transport === 'local') return undefined;
    const { redirect } = this.config;
    const configured = redirect && { serverReference: redirect.to, permanent: redirect.permanent ?? false };
    const to: Redirection | undefined = this.ports.redirect?.(request) ?? configured;
    if (to === undefined) return undefined;
    const reason = to.permanent ? ReasonCode.ServerMoved : ReasonCode.UseAnotherServer;
    return { outcome: 'refused', reason, serverReference: to.serverReference };
  }
}

/** Neither throws nor rejects. */
function judgementOf(way: Authenticator | undefined, request: ConnectRequest): Judgement | Promise<Judgement> {
  if (way === undefined) {
    const { username, password } = request.packet;
    return username === undefined && password === undefined ? unwanted('no-credentials') : wrong('credentials-unknown');
  }
  try {
    const judgement = way.judge(request);
    return judgement instanceof Promise ? judgement.catch(failure) : judgement;
  } catch (error) {
    return failure(error);
  }
}

/** A mistake of ours or of a hook. What it says may have credentials in it: its name has to do. */
function failure(error: unknown): Denied {
  return unavailable('failure', { error: error instanceof Error ? error.name : typeof error });
}

function accepted(granted: Granted, permit: NonNullable<Accepted['permit']>): Accepted {
  const { principal, disconnectAfterMs, refreshAfterMs } = granted;
  return {
    outcome: 'accepted',
    permit,
    ...(principal !== undefined && { principal }),
    ...(disconnectAfterMs !== undefined && { disconnectAfterMs }),
    ...(refreshAfterMs !== undefined && { refreshAfterMs }),
  };
}
