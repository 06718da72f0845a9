// The policies that a configuration names: each document parsed once, and references to them resolved.
import type { PolicyReference } from './config.js';
import { IdentityError } from './error.js';
import { type Policy, type PolicyDocument, parsePolicy } from './policy/document.js';

/** As AWS has it for custom authorizers. */
const DOCUMENTS_MAX = 10;
const DOCUMENT_CHARS_MAX = 2_048;

export class PolicyBook {
  private readonly byName: ReadonlyMap<string, Policy>;

  /** Throws ERR_IDENTITY_POLICY. */
  constructor(policies: Readonly<Record<string, PolicyDocument>> = {}) {
    const entries = Object.entries(policies);
    this.byName = new Map(
      entries.map(([name, document]) => [name, parsePolicy(document, `identity.policies.${name}`)]),
    );
  }

  /** `place` is where they are named. Throws ERR_IDENTITY_CONFIG and ERR_IDENTITY_POLICY. */
  resolve(references: readonly PolicyReference[] | undefined, place: string): readonly Policy[] {
    return (references ?? []).map((reference, index) => {
      const at = `${place}[${index}]`;
      if (typeof reference !== 'string') return parsePolicy(reference, at);
      const policy = this.byName.get(reference);
      if (policy !== undefined) return policy;
      const names = [...this.byName.keys()].join(', ') || 'none';
      throw new IdentityError(
        'ERR_IDENTITY_CONFIG',
        at,
        `there is no policy "${reference}"; identity.policies has ${names}`,
      );
    });
  }
}

/**
 * Documents of somebody else's making: one or a list of them, each as JSON or as an object; undefined is none. Throws
 * ERR_IDENTITY_POLICY, also for too many or too long ones.
 */
export function parseForeignPolicies(documents: unknown, place: string): readonly Policy[] {
  if (documents === undefined || documents === null) return [];
  const list: readonly unknown[] = Array.isArray(documents) ? documents : [documents];
  if (list.length > DOCUMENTS_MAX) fail(place, `${list.length} documents; allowed are at most ${DOCUMENTS_MAX}`);
  return list.map((document, index) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    const at = `${place}[${index}]`;
    if (text.length > DOCUMENT_CHARS_MAX) fail(at, `longer than ${DOCUMENT_CHARS_MAX} characters`);
    return parsePolicy(typeof document === 'string' ? parseJson(text, at) : document, at);
  });
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fail(place, 'not JSON');
  }
}

function fail(place: string, what: string): never {
  throw new IdentityError('ERR_IDENTITY_POLICY', place, what);
}
