import type { Socket } from 'node:net';
import { type LiveRequest, parseLiveRequest, type Stream } from '@vitalwire/contract';
import type { WebSocket } from 'ws';
import type { LiveHub, Outgoing, Viewer, ViewerSocket, Wish } from './live-hub.ts';
import { textFrame } from './socket-frame.ts';

/** Close codes a viewer may see; the 4xxx are ours. */
const closeCodes = { goingAway: 1001, badMessage: 4400, tooManyViewers: 4429 } as const;

export type LiveSocketOptions = {
  socket: WebSocket;
  raw: Socket; // the connection beneath, for frames that are shared between viewers
  hub: LiveHub;
  recent: () => Iterable<Outgoing>; // the last seconds, for a strip that is opened
  greeting: () => object[];
};

/** Joins one browser or terminal to the hub. What it sends is checked; anything we do not understand ends the connection with a reason. */
export function serveViewer({ socket, raw, hub, recent, greeting }: LiveSocketOptions): void {
  socket.on('error', () => {}); // 'close' follows
  const viewer = hub.join(viewerSocket(socket, raw));
  if (viewer === null) {
    socket.close(closeCodes.tooManyViewers, 'too many viewers');
    return;
  }
  socket.on('close', () => hub.leave(viewer));
  socket.on('message', (data, isBinary) => {
    const wish = isBinary || !Buffer.isBuffer(data) ? null : parseLiveRequest(data.toString('utf8'));
    if (wish === null) socket.close(closeCodes.badMessage, 'message not understood');
    else obey(hub, viewer, wish, recent);
  });
  for (const message of greeting()) viewer.socket.write(textFrame(JSON.stringify(message)));
}

function obey(hub: LiveHub, viewer: Viewer, wish: LiveRequest, recent: () => Iterable<Outgoing>): void {
  if (wish.type === 'credit') hub.addCredit(viewer, wish.frames);
  else if (wish.type === 'unsubscribe') hub.unsubscribe(viewer);
  else hub.subscribe(viewer, wishOf(wish.devices, wish.patients, wish.streams), wish.credit, recent());
}

function wishOf(devices: string[] | undefined, patients: string[] | undefined, wanted: Stream[]): Wish {
  const everything = devices === undefined && patients === undefined;
  return { devices: everything ? null : new Set(devices), patients: new Set(patients), streams: new Set(wanted) };
}

// Whole frames go straight to the connection, so that a frame is built once for all viewers. This is sound because compression is
// off: ws then writes its own frames (pong, close) whole and at once too, and the two can never interleave.
function viewerSocket(socket: WebSocket, raw: Socket): ViewerSocket {
  return {
    write: (frame) => void raw.write(frame),
    bufferedBytes: () => raw.writableLength,
    isOpen: () => socket.readyState === socket.OPEN && raw.writable,
  };
}
