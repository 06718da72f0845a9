import { describe, expect, it } from 'vitest';
import { parsePackages, readPackages } from '../host/firmware/doctor/packages.js';
import { debianPackages, describeWithTools, findTool, missingFile } from './tools.js';

describe('the list of Debian packages', () => {
  it('names each package once, in the letters that Debian allows', () => {
    const packages = debianPackages();
    expect(new Set(packages).size).toBe(packages.length);
    for (const name of packages) expect(name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
  });

  it('says what each is for, and which programs it has', () => {
    const programs = readPackages().flatMap((p) => p.programs);
    expect(new Set(programs).size).toBe(programs.length);
    for (const { name, purpose } of readPackages()) expect(purpose, name).toMatch(/\w/);
    const text =
      '# about: all\n\na # does\nb-c # x.y and z: does more: a lot\nd # no program: a library\ne # some word: not a program\n';
    expect(parsePackages(text)).toEqual([
      { name: 'a', programs: ['a'], purpose: 'does' },
      { name: 'b-c', programs: ['x.y', 'z'], purpose: 'does more: a lot' },
      { name: 'd', programs: [], purpose: 'a library' },
      { name: 'e', programs: ['e'], purpose: 'some word: not a program' },
    ]);
  });

  it('lets no test ask for a program that no package has', () => {
    expect(() => describeWithTools(['mosquitto_bup'], 'never', () => {})).toThrow('mosquitto_bup');
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
