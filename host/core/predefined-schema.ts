// The JSON schema of predefined topics (PredefinedConfig), for every file that may hold them.

const TOPIC_IDS = '^([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-4])$';

export const PREDEFINED_SCHEMA = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    propertyNames: { pattern: TOPIC_IDS },
    description: 'topic ids, 1 to 65534',
    additionalProperties: {
      type: 'string',
      pattern: '^[^+#\\u0000]+$',
      description: 'a topic name, without + and #',
    },
  },
};
