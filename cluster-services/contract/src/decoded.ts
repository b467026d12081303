/** Why bytes or text from outside were not understood. The names are stable: they are stored with quarantined bytes and counted. */
export const decodeReasons = [
  'truncated', // the bytes end before the value does
  'oversize', // longer than the named limit
  'malformed', // not CBOR, or CBOR outside our subset: indefinite length, tag, float16, reserved bits
  'not-deterministic', // a second spelling of a value: long integer, float64 of a whole number
  'unordered-keys', // map keys not ascending
  'duplicate-key',
  'bad-utf8',
  'too-many', // more elements or a longer text than the limit of that field
  'out-of-range', // an integer or a number outside what the field allows
  'wrong-type',
  'missing-field',
  'unexpected-field',
  'trailing-bytes',
  'unknown-version',
  'unknown-stream',
  'unknown-codec',
  'bad-field', // right type, impossible content
  'prefix-disagrees', // the 24-byte prefix and the body name different identities
  'damaged', // the checksum of the sample block does not match
  'bad-block', // the sample block contradicts its own header
  'bad-topic',
  'wrong-shard',
  'topic-disagrees', // topic and body name different streams, gateways or devices
  'foreign-recording', // the owner tag belongs to somebody else
  'foreign-gateway', // the body names another gateway than the sender
  'wrong-derived-id', // not the id that subject and kind give
] as const;

export type DecodeReason = (typeof decodeReasons)[number];

/** The result of checking something that came from outside: a value, or a named reason. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: DecodeReason; readonly detail?: string };

/** Shorthand for a failed check. */
export function refused(
  reason: DecodeReason,
  detail?: string,
): { readonly ok: false; readonly reason: DecodeReason; readonly detail?: string } {
  return detail === undefined ? { ok: false, reason } : { ok: false, reason, detail };
}
