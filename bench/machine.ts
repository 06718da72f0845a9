// Where the figures come from.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, type } from 'node:os';
import { dirname, join } from 'node:path';
import { PACKAGE_ROOT } from '../host/firmware/paths.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly os: string;
}

export interface Versions {
  readonly node: string;
  readonly v8: string;
  readonly thimble: string;
  readonly mqttPacket: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, os: operatingSystem() };
}

/** The distribution's own name for itself, where there is one. */
function operatingSystem(): string {
  const kernel = `${type()} ${release()}`;
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    return name === undefined ? kernel : `${name}, ${kernel}`;
  } catch {
    return kernel;
  }
}

export function describeVersions(): Versions {
  const own = versionIn(join(PACKAGE_ROOT, 'package.json'));
  const entry = createRequire(import.meta.url).resolve('mqtt-packet');
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    thimble: own,
    mqttPacket: versionIn(join(dirname(entry), 'package.json')),
  };
}

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The date of the commit that was measured, or undefined outside a repository. */
export function commitDate(): string | undefined {
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%cs'], { cwd: PACKAGE_ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
