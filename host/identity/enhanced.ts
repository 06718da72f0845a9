// Enhanced authentication (MQTT 5.0, 4.12) by methods that the embedding program brings along: as many rounds as a method wants.
import type { Challenge, ConnectRequest } from '../broker/access.js';
import { ReasonCode } from '../broker/reason-codes.js';
import type { Denied, Granted } from './authenticator.js';
import type { PolicyBook } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import type { EnhancedMethod, EnhancedStep } from './ports.js';

/** A method that never comes to an end is ended. */
const ROUNDS_MAX = 16;

/** What came of a round. */
export type EnhancedOutcome =
  | (Granted & { readonly data?: Uint8Array | undefined })
  | Denied
  | {
      readonly isGranted: undefined;
      readonly data?: Uint8Array | undefined;
      next(data: Parameters<Challenge['next']>[0]): Promise<EnhancedOutcome>;
    };

export class EnhancedMethods {
  private readonly methods: ReadonlyMap<string, EnhancedMethod>;

  constructor(
    methods: Readonly<Record<string, EnhancedMethod>>,
    private readonly book: PolicyBook,
  ) {
    this.methods = new Map(Object.entries(methods));
  }

  /** Never rejects. */
  async start(method: string, request: ConnectRequest): Promise<EnhancedOutcome> {
    const known = this.methods.get(method);
    if (known === undefined) return denied(ReasonCode.BadAuthenticationMethod, 'method-unknown');
    const data = request.packet.properties?.authenticationData;
    return this.round(() => known.start(data, request), request, 1);
  }

  private async round(
    take: () => EnhancedStep | Promise<EnhancedStep>,
    request: ConnectRequest,
    number: number,
  ): Promise<EnhancedOutcome> {
    let step: EnhancedStep;
    try {
      step = await take();
      if (step.outcome === 'accepted') return this.grant(step);
    } catch {
      // What it says may have the client's credentials in it.
      return denied(ReasonCode.ServerUnavailable, 'method-failed');
    }
    if (step.outcome === 'refused') return denied(ReasonCode.NotAuthorized, 'method-refused');
    // Only the client may begin to authenticate itself anew (4.12.1): nobody can be asked.
    if (request.why === 'refresh') return denied(ReasonCode.NotAuthorized, 'method-wants-client');
    if (number === ROUNDS_MAX) return denied(ReasonCode.NotAuthorized, 'method-endless');
    if (typeof step.next !== 'function') return denied(ReasonCode.ServerUnavailable, 'method-failed');
    const { data } = step;
    const next = step.next.bind(step);
    return { isGranted: undefined, data, next: (answer) => this.round(() => next(answer), request, number + 1) };
  }

  /** Throws an IdentityError for policies that are none. */
  private grant(step: EnhancedStep & { readonly outcome: 'accepted' }): EnhancedOutcome {
    const { principal, data, disconnectAfterMs, refreshAfterMs } = step;
    const policies = new PolicySet(this.book.resolve(step.policies, 'policies'));
    return { isGranted: true, principal, policies, disconnectAfterMs, refreshAfterMs, data };
  }
}

function denied(reason: ReasonCode, why: string): Denied {
  return { isGranted: false, reason, why };
}
