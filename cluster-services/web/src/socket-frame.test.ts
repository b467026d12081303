import { expect, test } from 'vitest';
import * as ws from 'ws';
import { binaryFrame, textFrame } from './socket-frame.ts';

// Not in the types of ws, but the very code that reads our frames in Node.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => NodeJS.WritableStream };

function read(frame: Uint8Array): Promise<{ data: Buffer; isBinary: boolean }> {
  return new Promise((resolve, reject) => {
    const receiver = new Receiver({
      isServer: false,
      binaryType: 'nodebuffer',
    });
    receiver.on('message', (data: Buffer, isBinary: boolean) => resolve({ data, isBinary }));
    receiver.on('error', reject);
    receiver.write(frame);
  });
}

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 100_000])('a frame of %i bytes is what a WebSocket receiver reads', async (length) => {
  const payload = Uint8Array.from({ length }, (_, index) => index * 31);
  const { data, isBinary } = await read(binaryFrame(payload));
  expect(isBinary).toBe(true);
  expect(Buffer.compare(data, payload)).toBe(0);
});

test('a text frame carries UTF-8', async () => {
  const { data, isBinary } = await read(textFrame('{"a":"µ ▲"}'));
  expect(isBinary).toBe(false);
  expect(data.toString('utf8')).toBe('{"a":"µ ▲"}');
});
