// JSON with a mistake in it: where the mistake is. JSON.parse says so in some cases and by offset only.
import { UsageError } from './failure.js';

/** Throws ERR_USAGE_CONFIG with the line and the column, and what is wrong there. */
export function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const fault = faultIn(text);
    const where = fault === undefined ? '' : `, ${placeOf(text, fault.at)}`;
    const what = fault === undefined ? (error as Error).message : fault.what;
    throw new UsageError('ERR_USAGE_CONFIG', `${file}${where}: not JSON: ${what}`);
  }
}

interface Fault {
  readonly at: number;
  readonly what: string;
}

/** Both from 1. */
function placeOf(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n');
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

const SPACE = /[ \t\n\r]*/y;
/** A string, a number, a word or a mark, as far as it is one. */
const TOKEN =
  /"(?:[^"\\\n\r\t]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|[a-zA-Z_]+|[{}[\],:]/y;

const VALUE = 'a value';
const KEY = 'a name in "…"';
const COLON = '":" after the name';

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma' | 'nothing';

/** What may stand where: after an opening bracket also the closing one, after a comma not. */
class Reader {
  expected: Expected = 'value';
  private readonly open: ('{' | '[')[] = [];

  /** Undefined: the token may stand here. Otherwise what is needed instead. */
  take(token: string): string | undefined {
    const inside = this.open.at(-1);
    switch (this.expected) {
      case 'value':
        return this.value(token) ? undefined : VALUE;
      case 'value-or-end':
        if (token === ']') return this.close();
        return this.value(token) ? undefined : `${VALUE} or "]"`;
      case 'key':
      case 'key-or-end':
        if (token === '}' && this.expected === 'key-or-end') return this.close();
        if (!token.startsWith('"')) return this.expected === 'key' ? KEY : `${KEY} or "}"`;
        this.expected = 'colon';
        return undefined;
      case 'colon':
        if (token !== ':') return COLON;
        this.expected = 'value';
        return undefined;
      case 'comma':
        if (token === (inside === '{' ? '}' : ']')) return this.close();
        if (token !== ',') return inside === '{' ? '"," or "}"' : '"," or "]"';
        this.expected = inside === '{' ? 'key' : 'value';
        return undefined;
      case 'nothing':
        return 'the end of the file';
    }
  }

  private value(token: string): boolean {
    if (token === '{' || token === '[') {
      this.open.push(token);
      this.expected = token === '{' ? 'key-or-end' : 'value-or-end';
      return true;
    }
    if (!/^(["\d-]|(true|false|null)$)/.test(token)) return false;
    this.expected = this.open.length === 0 ? 'nothing' : 'comma';
    return true;
  }

  private close(): undefined {
    this.open.pop();
    this.expected = this.open.length === 0 ? 'nothing' : 'comma';
  }

  /** What is missing at the end. */
  get missing(): string {
    const last = this.open.at(-1);
    if (this.expected === 'value') return VALUE;
    if (this.expected === 'colon') return COLON;
    if (this.expected === 'key') return KEY;
    return last === '{' ? 'a closing "}"' : 'a closing "]"';
  }
}

/** The first thing that keeps a text from being JSON. */
function faultIn(text: string): Fault | undefined {
  const reader = new Reader();
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)![0].length;
    if (at >= text.length) {
      return reader.expected === 'nothing'
        ? undefined
        : { at, what: `the file ends, and ${reader.missing} is missing` };
    }
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return { at, what: strange(text, at) };
    const needed = reader.take(token);
    if (needed !== undefined) return { at, what: `${shown(token)} where ${needed} is needed` };
    at += token.length;
  }
}

function strange(text: string, at: number): string {
  const rest = text.slice(at);
  if (rest.startsWith('"')) return 'a text that does not end on its line, or has an escape that JSON does not know';
  if (rest.startsWith('//') || rest.startsWith('/*')) return 'a comment, which JSON does not have';
  if (rest.startsWith("'")) return '\' where " is needed';
  return `${JSON.stringify(rest[0])} means nothing here`;
}

const LONG = 20;
const shown = (token: string): string => {
  const text = token.length > LONG ? `${token.slice(0, LONG)}…` : token;
  return text.startsWith('"') ? text : `"${text}"`;
};
