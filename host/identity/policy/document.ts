// Policy documents as AWS IoT has them, from JSON to patterns. What cannot be kept to, such as a Condition, is refused: a document
// that means less than its author thinks would allow what it should not.
import { Ajv } from 'ajv';
import { explainSchemaError } from '../../core/schema-error.js';
import { IdentityError } from '../error.js';
import { ACTIONS, type Action, isElsewhere, KINDS, type ResourceType } from './actions.js';
import { ANY, Glob, hasVariableType, type Part, parsePattern } from './pattern.js';
import { isVariable, VARIABLES_IN_WORDS } from './variables.js';

type OneOrMore<T> = T | readonly T[];

export interface StatementDocument {
  /** For people. */
  readonly Sid?: string;
  /** Deny goes before Allow. */
  readonly Effect: 'Allow' | 'Deny';
  /** `iot:Connect`, `iot:Publish`, `iot:RetainPublish`, `iot:Subscribe`, `iot:Receive`; `*` and `?` are wildcards. */
  readonly Action: OneOrMore<string>;
  /** `client/…`, `topic/…`, `topicfilter/…`, alone or as the end of an ARN; `*` and `?` are wildcards, `+` and `#` are not. */
  readonly Resource: OneOrMore<string>;
}

export interface PolicyDocument {
  readonly Version?: '2012-10-17';
  readonly Id?: string;
  readonly Statement: OneOrMore<StatementDocument>;
}

const oneOrMore = (items: object, description: string): object => ({
  anyOf: [items, { type: 'array', minItems: 1, items }],
  description,
});

const STATEMENT = {
  type: 'object',
  properties: {
    Sid: { type: 'string' },
    Effect: { enum: ['Allow', 'Deny'] },
    Action: oneOrMore({ type: 'string', minLength: 1 }, 'an action such as iot:Publish, or a list of such'),
    Resource: oneOrMore({ type: 'string', minLength: 1 }, 'a resource such as topic/a/*, or a list of such'),
  },
  required: ['Effect', 'Action', 'Resource'],
  additionalProperties: false,
};

/** To stand in the schemas of what holds documents. */
export const POLICY_SCHEMA = {
  type: 'object',
  properties: {
    Version: { const: '2012-10-17', description: '"2012-10-17"' },
    Id: { type: 'string' },
    Statement: {
      if: { type: 'array' },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { type: 'array', minItems: 1, items: STATEMENT },
      else: STATEMENT,
    },
  },
  required: ['Statement'],
  additionalProperties: false,
};

const validate = new Ajv({ strict: false, verbose: true }).compile<PolicyDocument>(POLICY_SCHEMA);

/** A statement's say on one action. */
export interface Rule {
  readonly effect: 'Allow' | 'Deny';
  readonly action: Action;
  /** Of the resource behind its type and slash; or of all of it, where `isWhole`. */
  readonly pattern: readonly Part[];
  readonly isWhole: boolean;
}

/** What a document says, for all connections that have it. */
export type Policy = readonly Rule[];

/** `place` is where the document stands, for messages. Throws ERR_IDENTITY_POLICY. */
export function parsePolicy(document: unknown, place: string): Policy {
  if (!validate(document)) fail(place, explainSchemaError(validate.errors!, 'the policy'));
  const statements = [document.Statement].flat() as readonly StatementDocument[];
  const isList = Array.isArray(document.Statement);
  return statements.flatMap((s, index) => rulesOf(s, `${place}: Statement${isList ? `[${index}]` : ''}`));
}

const SHARED = 'topicfilter/$share/';

function rulesOf(statement: StatementDocument, place: string): Rule[] {
  const names = [statement.Action].flat();
  const about = names.map((name) => actionsNamed(name, `${place}.Action`));
  const actions = ACTIONS.filter((action) => about.some((some) => some.includes(action)));
  const isOnlyOurs = !names.some(isElsewhere);
  return [statement.Resource].flat().flatMap((text) => {
    const resource = withoutArn(text, `${place}.Resource`);
    const parts = parsePattern(resource, (name) => checkVariable(name, `${place}.Resource "${text}"`));
    if (statement.Effect === 'Deny' && resource.startsWith(SHARED))
      fail(`${place}.Resource`, `"${text}" would deny nothing: a shared filter is asked for without $share/NAME/`);
    if (hasVariableType(parts))
      fail(`${place}.Resource`, `"${text}" has a variable where the type of a resource belongs`);
    const rules = actions.flatMap((action) => ruleFor(statement.Effect, action, parts) ?? []);
    if (rules.length === 0 && isOnlyOurs) fail(`${place}.Resource`, fitsNone(text, actions));
    return rules;
  });
}

/** The actions that a name stands for, none where it is of another service. */
function actionsNamed(name: string, place: string): readonly Action[] {
  if (name.includes('${')) fail(place, `"${name}" has a variable; only resources may have such`);
  // As IAM compares them: in any case.
  const glob = new Glob(parsePattern(name.toLowerCase(), () => {}) as []);
  const actions = ACTIONS.filter((action) => glob.matches(KINDS[action].name.toLowerCase()));
  if (actions.length > 0 || isElsewhere(name)) return actions;
  return fail(place, `"${name}" is none; allowed are ${ACTIONS.map((a) => KINDS[a].name).join(', ')}, iot:* and *`);
}

const ARN = /^arn:[^:$]*:(?:iot|\*):[^:$]*:[^:$]*:(.+)$/s;
/** It names everything of a partition, a region or an account. */
const WIDE_ARN = /^arn(:[^:$]*)*:\*$/;

/** Partition, region and account make no difference here. */
function withoutArn(text: string, place: string): string {
  if (!text.startsWith('arn:')) return text;
  const resource = ARN.exec(text)?.[1];
  if (resource !== undefined) return resource;
  if (WIDE_ARN.test(text)) return '*';
  return fail(place, `"${text}" is no resource of AWS IoT; allowed is arn:aws:iot:REGION:ACCOUNT:RESOURCE`);
}

function checkVariable(name: string | undefined, place: string): void {
  if (name === undefined) fail(place, 'a variable that does not end: } is missing');
  if (!isVariable(name)) fail(place, `there is no variable \${${name}}; there are ${VARIABLES_IN_WORDS}`);
}

/** Undefined where the pattern names no resource of the action. */
function ruleFor(effect: Rule['effect'], action: Action, parts: readonly Part[]): Rule | undefined {
  const prefix = `${KINDS[action].type}/`;
  const [first = '', ...rest] = parts;
  if (typeof first === 'string' && first.startsWith(prefix)) {
    return { effect, action, pattern: [first.slice(prefix.length), ...rest].filter((p) => p !== ''), isWhole: false };
  }
  // A wildcard or a variable stands in the type itself.
  const isOpen = rest.length > 0 || typeof first !== 'string';
  const fits = typeof first === 'string' ? prefix.startsWith(first) : true;
  if (!isOpen || !fits) return undefined;
  if (parts.length === 1 && first === ANY) return { effect, action, pattern: [ANY], isWhole: false };
  return { effect, action, pattern: parts, isWhole: true };
}

function fitsNone(text: string, actions: readonly Action[]): string {
  const types = [...new Set<ResourceType>(actions.map((action) => KINDS[action].type))];
  const names = actions.map((action) => KINDS[action].name).join(', ');
  return `"${text}" is nothing that ${names} could be about; allowed is ${types.map((t) => `${t}/…`).join(' or ')}, or *`;
}

function fail(place: string, what: string): never {
  throw new IdentityError('ERR_IDENTITY_POLICY', place, what);
}
