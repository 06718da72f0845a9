#!/usr/bin/python3
"""One client of the Paho library on loopback, for the tests of interoperation.

interop-paho.py sub VERSION PORT CLIENT_ID FILTER KEEP
    says `subscribed`, then each message: `QOS RETAIN TOPIC PAYLOAD NAME:VALUE...`. KEEP `keep`: its session stays.
interop-paho.py pub VERSION PORT TOPIC PAYLOAD QOS RETAIN [NAME VALUE]
    publishes to the end of the handshake. NAME and VALUE: a user property.
interop-paho.py will VERSION PORT TOPIC PAYLOAD
    says `connected`, and stays until it is killed: then the broker has a will to publish.

VERSION is 4 (MQTT 3.1.1) or 5.
"""
import os
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST = "127.0.0.1"
KEPT_S = 3600
PATIENCE_S = 30


def say(text):
    print(text, flush=True)


def fail(text):
    print(text, file=sys.stderr, flush=True)
    os._exit(1)


def check(code):
    # A number in 3.1.1, an object in 5.0.
    if getattr(code, "value", code) != 0:
        fail(f"refused: {code}")


def new_client(version, client_id="", keep=False):
    if version == 5:
        return mqtt.Client(client_id, protocol=mqtt.MQTTv5)
    return mqtt.Client(client_id, clean_session=not keep, protocol=mqtt.MQTTv311)


def connect(client, version, port, keep=False):
    if version == 5:
        properties = Properties(PacketTypes.CONNECT)
        if keep:
            properties.SessionExpiryInterval = KEPT_S
        client.connect(HOST, port, clean_start=not keep, properties=properties)
    else:
        client.connect(HOST, port)


def sub(version, port, client_id, topic_filter, keep):
    client = new_client(version, client_id, keep == "keep")

    def on_connect(client, userdata, flags, code, properties=None):
        check(code)
        client.subscribe(topic_filter, 2)

    def on_subscribe(client, userdata, mid, granted, properties=None):
        say("subscribed")

    def on_message(client, userdata, message):
        properties = getattr(message, "properties", None)
        pairs = getattr(properties, "UserProperty", [])
        rest = "".join(f" {name}:{value}" for name, value in pairs)
        say(f"{message.qos} {int(message.retain)} {message.topic} {message.payload.decode()}{rest}")

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    connect(client, version, port, keep == "keep")
    client.loop_forever()


def pub(version, port, topic, payload, qos, retain, *pair):
    client = new_client(version)
    client.on_connect = lambda client, userdata, flags, code, properties=None: check(code)
    connect(client, version, port)
    client.loop_start()
    properties = None
    if pair:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = tuple(pair)
    info = client.publish(topic, payload, int(qos), retain == "1", properties)
    info.wait_for_publish(PATIENCE_S)
    if not info.is_published():
        fail("not published")
    client.disconnect()
    client.loop_stop()


def will(version, port, topic, payload):
    client = new_client(version)
    client.will_set(topic, payload, 1)

    def on_connect(client, userdata, flags, code, properties=None):
        check(code)
        say("connected")

    client.on_connect = on_connect
    connect(client, version, port)
    client.loop_forever()


if __name__ == "__main__":
    command, version, port, *rest = sys.argv[1:]
    {"sub": sub, "pub": pub, "will": will}[command](int(version), int(port), *rest)
