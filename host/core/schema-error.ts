// A schema's complaint in words that name the place in the file.
import type { ErrorObject } from 'ajv';

/** "/devices/0/count" becomes "devices[0].count". */
function placeOf(pointer: string, root: string): string {
  const place = pointer
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.')
    .replace(/^\./, '');
  return place === '' ? root : place;
}

/**
 * What is wrong, where, and what is allowed. `errors` are the validator's, which stops at the first thing that is wrong: the
 * last of them sums up the others. `root` is what the whole document is called. Where a schema has alternatives or
 * patterns, its `description` says in words what is allowed.
 */
export function explainSchemaError(errors: readonly ErrorObject[], root: string): string {
  const error = errors.at(-1)!;
  const place = placeOf(error.instancePath, root);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const allowed = Object.keys((error.parentSchema as { properties?: object })?.properties ?? {});
      const hint = allowed.length > 0 ? `; allowed are ${allowed.join(', ')}` : '';
      return `${place} has no option "${params.additionalProperty}"${hint}`;
    }
    case 'required':
      return `${place} lacks "${params.missingProperty}"${strayOf(error)}`;
    case 'enum':
      return `${place} must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'discriminator':
      return `${place}.${params.tag} must be one of ${tagsOf(error).join(', ')}`;
    case 'propertyNames':
      return `${place} has an entry "${params.propertyName}"; allowed are ${describe(error)}`;
    default:
      return `${place} is ${shown(error.data)}; allowed is ${describe(error)}`;
  }
}

/** A key that is missing is often there, and mistyped: the first that the schema does not know, where there is one. */
function strayOf({ data, parentSchema }: ErrorObject): string {
  const { properties, additionalProperties } = parentSchema as { properties?: object; additionalProperties?: unknown };
  if (properties === undefined || additionalProperties !== false) return '';
  const stray = Object.keys(data as object).find((key) => !(key in properties));
  return stray === undefined ? '' : `, and has no option "${stray}"`;
}

/** What was found. Lists and objects are not written out: they may be long. */
function shown(data: unknown): string {
  if (Array.isArray(data)) return data.length === 0 ? 'an empty list' : 'a list';
  if (typeof data !== 'object' || data === null) return JSON.stringify(data);
  return Object.keys(data).length === 0 ? 'an empty object' : 'an object';
}

/** The keywords of schemas whose values are told in words. */
interface Described {
  readonly description?: string;
  readonly type?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

function describe(error: ErrorObject): string {
  const schema = (error.parentSchema ?? {}) as Described;
  if (schema.description !== undefined) return schema.description;
  switch (schema.type) {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'string':
      return `a text${amount('of', schema.minLength, schema.maxLength, 'character')}`;
    case 'array':
      return `a list${amount('with', schema.minItems, schema.maxItems, 'entry')}`;
    case 'object':
      return 'an object: { … }';
    case 'boolean':
      return 'true or false';
    default:
      return JSON.stringify(error.schema);
  }
}

function range({ minimum, exclusiveMinimum, maximum }: Described): string {
  const from = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  const lower = from === undefined ? '' : ` ${exclusiveMinimum === undefined ? 'from' : 'above'} ${from}`;
  return `${lower}${maximum === undefined ? '' : ` up to ${maximum}`}`;
}

/** " of 1 to 23 characters", " with at least 1 entry", "". */
function amount(preposition: string, least: number | undefined, most: number | undefined, noun: string): string {
  if (least === undefined && most === undefined) return '';
  const many = (least ?? 0) === (most ?? least) && least === 1 ? noun : noun.replace(/y$/, 'ie').concat('s');
  if (most === undefined) return ` ${preposition} at least ${least} ${many}`;
  if (least === undefined) return ` ${preposition} at most ${most} ${many}`;
  return ` ${preposition} ${least === most ? least : `${least} to ${most}`} ${many}`;
}

/** The values a discriminator may have, from the alternatives of the schema it stands in. */
function tagsOf(error: ErrorObject): string[] {
  const { tag } = error.params as { tag: string };
  const alternatives =
    (error.parentSchema as { oneOf?: { properties?: Record<string, { const?: unknown }> }[] })?.oneOf ?? [];
  return alternatives.map((alternative) => String(alternative.properties?.[tag]?.const));
}
