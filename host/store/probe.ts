// Looks at a database from another process: LMDB trusts its file, and takes the process with it where that is damaged.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

/** What another process may find. `inUse`: the id of a process that has the database open. */
export type Finding = 'sound' | 'damaged' | { readonly inUse: number };

const EXIT_DAMAGED = 3;
const EXIT_IN_USE = 4;

/** Reads everything there is, and says which other process does. Run with `node -e`, so that it needs no file of its own. */
const PROGRAM = `
const [, lmdb, folder, damaged, inUse] = process.argv;
const db = require(lmdb).open({ path: folder, noSubdir: false, noSync: true, encoding: 'binary', keyEncoding: 'binary' });
db.getBinary(Buffer.from('k'));
db.readerCheck();
const other = db.readerList().split('\\n').map((line) => Number.parseInt(line, 10)).find((pid) => pid > 0 && pid !== process.pid);
if (other !== undefined) {
  process.stdout.write(String(other));
  process.exit(Number(inUse));
}
let count = 0;
for (const { value } of db.getRange({})) count += value.length >= 0 ? 1 : 0;
process.exit(count === db.getStats().entryCount ? 0 : Number(damaged));
`;

/** Rejects where no process can be started. */
export async function probe(folder: string): Promise<Finding> {
  const lmdb = createRequire(import.meta.url).resolve('lmdb');
  const args = ['-e', PROGRAM, lmdb, folder, String(EXIT_DAMAGED), String(EXIT_IN_USE)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [exit] = (await once(child, 'close')) as [number | null];
  if (exit === EXIT_IN_USE) return { inUse: Number(said) };
  return exit === 0 ? 'sound' : 'damaged';
}
