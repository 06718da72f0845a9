// The properties of MQTT 5.0, table 2-4: of what type each is, where it may stand and which values it may have. Whoever
// checks, reads or writes properties is driven by this one table.
import { PacketType } from './packet-types.js';

/** Table 2-4, by identifier. Those left out are reserved. */
export enum Property {
  PayloadFormatIndicator = 0x01,
  MessageExpiryInterval = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionIdentifier = 0x0b,
  SessionExpiryInterval = 0x11,
  AssignedClientIdentifier = 0x12,
  ServerKeepAlive = 0x13,
  AuthenticationMethod = 0x15,
  AuthenticationData = 0x16,
  RequestProblemInformation = 0x17,
  WillDelayInterval = 0x18,
  RequestResponseInformation = 0x19,
  ResponseInformation = 0x1a,
  ServerReference = 0x1c,
  ReasonString = 0x1f,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQos = 0x24,
  RetainAvailable = 0x25,
  UserProperty = 0x26,
  MaximumPacketSize = 0x27,
  WildcardSubscriptionAvailable = 0x28,
  SubscriptionIdentifiersAvailable = 0x29,
  SharedSubscriptionAvailable = 0x2a,
}

/** The types of section 1.5 that properties have. */
export enum PropertyType {
  Byte,
  U16,
  U32,
  Varint,
  Text,
  TextPair,
  Binary,
}

export enum Values {
  Any,
  /** 0 or 1; anything else is a Protocol Error. */
  Flag,
  /** Zero is a Protocol Error. */
  NonZero,
}

/** The properties of a will stand in CONNECT, apart from those of the CONNECT. No packet has the type 0. */
export const WILL = 0;

export interface PropertyRule {
  readonly id: Property;
  /** As mqtt-packet calls it. */
  readonly name: string;
  readonly type: PropertyType;
  readonly values: Values;
  /** Bit n: packets of type n have it; bit 0: wills. */
  readonly packets: number;
  /** The same for those in which it may stand more than once. */
  readonly repeatable: number;
  /** One that no other property has, to note that it was there. */
  readonly bit: number;
}

type Place = PacketType | typeof WILL;

const maskOf = (places: readonly Place[]): number => places.reduce<number>((mask, place) => mask | (1 << place), 0);

const { Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp } = PacketType;
const { Subscribe, Suback, Unsubscribe, Unsuback, Disconnect, Auth } = PacketType;
const ACKS = [Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback];
const EVERYWHERE = [Connect, Connack, Publish, WILL, ...ACKS, Subscribe, Unsubscribe, Disconnect, Auth];

const { Byte, U16, U32, Varint, Text, TextPair, Binary } = PropertyType;
const { Any, Flag, NonZero } = Values;

const ROWS: readonly (readonly [
  Property,
  string,
  PropertyType,
  Values,
  readonly Place[],
  repeatable?: readonly Place[],
])[] = [
  [Property.PayloadFormatIndicator, 'payloadFormatIndicator', Byte, Flag, [Publish, WILL]],
  [Property.MessageExpiryInterval, 'messageExpiryInterval', U32, Any, [Publish, WILL]],
  [Property.ContentType, 'contentType', Text, Any, [Publish, WILL]],
  [Property.ResponseTopic, 'responseTopic', Text, Any, [Publish, WILL]],
  [Property.CorrelationData, 'correlationData', Binary, Any, [Publish, WILL]],
  [Property.SubscriptionIdentifier, 'subscriptionIdentifier', Varint, NonZero, [Publish, Subscribe], [Publish]],
  [Property.SessionExpiryInterval, 'sessionExpiryInterval', U32, Any, [Connect, Connack, Disconnect]],
  [Property.AssignedClientIdentifier, 'assignedClientIdentifier', Text, Any, [Connack]],
  [Property.ServerKeepAlive, 'serverKeepAlive', U16, Any, [Connack]],
  [Property.AuthenticationMethod, 'authenticationMethod', Text, Any, [Connect, Connack, Auth]],
  [Property.AuthenticationData, 'authenticationData', Binary, Any, [Connect, Connack, Auth]],
  [Property.RequestProblemInformation, 'requestProblemInformation', Byte, Flag, [Connect]],
  [Property.WillDelayInterval, 'willDelayInterval', U32, Any, [WILL]],
  [Property.RequestResponseInformation, 'requestResponseInformation', Byte, Flag, [Connect]],
  [Property.ResponseInformation, 'responseInformation', Text, Any, [Connack]],
  [Property.ServerReference, 'serverReference', Text, Any, [Connack, Disconnect]],
  [Property.ReasonString, 'reasonString', Text, Any, [Connack, ...ACKS, Disconnect, Auth]],
  [Property.ReceiveMaximum, 'receiveMaximum', U16, NonZero, [Connect, Connack]],
  [Property.TopicAliasMaximum, 'topicAliasMaximum', U16, Any, [Connect, Connack]],
  [Property.TopicAlias, 'topicAlias', U16, NonZero, [Publish]],
  [Property.MaximumQos, 'maximumQoS', Byte, Flag, [Connack]],
  [Property.RetainAvailable, 'retainAvailable', Byte, Flag, [Connack]],
  [Property.UserProperty, 'userProperties', TextPair, Any, EVERYWHERE, EVERYWHERE],
  [Property.MaximumPacketSize, 'maximumPacketSize', U32, NonZero, [Connect, Connack]],
  [Property.WildcardSubscriptionAvailable, 'wildcardSubscriptionAvailable', Byte, Flag, [Connack]],
  [Property.SubscriptionIdentifiersAvailable, 'subscriptionIdentifiersAvailable', Byte, Flag, [Connack]],
  [Property.SharedSubscriptionAvailable, 'sharedSubscriptionAvailable', Byte, Flag, [Connack]],
];

/** All of them, in the order of the table. */
export const PROPERTIES: readonly PropertyRule[] = ROWS.map(([id, name, type, values, packets, repeatable], row) => ({
  id,
  name,
  type,
  values,
  packets: maskOf(packets),
  repeatable: maskOf(repeatable ?? []),
  bit: 1 << row,
}));

/** By identifier; undefined for those that are reserved. Identifiers are below 128 so far: one byte. */
export const PROPERTY_BY_ID: readonly (PropertyRule | undefined)[] = Array.from({ length: 256 }, (_, id) =>
  PROPERTIES.find((rule) => rule.id === id),
);
