// Modules for tests: from the text format, and from an application in AssemblyScript that is written for one test.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import binaryen from 'binaryen';
import { afterAll } from 'vitest';
import { applicationTarget, type BuildReport, build } from '../../../host/firmware/build.js';

const folders: string[] = [];

/** A folder of its own outside of the repository; it goes with the test file that asked for it. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-test-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function fromText(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(binaryen.Features.All);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

/** What a module must export to be a device, in the text format. `abi` is its contract version. */
export const CONTRACT_TEXT = (abi = 2): string =>
  `(memory (export "memory") 1)
   (func (export "abi") (result i32) (i32.const ${abi}))
   ${['image', 'imageBytes', 'rx', 'rxBytes', 'peer', 'peerBytes', 'seal'].map((f) => `(func (export "${f}") (result i32) (i32.const 16))`).join('\n')}
   ${['start', 'receive'].map((f) => `(func (export "${f}") (param i32 i32) (result i32) (i32.const 0))`).join('\n')}
   ${['poll', 'resume'].map((f) => `(func (export "${f}") (param i32) (result i32) (i32.const 0))`).join('\n')}`;

/** A good module with `extra` in it. */
export const deviceText = (extra = '', abi = 2): Uint8Array => fromText(`(module ${extra} ${CONTRACT_TEXT(abi)})`);

/** Writes files into a folder outside of the repository and builds the first as an application. */
export async function buildApp(
  files: Readonly<Record<string, string>>,
  options: { readonly limits?: Readonly<Record<string, number>>; readonly debug?: boolean } = {},
): Promise<BuildReport> {
  const folder = scratch();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const [first] = Object.keys(files);
  return build({ ...applicationTarget(join(folder, first!), join(folder, 'out.wasm')), ...options });
}

/** The smallest application, with `before` at top level and `inTick` in its tick. */
export const appText = (before = '', inTick = ''): string => `
import { client, EventKind, text } from 'thimble';
${before}
export function setup(seed: i32): void {
  text.clear().add('app-').addHex(seed, 8);
  client.identify();
  client.connect(60, true);
}
export function tick(): i32 {
  while (client.next().kind !== EventKind.None) {}
  ${inTick}
  return 1000;
}
`;
