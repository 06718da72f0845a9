// The two functions that an application must export. The compiler misses them, or finds them other than they should be, in
// assembly/modules/application.ts, which calls them and which no author of an application knows.

const SIGNATURES = {
  setup: 'export function setup(seed: i32): void',
  tick: 'export function tick(): i32',
} as const;
type Name = keyof typeof SIGNATURES;
const NAMES = Object.keys(SIGNATURES) as Name[];

/** Ends a complaint of the compiler about the file that calls the application. */
const IN_CALLER = /in assembly\/modules\/application\.ts\(\d+,\d+\)\s*$/;
const NOT_EXPORTED = 'has no exported member';
const SUMMARY = /^FAILURE \d+ compile error/;

/**
 * What the compiler said, with its complaints about how the application is called turned into what the application's file
 * must export. `file`: the name its author knows it by.
 */
export function describeExports(said: string, file: string): string {
  const complaints = said.split(/\n\n+/);
  const missing = NAMES.filter((name) => said.includes(`${NOT_EXPORTED} '${name}'`));
  // The line of the import, which stands in a complaint of that kind, has both names.
  const ofCalls = complaints.filter((c) => !c.includes(NOT_EXPORTED));
  const unfit = NAMES.filter((name) => !missing.includes(name) && ofCalls.some((c) => isAbout(c, name)));
  if (missing.length + unfit.length === 0) return said;
  const others = complaints.filter((c) => !NAMES.some((name) => isAbout(c, name)) && !SUMMARY.test(c));
  return [
    ...missing.map((name) => `${file} does not export ${name}; it needs \`${SIGNATURES[name]}\``),
    ...unfit.map((name) => `${file}: ${name} is not \`${SIGNATURES[name]}\``),
    ...others,
  ].join('\n');
}

/** A complaint about a call or an import of this function. */
function isAbout(complaint: string, name: Name): boolean {
  return IN_CALLER.test(complaint) && new RegExp(`\\b${name}\\b`).test(complaint);
}
