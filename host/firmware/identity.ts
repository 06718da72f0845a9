// What a module's file is called, which version it is and for which board: what updates of it are recognised by.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ANY_BOARD } from '../update/header.js';
import { type Manifest, sha256, versionFor } from './manifest.js';

export interface ModuleIdentity {
  readonly name: string;
  readonly version: string;
  readonly board: string;
}

/** As the manifest beside the module says, if it speaks of this very module; else its file's name and the nearest package.json's version. */
export function identityOf(file: string, module: Uint8Array): ModuleIdentity {
  const { name, version, board } = readManifest(file.replace(/\.wasm$/, '.json'), module) ?? {};
  return { name: name ?? basename(file, '.wasm'), version: version ?? versionFor(file), board: board ?? ANY_BOARD };
}

function readManifest(file: string, module: Uint8Array): Manifest | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    return manifest.format === 1 && manifest.sha256 === sha256(module) ? manifest : undefined;
  } catch {
    return undefined; // of somebody else
  }
}
