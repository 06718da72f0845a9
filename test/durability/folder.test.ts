import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDiskJournal } from '../../host/store/disk-journal.js';
import { Exit, thimble } from '../host/cli/command.js';
import { temporaryFolder } from '../host/store/folders.js';
import { BrokerProcess } from './broker-process.js';

interface Refusal {
  readonly error: { readonly code: string; readonly message: string };
}

/** What the command says of a folder that it does not take. */
async function refusal(data: string): Promise<Refusal['error']> {
  const { exit, stdout } = await thimble(['broker', '--mqtt', '0', '--sn', '0', '--data', data, '--json']);
  expect(exit).not.toBe(Exit.Done);
  return (JSON.parse(stdout) as Refusal).error;
}

/** A broker's folder with some records that no broker has written. */
async function filled(): Promise<string> {
  const data = temporaryFolder();
  const failed = (error: Error): never => {
    throw error;
  };
  const journal = await openDiskJournal(join(data, 'broker'), { clock: () => 0, failed });
  for (let n = 0; n < 200; n++) journal.put(`key ${n}`, new Uint8Array(300).fill(n));
  journal.commit(() => {});
  await journal.close();
  return data;
}

describe('the broker refuses a folder', () => {
  it('that holds something else', async () => {
    const data = temporaryFolder();
    mkdirSync(join(data, 'broker'));
    writeFileSync(join(data, 'broker', 'diary.txt'), 'dear diary');
    const { code, message } = await refusal(data);
    expect(code).toBe('ERR_STORE_FOREIGN');
    expect(message).toContain(join(data, 'broker'));
    expect(message).toContain('diary.txt');
  });

  it('that is torn', async () => {
    const data = await filled();
    truncateSync(join(data, 'broker', 'data.mdb'), 20_000);
    const { code, message } = await refusal(data);
    expect(code).toBe('ERR_STORE_DAMAGED');
    expect(message).toContain(join(data, 'broker'));
    expect(message).toContain('restore a copy');
  });

  it('whose records it does not know', async () => {
    const { code, message } = await refusal(await filled());
    expect(code).toBe('ERR_BROKER_RECORD');
    expect(message).toContain('use the version that wrote them');
  });

  it('that another broker has', async () => {
    const data = temporaryFolder();
    const other = new BrokerProcess('command', data, 'process');
    expect(await other.port).toBeGreaterThan(0);
    const { code } = await refusal(data);
    await other.kill();
    expect(code).toBe('ERR_STORE_IN_USE');
  });
});
