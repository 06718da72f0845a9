// What a policy can allow: the actions of AWS IoT that an MQTT broker has, and what each of them is done to.

export const enum Action {
  Connect = 0,
  Publish = 1,
  RetainPublish = 2,
  Subscribe = 3,
  Receive = 4,
}

export const ACTIONS = [
  Action.Connect,
  Action.Publish,
  Action.RetainPublish,
  Action.Subscribe,
  Action.Receive,
] as const;

export type ResourceType = 'client' | 'topic' | 'topicfilter';

interface ActionKind {
  readonly name: string;
  /** Its resources begin with this and a slash. */
  readonly type: ResourceType;
}

export const KINDS: Readonly<Record<Action, ActionKind>> = {
  [Action.Connect]: { name: 'iot:Connect', type: 'client' },
  [Action.Publish]: { name: 'iot:Publish', type: 'topic' },
  /** Besides iot:Publish, for a message with RETAIN. */
  [Action.RetainPublish]: { name: 'iot:RetainPublish', type: 'topic' },
  [Action.Subscribe]: { name: 'iot:Subscribe', type: 'topicfilter' },
  [Action.Receive]: { name: 'iot:Receive', type: 'topic' },
};

/** AWS has them in such policies too, for services that are no broker's: they may stand there, and nobody asks for them. */
const ELSEWHERE = new Set(
  [
    'AddThingToThingGroup',
    'AssumeRoleWithCertificate',
    'CreateCertificateFromCsr',
    'CreateKeysAndCertificate',
    'DeleteConnection',
    'DeleteThingShadow',
    'DescribeJobExecution',
    'DescribeThing',
    'GetPendingJobExecutions',
    'GetRetainedMessage',
    'GetThingShadow',
    'ListNamedShadowsForThing',
    'ListRetainedMessages',
    'RegisterThing',
    'StartNextPendingJobExecution',
    'UpdateJobExecution',
    'UpdateThingShadow',
  ].map((name) => `iot:${name}`.toLowerCase()),
);

/** Of AWS, in the case that it writes them in; compared without regard to case, as AWS does. */
export const isElsewhere = (text: string): boolean => ELSEWHERE.has(text.toLowerCase());
