// The JSON schema of permissions (PermissionsConfig), for every file that may hold them.

/** Levels apart, `+` a whole level, `#` the whole last one (MQTT 3.1.1, 4.7.1). */
const FILTER = '^([^+#/\\u0000]*/|\\+/)*([^+#/\\u0000]*|\\+|#)$';

const FILTERS = {
  type: 'array',
  items: {
    type: 'string',
    minLength: 1,
    maxLength: 65_535,
    pattern: FILTER,
    description: "a topic filter with + and # as whole levels, # as the last; {clientId} stands for the client's id",
  },
};

export const PERMISSIONS_SCHEMA = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    properties: { publish: FILTERS, subscribe: FILTERS },
    additionalProperties: false,
  },
};
