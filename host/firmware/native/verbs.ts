// A module's functions by name, for firmware whose calls come from outside (boards/common/lockstep.c). No table of pointers:
// what a call through one takes of the stack nobody could say.

export interface Verb {
  /** As the module exports it. */
  readonly name: string;
  readonly params: readonly string[];
  readonly result: string | undefined;
}

/** C that defines WASM_VERBS, and wasm_verb. What takes or returns anything but numbers of 32 bits is no verb. */
export function emitVerbs(verbs: readonly Verb[]): string {
  const isNumber = (type: string | undefined): boolean => type === undefined || type === 'i32';
  const cases = verbs
    .filter(({ params, result }) => [...params, result].every(isNumber))
    .map(({ name, params, result }) => {
      const call = `wasm_${name}(${params.map((_, i) => `arguments[${i}]`).join(', ')})`;
      const act = result === undefined ? `${call}, 0` : call;
      return `  if (count == ${params.length} && strcmp(name, "${name}") == 0) return *result = (${act}), 1;`;
    });
  return `#define WASM_VERBS
/// Calls what the module exports as \`name\`. Returns 0 where there is no such thing with so many arguments.
static int wasm_verb(const char *name, const uint32_t *arguments, size_t count, uint32_t *result) {
${cases.join('\n')}
  return 0;
}
`;
}
