// A reader of Prometheus's text format that forgives nothing: what it takes, every scraper takes. Written from
// https://prometheus.io/docs/instrumenting/exposition_formats/ and the naming rules beside it, not from the writer.

export interface Family {
  readonly type: string;
  readonly help: string;
  /** Labels as `name=value` in order, joined with commas, to the value. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/;
const NUMBER = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** Throws, with the line, where the text is not of the format. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let name = '';
  let help: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (what: string): never => {
      throw new Error(`${what}: ${line}`);
    };
    const [, helpName, helpText] = HELP.exec(line) ?? [];
    const [, typeName, type] = TYPE.exec(line) ?? [];
    if (helpName !== undefined) {
      if (families.has(helpName)) fail('a second time');
      name = helpName;
      help = helpText!;
    } else if (typeName !== undefined) {
      if (typeName !== name || help === undefined) fail('a TYPE without its HELP');
      if ((type === 'counter') !== name.endsWith('_total')) fail('only counters, and all of them, end in _total');
      families.set(name, { type: type!, help: unescaped(help!), samples: new Map() });
      help = undefined;
    } else {
      const [, sampleName, labels, value] = SAMPLE.exec(line) ?? fail('neither HELP nor TYPE nor a sample');
      const family = families.get(name);
      if (sampleName !== name || family === undefined) return fail('a sample outside of its family');
      if (!NUMBER.test(value!)) fail('no number');
      const key = labels === undefined ? '' : parseLabels(labels, fail);
      if (family.samples.has(key)) fail('a sample twice');
      family.samples.set(key, Number(value!.replace('Inf', 'Infinity')));
    }
  }
  for (const [family, { samples }] of families) if (samples.size === 0) throw new Error(`${family} has no samples`);
  return families;
}

function parseLabels(text: string, fail: (what: string) => never): string {
  const labels: string[] = [];
  for (let rest = text; rest !== ''; ) {
    const [all, name, value] = LABEL.exec(rest) ?? fail('labels');
    if (labels.some((label) => label.startsWith(`${name}=`))) fail('a label twice');
    labels.push(`${name}=${unescaped(value!)}`);
    rest = rest.slice(all!.length);
  }
  return labels.join(',');
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
}
