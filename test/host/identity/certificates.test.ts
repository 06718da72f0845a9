// Clients with certificates: what the certificate says becomes variables, and lists say which may not come.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { CertificatesConfig } from '../../../host/identity/config.js';
import { ALL, World } from './world.js';

// Made with: openssl req -x509 -days 36500 …; subject and alternative names as the tests below expect them.
const CERTIFICATE = new X509Certificate(readFileSync(join(import.meta.dirname, 'device.pem')));
const FINGERPRINT = CERTIFICATE.fingerprint256.replaceAll(':', '').toLowerCase();
const peer = { certificate: new Uint8Array(CERTIFICATE.raw) };

const world = (certificates: CertificatesConfig, files = {}): World => new World({ certificates }, files);

describe('a client with a certificate', () => {
  it("comes in as the certificate's fingerprint, until the certificate ends", async () => {
    const w = world({ policies: [ALL] });
    const { principal, disconnectAfterMs, refreshAfterMs } = await w.accepted({ peer });
    expect(principal).toBe(FINGERPRINT);
    expect(disconnectAfterMs).toBe(Date.parse(CERTIFICATE.validTo) - w.nowMs);
    expect(refreshAfterMs).toBeUndefined();
  });

  it('is disconnected and judged anew as the configuration says', async () => {
    const w = world({ policies: [ALL], disconnectAfterS: 3_600, refreshAfterS: 300 });
    expect(await w.accepted({ peer })).toMatchObject({ disconnectAfterMs: 3_600_000, refreshAfterMs: 300_000 });
  });

  it('may do nothing without a policy', async () => {
    expect(await world({}).refused({ peer })).toEqual(['policy', ReasonCode.NotAuthorized]);
  });

  it('has policies of its own besides those of all', async () => {
    const own = { Statement: { Effect: 'Allow', Action: 'iot:Publish', Resource: 'topic/own' } } as const;
    const connect = { Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' } } as const;
    const { permit } = await world({
      policies: [connect],
      byFingerprint: { [CERTIFICATE.fingerprint256]: [own] },
    }).accepted({ peer });
    expect(permit!.publish('own', 0, false)).toBe(true);
    const other = await world({ policies: [connect], byFingerprint: { ['00'.repeat(32)]: [own] } }).accepted({ peer });
    expect(other.permit!.publish('own', 0, false)).toBe(false);
  });

  const values: [name: string, value: string | undefined][] = [
    ['Certificate.Subject.CommonName', 'Light/Bulb*'],
    ['Certificate.Issuer.CommonName', 'Light/Bulb*'],
    ['Certificate.Subject.Country', 'US'],
    ['Certificate.Subject.State', 'NY'],
    ['Certificate.Subject.Organization', 'IoT Devices'],
    ['Certificate.Subject.OrganizationalUnit', 'First'],
    ['Certificate.Subject.OrganizationalUnit.0', 'First'],
    ['Certificate.Subject.OrganizationalUnit.1', 'Sec,ond + x'],
    ['Certificate.Subject.OrganizationalUnit.2', undefined],
    ['Certificate.Subject.GivenName', 'Bulb'],
    ['Certificate.Subject.Surname', 'Multi'],
    ['Certificate.Subject.Initials', 'ZZ'],
    ['Certificate.Subject.Title', 'RGB'],
    ['Certificate.Subject.Pseudonym', 'P'],
    ['Certificate.Subject.GenerationQualifier', '4'],
    ['Certificate.Subject.SerialNumber', '123'],
    ['Certificate.Subject.DistinguishedNameQualifier', 'Bulb001'],
    ['Certificate.Subject.AlternativeName.DNSName', 'example.com'],
    ['Certificate.Subject.AlternativeName.DNSName.1', 'b.example'],
    // The name of a URI that looks like the end of one and the beginning of another.
    ['Certificate.Subject.AlternativeName.DNSName.2', undefined],
    ['Certificate.Subject.AlternativeName.UniformResourceIdentifier', 'http://x/?a, DNS:evil.example'],
    ['Certificate.Subject.AlternativeName.IPAddress', '1.2.3.4'],
    ['Certificate.Subject.AlternativeName.IPAddress.1', '2001:DB8:0:0:0:0:0:1'],
    ['Certificate.Subject.AlternativeName.RFC822Name', 'd@example.com'],
    ['Certificate.SerialNumber', BigInt(`0x${CERTIFICATE.serialNumber}`).toString()],
  ];
  it.each(values)('has iot:%s = %j', async (name, value) => {
    const clientId = value ?? 'undefined';
    const Resource = `client/\${iot:${name}}`;
    const w = world({ policies: [{ Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource } }] });
    if (value === undefined) expect(await w.refused({ peer, clientId })).toEqual(['policy', ReasonCode.NotAuthorized]);
    else await w.accepted({ peer, clientId });
    expect(await w.refused({ peer, clientId: `${clientId}x` })).toEqual(['policy', ReasonCode.NotAuthorized]);
  });

  it('whose common name has a slash gets no topic by it', async () => {
    const Resource = `topic/\${iot:Certificate.Subject.CommonName}`;
    const { permit } = await world({
      policies: [
        {
          Statement: [
            { Effect: 'Allow', Action: 'iot:Publish', Resource },
            { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' },
          ],
        },
      ],
    }).accepted({ peer });
    for (const topic of ['Light/Bulb*', 'Light/Bulb', 'Light/Bulb1'])
      expect(permit!.publish(topic, 0, false)).toBe(false);
  });

  const refused: [what: string, config: CertificatesConfig, why: string][] = [
    ['is on the list of the denied', { deny: [CERTIFICATE.fingerprint256] }, 'certificate-denied'],
    ['is on both lists', { deny: [FINGERPRINT], allow: [FINGERPRINT] }, 'certificate-denied'],
    ['is not on the list of the allowed', { allow: ['ab'.repeat(32)] }, 'certificate-not-listed'],
  ];
  it.each(refused)('that %s is refused', async (_, config, why) => {
    expect(await world({ policies: [ALL], ...config }).refused({ peer })).toEqual([why, ReasonCode.NotAuthorized]);
  });

  it('on the list of the allowed comes in', async () => {
    await world({ policies: [ALL], allow: [FINGERPRINT.toUpperCase()], deny: ['ab'.repeat(32)] }).accepted({ peer });
  });

  it('that has ended, or is none, is refused', async () => {
    const w = world({ policies: [ALL] });
    expect(await w.refused({ peer: { certificate: Uint8Array.of(1, 2, 3) } })).toEqual([
      'certificate-malformed',
      ReasonCode.NotAuthorized,
    ]);
    w.nowMs = Date.parse(CERTIFICATE.validTo);
    expect(await w.refused({ peer })).toEqual(['certificate-expired', ReasonCode.NotAuthorized]);
  });

  it('is judged by it alone, whatever else it shows', async () => {
    const w = new World({ certificates: { deny: [FINGERPRINT] }, anonymous: { policies: [ALL] } });
    expect(await w.refused({ peer, username: 'somebody', password: 'x' })).toEqual([
      'certificate-denied',
      ReasonCode.NotAuthorized,
    ]);
    expect(await w.refused({ peer })).toEqual(['certificate-denied', ReasonCode.NotAuthorized]);
    await w.accepted();
  });
});

describe('the file of denied certificates', () => {
  it('is read again when it changes, so that a client is refused when it is judged anew', async () => {
    const w = world({ policies: [ALL], denyFile: 'revoked' }, { revoked: '# nobody yet\n\n' });
    await w.accepted({ peer });
    w.files.set('revoked', `${CERTIFICATE.fingerprint256}  # stolen in May\n`);
    await w.accepted({ peer, why: 'refresh' }); // not asked after more than once a second
    w.nowMs += 1_000;
    expect(await w.refused({ peer, why: 'refresh' })).toEqual(['certificate-denied', ReasonCode.NotAuthorized]);
  });

  it('that becomes unreadable goes on to hold as it was, and the auditor hears of it', async () => {
    const w = world({ policies: [ALL], denyFile: 'revoked' }, { revoked: FINGERPRINT });
    for (const broken of ['no fingerprint', undefined]) {
      if (broken === undefined) w.files.delete('revoked');
      else w.files.set('revoked', broken);
      w.nowMs += 1_000;
      expect(await w.refused({ peer })).toEqual(['certificate-denied', ReasonCode.NotAuthorized]);
      expect(w.audited.at(-2)).toMatchObject({
        event: 'identity-file-refused',
        fields: { key: 'identity.certificates.denyFile' },
      });
    }
  });

  it('that is no good is told of once, and not again before it changes', async () => {
    const w = world({ policies: [ALL], denyFile: 'revoked' }, { revoked: '' });
    const told = async (content: string): Promise<number> => {
      const before = w.audited.length;
      w.files.set('revoked', content);
      for (let i = 0; i < 5; i++) {
        w.nowMs += 1_000;
        await w.accepted({ peer });
      }
      return w.audited.length - before;
    };
    expect([await told('broken'), await told(''), await told('broken'), await told('broken too')]).toEqual([
      1, 0, 1, 1,
    ]);
  });

  it('that cannot be read at the start is an error that names key, file and line', () => {
    const failing =
      (files: object): (() => World) =>
      () =>
        world({ denyFile: 'revoked' }, files);
    expect(failing({})).toThrow(
      expect.objectContaining({
        code: 'ERR_IDENTITY_FILE',
        message: 'identity.certificates.denyFile revoked: cannot be read: there is no such file',
      }),
    );
    expect(failing({ revoked: `${FINGERPRINT}\nabc` })).toThrow(
      expect.objectContaining({
        code: 'ERR_IDENTITY_FILE',
        message: expect.stringContaining('denyFile revoked: line 2: allowed is'),
      }),
    );
  });
});
