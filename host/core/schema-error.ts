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

/** What is wrong, where, and what is allowed. `root` is what the whole document is called. */
export function explainSchemaError(error: ErrorObject, root: string): string {
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
    default:
      return `${place} ${error.message ?? 'is wrong'}`;
  }
}

/** The values a discriminator may have, from the alternatives of the schema it stands in. */
function tagsOf(error: ErrorObject): string[] {
  const { tag } = error.params as { tag: string };
  const alternatives =
    (error.parentSchema as { oneOf?: { properties?: Record<string, { const?: unknown }> }[] })?.oneOf ?? [];
  return alternatives.map((alternative) => String(alternative.properties?.[tag]?.const));
}
