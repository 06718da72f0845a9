// Clients with a certificate. That an authority of the listener's has signed it, and that the client has its key, TLS has seen to.
import { X509Certificate } from 'node:crypto';
import type { ConnectRequest, Peer } from '../broker/access.js';
import { type Authenticator, earliest, isForPeer, type Judgement, lifetimeOf, unwanted } from './authenticator.js';
import { certificateVariables } from './certificate-attributes.js';
import type { CertificatesConfig } from './config.js';
import { IdentityError } from './error.js';
import type { PolicyBook } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import type { IdentityPorts } from './ports.js';
import { WatchedFile } from './watched-file.js';

const KEY = 'identity.certificates';

export class Certificates implements Authenticator {
  readonly kind = 'certificate';
  private readonly policies: PolicySet;
  private readonly byFingerprint: ReadonlyMap<string, PolicySet>;
  private readonly allow: ReadonlySet<string> | undefined;
  private readonly deny: ReadonlySet<string>;
  private readonly denyFile: WatchedFile<ReadonlySet<string>> | undefined;

  /** Throws an IdentityError. */
  constructor(
    private readonly config: CertificatesConfig,
    book: PolicyBook,
    private readonly ports: IdentityPorts,
  ) {
    const all = book.resolve(config.policies, `${KEY}.policies`);
    this.policies = new PolicySet(all);
    this.byFingerprint = new Map(
      Object.entries(config.byFingerprint ?? {}).map(([fingerprint, references]) => {
        const own = book.resolve(references, `${KEY}.byFingerprint.${fingerprint}`);
        return [normal(fingerprint), new PolicySet([...all, ...own])];
      }),
    );
    this.allow = config.allow && new Set(config.allow.map(normal));
    this.deny = new Set(config.deny?.map(normal));
    this.denyFile =
      config.denyFile === undefined ? undefined : new WatchedFile(ports, `${KEY}.denyFile`, config.denyFile, parseList);
  }

  isFor(peer: Peer): boolean {
    return isForPeer(this.config.listeners, peer);
  }

  hasCredentials({ peer }: ConnectRequest): boolean {
    return peer.certificate !== undefined;
  }

  judge({ peer }: ConnectRequest): Judgement {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(peer.certificate!);
    } catch {
      return unwanted('certificate-malformed');
    }
    const principal = normal(certificate.fingerprint256);
    if (this.deny.has(principal) || this.denyFile?.value.has(principal))
      return unwanted('certificate-denied', { principal });
    if (this.allow?.has(principal) === false) return unwanted('certificate-not-listed', { principal });
    const leftMs = Date.parse(certificate.validTo) - this.ports.epochMs();
    if (leftMs <= 0) return unwanted('certificate-expired', { principal });
    const { disconnectAfterMs, refreshAfterMs } = lifetimeOf(this.config);
    return {
      isGranted: true,
      principal,
      policies: this.byFingerprint.get(principal) ?? this.policies,
      variables: certificateVariables(certificate),
      disconnectAfterMs: earliest(disconnectAfterMs, leftMs),
      refreshAfterMs,
    };
  }
}

/** As AWS writes the identifier of a certificate. */
const normal = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

/** A fingerprint a line; what follows a `#` is for people. */
function parseList(content: Uint8Array, place: string): ReadonlySet<string> {
  const all = new Set<string>();
  for (const [index, line] of Buffer.from(content).toString('utf8').split('\n').entries()) {
    const entry = normal(line.replace(/#.*/, '').trim());
    if (entry === '') continue;
    if (!/^[0-9a-f]{64}$/.test(entry)) {
      throw new IdentityError(
        'ERR_IDENTITY_FILE',
        place,
        `line ${index + 1}: allowed is a SHA-256 of 64 hexadecimal digits`,
      );
    }
    all.add(entry);
  }
  return all;
}
