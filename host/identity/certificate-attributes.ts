// What a certificate says, as variables of policies.
import type { X509Certificate } from 'node:crypto';
import { ALTERNATIVE_NAMES, NAME_ATTRIBUTES, type Variables } from './policy/variables.js';

/** OpenSSL's short names to one value, or several in their order. */
type Attributes = Readonly<Record<string, string | readonly string[] | undefined>>;

const OF_NAME = /^iot:Certificate\.(Subject|Issuer)\.([A-Za-z]+)(?:\.(\d+))?$/;
const ALTERNATIVE = /^iot:Certificate\.Subject\.AlternativeName\.([A-Za-z0-9]+)(?:\.(\d+))?$/;

/** An attribute with several values is its first; `.1` behind the name is the second, as AWS counts. */
export function certificateVariables(certificate: X509Certificate): Variables {
  const { subject, issuer } = certificate.toLegacyObject() as unknown as { subject: Attributes; issuer: Attributes };
  const alternatives = alternativeNames(certificate.subjectAltName ?? '');
  return (name) => {
    if (name === 'iot:Certificate.SerialNumber') return decimal(certificate.serialNumber);
    const alternative = ALTERNATIVE.exec(name);
    if (alternative !== null) {
      const kind = ALTERNATIVE_NAMES[alternative[1] as keyof typeof ALTERNATIVE_NAMES];
      return alternatives.filter((a) => a.kind === kind)[Number(alternative[2] ?? 0)]?.value;
    }
    const [, whose, attribute, index] = OF_NAME.exec(name) ?? [];
    const short = NAME_ATTRIBUTES[attribute as keyof typeof NAME_ATTRIBUTES];
    if (short === undefined) return undefined;
    const values = [(whose === 'Subject' ? subject : issuer)?.[short] ?? []].flat();
    return values[Number(index ?? 0)];
  };
}

/** As AWS writes it. Undefined for a negative one, which RFC 5280 forbids. */
function decimal(hex: string): string | undefined {
  return /^[0-9A-Fa-f]+$/.test(hex) ? BigInt(`0x${hex}`).toString() : undefined;
}

interface AlternativeName {
  readonly kind: string;
  readonly value: string;
}

/** A value that could be taken for more than one name is a string of JSON. */
const NAME = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g;

/** Of Node's text, such as `DNS:example.com, IP Address:10.0.0.1, URI:"http://x/?a, b"`. */
function alternativeNames(text: string): readonly AlternativeName[] {
  return [...text.matchAll(NAME)].map(([, kind, value]) => ({
    kind: kind!,
    value: value!.startsWith('"') ? (JSON.parse(value!) as string) : value!,
  }));
}
