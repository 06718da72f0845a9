import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ABI_VERSION } from '../../../assembly/protocol/index.js';
import { signUpdate, simulationKey, verifierOf } from '../../../host/firmware/sign-update.js';
import { CHUNK_HEADER_BYTES, cut, decodeChunk } from '../../../host/update/chunks.js';
import {
  compareVersions,
  decodeSigned,
  encodeSigned,
  HEADER_BYTES,
  parseVersion,
  SIGNED_BYTES,
  type UpdateInfo,
  type Version,
} from '../../../host/update/header.js';
import { decodeTable, encodeTable, newestTable, SHIPPED, Trial } from '../../../host/update/slot-table.js';

const MODULE = Uint8Array.from({ length: 1_000 }, (_, i) => i & 0xff);
const INFO: UpdateInfo = {
  name: 'lamp',
  version: [1, 2, 65_535],
  abi: 2,
  board: '*',
  bytes: 1_000,
  digest: Uint8Array.from({ length: 32 }, (_, i) => i),
  downgrade: true,
  again: false,
};

describe('The header of an update', () => {
  it('lies in memory as docs/UPDATE.md draws it', () => {
    const hex = Buffer.from(encodeSigned(INFO)).toString('hex');
    const name = `6c616d70${'00'.repeat(20)}`;
    const board = `2a${'00'.repeat(23)}`;
    const digest = Buffer.from(INFO.digest).toString('hex');
    expect(hex).toBe(`74686d75010102000100${'0200'}ffff0000${name}${board}e8030000${digest}`);
  });

  it('reads what it has written', () => {
    expect(decodeSigned(encodeSigned(INFO))).toEqual(INFO);
    const longest = { ...INFO, name: 'n'.repeat(24), board: 'ü'.repeat(12) };
    expect(decodeSigned(encodeSigned(longest))).toEqual(longest);
    expect(decodeSigned(encodeSigned(INFO).subarray(0, 99))).toBeUndefined();
  });

  it.each([
    { name: '' },
    { name: 'n'.repeat(25) },
    { board: 'ü'.repeat(13) },
    { name: 'a\0b' },
    { digest: new Uint8Array(31) },
  ])('refuses %j', (change) => {
    expect(() => encodeSigned({ ...INFO, ...change })).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_HEADER' }));
  });

  it.each(['', '1', '1.2', '1.2.3-rc1', 'v1.2.3', '1.2.65536', '-1.2.3'])('refuses version %j', (text) => {
    expect(() => parseVersion(text)).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_HEADER' }));
  });

  it('knows which version is newer, part by part', () => {
    const order = ['0.0.1', '0.0.10', '0.2.0', '0.10.0', '1.0.0', '10.0.0'].map(parseVersion);
    const shuffled: Version[] = [...order].reverse();
    expect(shuffled.sort(compareVersions)).toEqual(order);
  });

  it('is signed so that everything before the signature counts', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const update = signUpdate(MODULE, { name: 'lamp', version: '1.2.3' }, privateKey);
    const info = decodeSigned(update)!;
    expect(info).toMatchObject({ abi: ABI_VERSION, board: '*', bytes: MODULE.length });
    expect(Buffer.from(info.digest)).toEqual(createHash('sha256').update(MODULE).digest());
    const [signed, signature] = [update.slice(0, SIGNED_BYTES), update.slice(SIGNED_BYTES, HEADER_BYTES)];
    expect(verifierOf(publicKey)(signed, signature)).toBe(true);
    expect(verifierOf(simulationKey())(signed, signature)).toBe(false);
    for (let at = 0; at < SIGNED_BYTES; at++) {
      const changed = signed.slice();
      changed[at] = changed[at]! ^ 1;
      expect(verifierOf(publicKey)(changed, signature)).toBe(false);
    }
  });
});

describe('The chunks of an update', () => {
  it.each([32, 128, 1_400])('of %i octets make the update again', (bytes) => {
    const update = signUpdate(MODULE, { name: 'lamp', version: '1.2.3' }, simulationKey());
    const chunks = cut(update, bytes);
    expect(chunks.every((chunk) => chunk.length <= bytes)).toBe(true);
    const read = chunks.map((chunk) => decodeChunk(chunk)!);
    expect(read.map(({ sequence }) => sequence)).toEqual(chunks.map((_, i) => i));
    expect(new Set(read.map(({ total, id }) => `${total} ${id}`)).size).toBe(1);
    expect(Buffer.concat(read.map(({ part }) => part))).toEqual(Buffer.from(update));
    expect(chunks).toHaveLength(Math.ceil(update.length / (bytes - CHUNK_HEADER_BYTES)));
  });

  it('have another id where anything signed is another', () => {
    const ids = ['1.2.3', '1.2.4'].map(
      (version) => decodeChunk(cut(signUpdate(MODULE, { name: 'lamp', version }, simulationKey()))[0]!)!.id,
    );
    expect(ids[0]).not.toBe(ids[1]);
  });

  it.each([31, 1_401, 100.5])('are not of %d octets', (bytes) => {
    expect(() => cut(MODULE, bytes)).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_CHUNK' }));
  });

  it('are not more than their numbers can count', () => {
    expect(() => cut(new Uint8Array(23 * 65_536), 32)).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_CHUNK' }));
  });
});

describe('The table of slots', () => {
  const slot = { id: 0xfedcba98, version: [1, 2, 3], bytes: 70_000, digest: INFO.digest, isOlder: true } as const;
  const table = { ...SHIPPED, generation: 5, active: 1, trial: Trial.Pending, slots: [undefined, slot] } as const;

  it('reads what it has written, and nothing else', () => {
    const octets = encodeTable(table);
    expect(decodeTable(octets)).toEqual(table);
    for (let at = 0; at < octets.length; at++) {
      const torn = octets.slice();
      torn[at] = torn[at]! ^ 0x40;
      expect(decodeTable(torn), `octet ${at}`).toBeUndefined();
    }
  });

  it('is the newer of the whole ones', () => {
    const copies = [4, 5].map((generation) => encodeTable({ ...table, generation }));
    expect(newestTable(copies).generation).toBe(5);
    expect(newestTable([copies[0]!, copies[1]!.fill(0, 50, 60).fill(1, 60, 61)]).generation).toBe(4);
    expect(newestTable([new Uint8Array(144), new Uint8Array(144).fill(0xff)])).toEqual(SHIPPED);
  });
});
