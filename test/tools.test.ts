import { describe, expect, it } from 'vitest';
import { debianPackages, findTool, missingFile } from './tools.js';

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

describe('a file that is not there', () => {
  it('is told by what it is and where it should be', () => {
    const file = new URL('file:///some%20where/links.csv');
    expect(missingFile(file, 'the measured links of the ORBIT testbed')).toMatch(
      /^needs the measured links of the ORBIT testbed at \/some where\/links\.csv\b/,
    );
  });
});
