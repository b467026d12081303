import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';
import { until } from './until.ts';

let echo: Server;
let proxy: FaultProxy;
let clients: Socket[];

beforeEach(async () => {
  clients = [];
  echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const address = echo.address();
  proxy = await FaultProxy.start(typeof address === 'object' && address !== null ? address.port : 0);
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  echo.close();
});

function open(): { socket: Socket; heard: () => number; closed: () => boolean } {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  let heard = 0;
  let closed = false;
  socket.on('data', (bytes) => {
    heard += bytes.length;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  return { socket, heard: () => heard, closed: () => closed };
}

test('lets megabytes through unharmed, in both directions', async () => {
  const { socket, heard } = open();
  socket.write(Buffer.alloc(8 * 1024 * 1024, 7));
  await until(() => heard() === 8 * 1024 * 1024);
});

test('a stall holds everything back and keeps the connection; after it everything arrives', async () => {
  const { socket, heard, closed } = open();
  socket.write('a');
  await until(() => heard() === 1);
  proxy.stall();
  socket.write('b');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard()).toBe(1);
  expect(closed()).toBe(false);
  proxy.resume();
  await until(() => heard() === 2);
});

test('a cut ends every connection; new ones work, unless they are refused', async () => {
  const first = open();
  first.socket.write('a');
  await until(() => first.heard() === 1);
  proxy.cut();
  await until(first.closed);
  proxy.refuse(true);
  const second = open();
  await until(second.closed);
  proxy.refuse(false);
  const third = open();
  third.socket.write('abc');
  await until(() => third.heard() === 3);
  expect(proxy.accepted).toBe(3);
});
