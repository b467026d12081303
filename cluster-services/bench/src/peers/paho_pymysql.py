"""The usual way from MQTT into a table: a paho-mqtt subscriber that writes with PyMySQL, N rows per commit.

Settings come as one line of JSON on stdin; "ready" on stdout when the subscription is granted. It runs until it is ended.
It trusts what it gets: no decoding, no check of identity, only the key out of the first 24 bytes.
"""

import json
import sys
import time
import zlib

import paho.mqtt.client as mqtt
import pymysql

INSERT = (
    "INSERT INTO chunk (recording_id, seq, committed_at_us, crc32, message) VALUES (%s, %s, %s, %s, %s)"
    " ON DUPLICATE KEY UPDATE seq = seq"
)
IDLE_FLUSH_S = 0.05  # rows that do not fill a batch are not left lying

task = json.loads(sys.stdin.readline())
rows_per_commit = task["rowsPerCommit"]
database = pymysql.connect(**task["database"], autocommit=False)
cursor = database.cursor()
waiting = []
waiting_since = 0.0


def flush():
    if rows_per_commit == 1:
        cursor.execute(INSERT, waiting[0])
    else:
        cursor.executemany(INSERT, waiting)  # PyMySQL makes one statement of many rows out of it
    database.commit()
    waiting.clear()


def on_message(_client, _userdata, message):
    global waiting_since
    payload = message.payload
    if not waiting:
        waiting_since = time.monotonic()
    waiting.append((payload[:16], int.from_bytes(payload[16:24], "big"), time.time_ns() // 1000, zlib.crc32(payload), payload))
    if len(waiting) >= rows_per_commit:
        flush()


def on_connect(client, _userdata, _flags, reason, _properties):
    if reason.is_failure:
        sys.exit(f"the broker refused the subscriber: {reason}")
    client.subscribe("vw/1/#", qos=1)


def on_subscribe(_client, _userdata, _mid, _reasons, _properties):
    print("ready", flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="peer-sub", protocol=mqtt.MQTTv311)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
if task["tls"] is not None:
    client.tls_set(ca_certs=task["tls"]["caPath"], certfile=task["tls"]["certPath"], keyfile=task["tls"]["keyPath"])
client.connect("127.0.0.1", task["port"], keepalive=60)
while client.loop(timeout=IDLE_FLUSH_S) == mqtt.MQTT_ERR_SUCCESS:
    if waiting and time.monotonic() - waiting_since >= IDLE_FLUSH_S:
        flush()
sys.exit("the connection to the broker ended")
