// Builds everything into build/: the host with tsc, then every module and example with the command just built.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
const command = join('build', 'host', 'cli', 'main.js');

rmSync('build', { recursive: true, force: true });
run(tsc, '-p', 'tsconfig.json');
chmodSync(command, 0o755);
run(command, 'build');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
