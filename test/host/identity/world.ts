// A broker's door without a broker: requests, a clock that stands where a test puts it, files in memory, and what the auditor heard.
import { expect } from 'vitest';
import type { Accepted, Access, ConnectRequest, Peer, Verdict } from '../../../host/broker/access.js';
import type { ConnectPacket } from '../../../host/broker/packets.js';
import { createAccess } from '../../../host/identity/access.js';
import type { IdentityConfig } from '../../../host/identity/config.js';
import type { IdentityPorts } from '../../../host/identity/ports.js';

export const NOW_MS = Date.UTC(2030, 0, 1, 12);
export const NOW_S = NOW_MS / 1000;

export interface Refusal {
  readonly why: string;
  readonly [field: string]: unknown;
}

export class World {
  nowMs = NOW_MS;
  readonly files = new Map<string, string | Uint8Array>();
  readonly audited: { readonly event: string; readonly fields: Refusal }[] = [];
  readonly access: Access;

  constructor(
    config: IdentityConfig,
    files: Readonly<Record<string, string | Uint8Array>> = {},
    ports: Partial<IdentityPorts> = {},
  ) {
    for (const [path, content] of Object.entries(files)) this.files.set(path, content);
    this.access = createAccess(config, {
      readFile: (path) => Buffer.from(this.file(path)),
      fileVersion: (path) => Buffer.from(this.file(path)).toString('base64'),
      epochMs: () => this.nowMs,
      clock: () => this.nowMs - NOW_MS,
      audit: (event, fields) => this.audited.push({ event, fields: fields as Refusal }),
      ...ports,
    });
  }

  private file(path: string): string | Uint8Array {
    const content = this.files.get(path);
    if (content === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
    return content;
  }

  /** Every answer comes exactly once, or the test waits for ever. */
  ask(asked: Asked = {}): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      this.access.connect(
        requestOf(asked),
        (verdict) => {
          if (isAnswered) reject(new Error('answered twice'));
          isAnswered = true;
          resolve(verdict);
        },
        0,
      );
    });
  }

  async accepted(asked: Asked = {}): Promise<Accepted> {
    const verdict = await this.ask(asked);
    expect(verdict.outcome, JSON.stringify(this.audited.at(-1))).toBe('accepted');
    return verdict as Accepted;
  }

  /** Why it was refused according to the auditor, and with which reason code the client heard of it. */
  async refused(asked: Asked = {}): Promise<[why: string, reason: number]> {
    const before = this.audited.length;
    const verdict = await this.ask(asked);
    if (verdict.outcome !== 'refused') throw new Error(`it was ${verdict.outcome}`);
    expect(Object.keys(verdict).sort()).toEqual(['outcome', 'reason']);
    const told = this.audited.slice(before).filter(({ event }) => event === 'connect-refused');
    expect(told).toHaveLength(1);
    return [told[0]!.fields.why, verdict.reason];
  }

  /** Nothing of this was told to anybody. */
  expectSecret(...secrets: readonly string[]): void {
    const told = JSON.stringify(this.audited);
    expect(told).not.toBe('[]');
    for (const secret of secrets) expect(told).not.toContain(secret);
  }
}

export interface Asked {
  readonly clientId?: string;
  readonly username?: string;
  readonly password?: string | Uint8Array;
  readonly peer?: Partial<Peer>;
  readonly why?: ConnectRequest['why'];
  readonly properties?: ConnectPacket['properties'];
}

export function requestOf({
  clientId = 'client',
  username,
  password,
  peer,
  why = 'connect',
  properties,
}: Asked): ConnectRequest {
  const packet: ConnectPacket = {
    cmd: 'connect',
    clientId,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password as string) }),
    ...(properties !== undefined && { properties }),
  };
  return { packet, clientId, peer: { transport: 'tls', address: '192.0.2.7', ...peer }, why };
}

/** Everybody may do everything. */
export const ALL = { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } } as const;
