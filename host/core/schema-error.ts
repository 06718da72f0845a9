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
      return `${place} lacks "${params.missingProperty}"`;
    case 'enum':
      return `${place} must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'discriminator':
      return `${place}.${params.tag} must be one of ${tagsOf(error).join(', ')}`;
    case 'propertyNames':
      return `${place} has an entry "${params.propertyName}"; allowed are ${describe(error)}`;
    case 'anyOf':
    case 'pattern':
      return `${place} is ${JSON.stringify(error.data)}; allowed is ${describe(error)}`;
    default:
      return `${place} ${error.message ?? 'is wrong'}`;
  }
}

function describe(error: ErrorObject): string {
  return (error.parentSchema as { description?: string } | undefined)?.description ?? JSON.stringify(error.schema);
}

/** The values a discriminator may have, from the alternatives of the schema it stands in. */
function tagsOf(error: ErrorObject): string[] {
  const { tag } = error.params as { tag: string };
  const alternatives =
    (error.parentSchema as { oneOf?: { properties?: Record<string, { const?: unknown }> }[] })?.oneOf ?? [];
  return alternatives.map((alternative) => String(alternative.properties?.[tag]?.const));
}
