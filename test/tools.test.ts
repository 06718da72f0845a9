import { describe, expect, it } from 'vitest';
import { debianPackages, findTool } from './tools.js';

describe('the list of Debian packages', () => {
  it('names each package once, in the letters that Debian allows', () => {
    const packages = debianPackages();
    expect(new Set(packages).size).toBe(packages.length);
    for (const name of packages) expect(name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
  });

  it('tells of a program that is not there', () => {
    const { PATH } = process.env;
    try {
      process.env.PATH = '';
      expect(findTool('mosquitto_pub')).toBeUndefined();
    } finally {
      process.env.PATH = PATH;
    }
  });
});
