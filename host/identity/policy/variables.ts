// The variables of policies: which there are, and what their values may be.

/** The value of a variable for one connection; undefined: it has none. */
export type Variables = (name: string) => string | undefined;

/** Attributes of a distinguished name as AWS calls them, and in OpenSSL's short form. */
export const NAME_ATTRIBUTES = {
  CommonName: 'CN',
  Country: 'C',
  DistinguishedNameQualifier: 'dnQualifier',
  GenerationQualifier: 'generationQualifier',
  GivenName: 'GN',
  Initials: 'initials',
  Organization: 'O',
  OrganizationalUnit: 'OU',
  Pseudonym: 'pseudonym',
  SerialNumber: 'serialNumber',
  State: 'ST',
  Surname: 'SN',
  Title: 'title',
} as const;

/** Alternative names as AWS calls them, and as OpenSSL does. */
export const ALTERNATIVE_NAMES = {
  DNSName: 'DNS',
  IPAddress: 'IP Address',
  RFC822Name: 'email',
  UniformResourceIdentifier: 'URI',
} as const;

export const CLAIM = 'thimble:Claim.';

const SIMPLE = new Set([
  'aws:SourceIp',
  'iot:ClientId',
  'iot:Connection.Thing.ThingName',
  'iot:DomainName',
  'iot:Certificate.SerialNumber',
  'thimble:Principal',
  'thimble:Username',
]);

const alternatives = (names: object): string => Object.keys(names).join('|');

const OF_NAMES = new RegExp(
  '^iot:Certificate\\.(' +
    `(Subject|Issuer)\\.(${alternatives(NAME_ATTRIBUTES)})|Subject\\.AlternativeName\\.(${alternatives(ALTERNATIVE_NAMES)})` +
    ')(\\.\\d{1,3})?$',
);

export function isVariable(name: string): boolean {
  return SIMPLE.has(name) || OF_NAMES.test(name) || (name.startsWith(CLAIM) && name.length > CLAIM.length);
}

export const VARIABLES_IN_WORDS =
  `${[...SIMPLE].join(', ')}, iot:Certificate.Subject.… and .Issuer.… (${Object.keys(NAME_ATTRIBUTES).join(', ')}), ` +
  `iot:Certificate.Subject.AlternativeName.… (${Object.keys(ALTERNATIVE_NAMES).join(', ')}), ${CLAIM}…, and \${*}, \${?}, \${$}`;

/** A longer one would make patterns slow to compare; AWS allows client identifiers of 128. */
const VALUE_CHARS_MAX = 512;

/**
 * Values that would make another topic or filter than its author meant: with a wildcard of MQTT, with a level more, or one of the
 * server's own.
 */
const AMBIGUOUS_IN_TOPIC = /[+#/\0]|^\$/;

/** Whether the value may stand in a resource; where it may not, the variable counts as having none. */
export function mayStandIn(value: string, isTopic: boolean): boolean {
  if (value.length === 0 || value.length > VALUE_CHARS_MAX) return false;
  return !(isTopic && AMBIGUOUS_IN_TOPIC.test(value));
}
