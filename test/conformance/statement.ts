// What the standard asks of a server, one statement an entry, in our own words. docs/CONFORMANCE.md is made of these and of
// the titles of the tests that bear their numbers (table.ts).

/** A test: its file from `test/`, without `.test.ts`, and its title with those of its groups before it. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

export interface Statement {
  /** The standard's number. */
  readonly id: `MQTT-${number}.${number}.${number}-${number}`;
  readonly about: string;
  /** What shows it besides the titles in `test/conformance` that bear its number. */
  readonly elsewhere?: readonly NamedTest[];
}

/** The statements of one version of the standard. */
export interface Statements {
  /** `3.1.1`: its tests are in `mqtt-3.1.1-*.test.ts`. */
  readonly version: string;
  readonly server: readonly Statement[];
  /** Numbers of those that ask something of clients alone. */
  readonly clientsOnly: readonly Statement['id'][];
}
