// Policies read the slow way, straight from their documents and without a line of the code under test: what the fast paths are
// held to.
import type { PolicyDocument, StatementDocument } from '../../../../host/identity/policy/document.js';

type Values = Readonly<Record<string, string>>;

const WILDCARD = /\$\{([^}]*)\}|[\s\S]/gu;

/** Where the pattern ends up that has been read so far, one set of positions in `text` after another. */
function matchesPattern(pattern: string, text: string, values: Values, isTopic: boolean, isDeny: boolean): boolean {
  const characters = [...text];
  let places = new Set([0]);
  for (const [token, name] of pattern.matchAll(WILDCARD)) {
    const next = new Set<number>();
    const value = name === undefined || /^[*?$]$/.test(name) ? name : usable(values[name], isTopic);
    const isMissing = name !== undefined && value === undefined;
    if (isMissing && !isDeny) return false;
    const isAny = token === '*' || isMissing;
    for (const place of places) {
      if (isAny) for (let to = place; to <= characters.length; to++) next.add(to);
      else if (token === '?') {
        if (place < characters.length) next.add(place + 1);
      } else {
        const literal = [...(value ?? token)];
        if (literal.every((character, i) => characters[place + i] === character)) next.add(place + literal.length);
      }
    }
    places = next;
  }
  return places.has(characters.length);
}

function usable(value: string | undefined, isTopic: boolean): string | undefined {
  if (value === undefined || value === '' || value.length > 512) return undefined;
  return isTopic && (/[+#/\0]/.test(value) || value[0] === '$') ? undefined : value;
}

const listOf = <T>(value: T | readonly T[]): readonly T[] => [value].flat() as readonly T[];

/** `resource`: with its type, such as `topic/a`. */
export function isAllowed(
  documents: readonly PolicyDocument[],
  action: string,
  resource: string,
  values: Values,
): boolean {
  const says = ({ Action, Resource, Effect }: StatementDocument): boolean =>
    listOf(Action).some((a) => matchesPattern(a.toLowerCase(), action.toLowerCase(), {}, false, false)) &&
    listOf(Resource).some((r) => {
      const bare = r.replace(/^arn:[^:]*:iot:[^:]*:[^:]*:/, '');
      return matchesPattern(bare, resource, values, !resource.startsWith('client/'), Effect === 'Deny');
    });
  const statements = documents.flatMap(({ Statement }) => listOf(Statement)).filter(says);
  return statements.some((s) => s.Effect === 'Allow') && !statements.some((s) => s.Effect === 'Deny');
}
