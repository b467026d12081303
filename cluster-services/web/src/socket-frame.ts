const TEXT = 0x81; // FIN and opcode 1
const BINARY = 0x82;

/** A whole unmasked WebSocket message (RFC 6455 §5.2) around a text. Built once, written to as many sockets as want it. */
export function textFrame(text: string): Uint8Array {
  return frame(TEXT, new TextEncoder().encode(text));
}

/** A whole unmasked WebSocket message around bytes. */
export function binaryFrame(payload: Uint8Array): Uint8Array {
  return frame(BINARY, payload);
}

function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const length = payload.byteLength;
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = new Uint8Array(header + length);
  bytes[0] = opcode;
  const view = new DataView(bytes.buffer);
  if (header === 2) bytes[1] = length;
  else if (header === 4) {
    bytes[1] = 126;
    view.setUint16(2, length);
  } else {
    bytes[1] = 127;
    view.setBigUint64(2, BigInt(length));
  }
  bytes.set(payload, header);
  return bytes;
}
