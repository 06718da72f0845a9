import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { build } from '../../../host/firmware/build.js';
import {
  isSignedBy,
  type Manifest,
  makeManifest,
  parseSigningKey,
  sha256,
  versionFor,
} from '../../../host/firmware/manifest.js';
import { signUpdate } from '../../../host/firmware/sign-update.js';
import { HEADER_BYTES, SIGNED_BYTES } from '../../../host/update/header.js';
import { describeWithTools } from '../../tools.js';
import { appText, buildApp, scratch } from './modules.js';

const MODULE = Uint8Array.from({ length: 1_000 }, (_, i) => i * 7);
const SIZES = { wasmBytes: 1_000, stateBytes: 200, linearBytes: 300, operandStackBytes: 400 };
const INFO = { name: 'bell', version: '1.20.3', abi: 2, board: 'shed', sizes: SIZES };
const keys = (): ReturnType<typeof generateKeyPairSync> => generateKeyPairSync('ed25519');

const validate = new Ajv().compile(
  JSON.parse(readFileSync(new URL('../../../docs/manifest.schema.json', import.meta.url), 'utf8')) as object,
);

describe('a manifest', () => {
  it('says what the module is, and keeps its schema, signed or not', () => {
    const manifest = makeManifest(MODULE, INFO);
    expect(manifest).toEqual({ format: 1, ...INFO, sha256: sha256(MODULE) });
    expect(sha256(new Uint8Array())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    const { privateKey } = keys();
    const all = [
      manifest,
      makeManifest(MODULE, { ...INFO, abi: null }),
      makeManifest(MODULE, { ...INFO, key: privateKey }),
    ];
    for (const one of all)
      expect(validate(JSON.parse(JSON.stringify(one))), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...manifest, more: 1 })).toBe(false);
  });

  it('for no board in particular is for any', () => {
    expect(makeManifest(MODULE, { ...INFO, board: undefined }).board).toBe('*');
  });

  it('lies beside each module that is built, and tells its sizes', async () => {
    const report = await buildApp({ 'bell.ts': appText() });
    const manifest = JSON.parse(readFileSync(report.files.manifest, 'utf8')) as Manifest;
    expect(validate(manifest)).toBe(true);
    const { wasmBytes, stateBytes, linearBytes, operandStackBytes } = report;
    expect(manifest).toMatchObject({
      name: 'bell',
      version: '0.0.0',
      abi: 2,
      board: '*',
      sizes: { wasmBytes, stateBytes, linearBytes, operandStackBytes },
      sha256: sha256(readFileSync(report.out)),
    });
    expect(operandStackBytes).toBeGreaterThan(500);
  });

  it('of a module without the contract has none', async () => {
    const out = join(scratch(), 'codec.wasm');
    const { files } = await build({ name: 'codec', entry: 'codec-mqttsn', contract: false, out });
    expect(JSON.parse(readFileSync(files.manifest, 'utf8'))).toMatchObject({ abi: null });
  });
});

describe('a signature', () => {
  const { privateKey, publicKey } = keys();
  const signed = makeManifest(MODULE, { ...INFO, key: privateKey });

  it("is the owner's, and nobody else's", () => {
    expect(isSignedBy(signed, MODULE, publicKey)).toBe(true);
    expect(isSignedBy(signed, MODULE, createPublicKey(keys().privateKey))).toBe(false);
    expect(isSignedBy(makeManifest(MODULE, INFO), MODULE, publicKey)).toBe(false);
  });

  it('is broken by any bit of the module, of the signature and of what is signed', () => {
    for (const at of [0, 500, 999]) {
      expect(isSignedBy(signed, MODULE.with(at, MODULE[at]! ^ 1), publicKey)).toBe(false);
    }
    const flip = (text: string, at: number): string => {
      const octets = Buffer.from(text, 'base64');
      octets[at]! ^= 1;
      return octets.toString('base64');
    };
    const { signature } = signed;
    for (const at of [0, 63]) {
      const bad = { ...signed, signature: { ...signature!, value: flip(signature!.value, at) } };
      expect(isSignedBy(bad, MODULE, publicKey)).toBe(false);
    }
    for (const at of [0, 8, 99]) {
      const bad = { ...signed, signature: { ...signature!, signed: flip(signature!.signed, at) } };
      expect(isSignedBy(bad, MODULE, publicKey)).toBe(false);
    }
  });

  it.each([
    ['name', { name: 'bella' }],
    ['version', { version: '1.20.4' }],
    ['contract', { abi: 3 }],
    ['board', { board: '*' }],
  ])('vouches for the %s', (_what, other) => {
    expect(isSignedBy({ ...signed, ...other }, MODULE, publicKey)).toBe(false);
  });

  it('is the one that an update of the module carries', () => {
    const update = signUpdate(MODULE, { name: 'bell', version: '1.20.3', board: 'shed' }, privateKey);
    const header = Buffer.from(update.subarray(0, HEADER_BYTES));
    expect(header.subarray(0, SIGNED_BYTES).toString('base64')).toBe(signed.signature!.signed);
    expect(header.subarray(SIGNED_BYTES).toString('base64')).toBe(signed.signature!.value);
  });

  it('needs a name that a header of an update can hold', () => {
    const name = 'a-name-of-25-octets-xxxxx';
    expect(makeManifest(MODULE, { ...INFO, name }).name).toBe(name);
    expect(() => makeManifest(MODULE, { ...INFO, name, key: privateKey })).toThrow(
      expect.objectContaining({ code: 'ERR_UPDATE_HEADER' }),
    );
  });
});

describeWithTools(['openssl'], "a signature in openssl's eyes", () => {
  it('is good with the key that openssl made, and bad after one bit has changed', () => {
    const folder = scratch();
    const at = (name: string): string => join(folder, name);
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')]);
    execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('public.pem')]);
    const key = parseSigningKey(readFileSync(at('key.pem')), 'key.pem');
    const { signature } = makeManifest(MODULE, { ...INFO, key });
    const verify = (signed: Buffer): number | null => {
      writeFileSync(at('signed'), signed);
      writeFileSync(at('value'), Buffer.from(signature!.value, 'base64'));
      const args = [
        '-verify',
        '-rawin',
        '-pubin',
        '-inkey',
        at('public.pem'),
        '-in',
        at('signed'),
        '-sigfile',
        at('value'),
      ];
      return spawnSync('openssl', ['pkeyutl', ...args]).status;
    };
    const signed = Buffer.from(signature!.signed, 'base64');
    expect(signed.subarray(-32).toString('hex')).toBe(sha256(MODULE));
    expect(verify(signed)).toBe(0);
    signed[50]! ^= 4;
    expect(verify(signed)).not.toBe(0);
  });
});

describe('a key', () => {
  it.each([
    ['nothing', '', 'no private key'],
    ['a public key', keys().publicKey.export({ type: 'spki', format: 'pem' }), 'no private key'],
    [
      'a key for something else',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'a key for ec, not Ed25519',
    ],
  ])('that is %s is ERR_KEY, with how to make one', (_what, pem, said) => {
    expect(() => parseSigningKey(Buffer.from(pem), 'k.pem')).toThrow(
      expect.objectContaining({ code: 'ERR_KEY', message: expect.stringMatching(`^k.pem: ${said}.*openssl genpkey`) }),
    );
  });
});

describe('the version', () => {
  it.each([
    ['{"version":"2.10.0"}', '2.10.0'],
    ['{"version":"2.10.0-beta.1"}', '2.10.0'],
    ['{"version":"2.10.0+build"}', '2.10.0'],
    ['{"version":"two"}', '0.0.0'],
    ['{"version":2}', '0.0.0'],
    ['{"name":"no version"}', '0.0.0'],
    ['no JSON', '0.0.0'],
  ])('beside %s is %s', (text, version) => {
    const folder = scratch();
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'package.json'), text);
    expect(versionFor(join(folder, 'src', 'bell.ts'))).toBe(version);
    expect(versionFor(join(folder, 'bell.ts'))).toBe(version);
  });

  it('is that of the nearest file', () => {
    const folder = scratch();
    mkdirSync(join(folder, 'inner'));
    writeFileSync(join(folder, 'package.json'), '{"version":"1.0.0"}');
    writeFileSync(join(folder, 'inner', 'package.json'), '{"version":"2.0.0"}');
    expect(versionFor(join(folder, 'inner', 'bell.ts'))).toBe('2.0.0');
  });
});
