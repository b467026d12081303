import { createLog } from '@vitalwire/runtime';
import { VirtualClock } from '@vitalwire/testkit';
import { expect, test } from 'vitest';
import { hubLimits, LiveHub, type Outgoing, type Viewer, type ViewerSocket } from './live-hub.ts';

const log = createLog({ name: 'test', level: 'silent' });
const everything = { devices: null, patients: new Set<string>(), streams: new Set(['eeg'] as const) };

class FakeSocket implements ViewerSocket {
  readonly frames: Uint8Array[] = [];
  buffered = 0;
  open = true;
  write(frame: Uint8Array): void {
    this.frames.push(frame);
  }
  bufferedBytes(): number {
    return this.buffered;
  }
  isOpen(): boolean {
    return this.open;
  }
  notices(): { type: string; dropped?: number }[] {
    return this.frames.filter((frame) => frame[0] === 0x81).map((frame) => JSON.parse(new TextDecoder().decode(frame.subarray(2))));
  }
  binaries(): Uint8Array[] {
    return this.frames.filter((frame) => frame[0] === 0x82);
  }
}

function chunk(device = 'd1', isBacklog = false, patient: string | null = null): Outgoing {
  return { device, patient, stream: 'eeg', isBacklog, frame: Uint8Array.of(0x82, 1, 7) };
}

function joined(hub: LiveHub, credit = 10): { viewer: Viewer; socket: FakeSocket } {
  const socket = new FakeSocket();
  const viewer = hub.join(socket);
  if (viewer === null) throw new Error('refused');
  hub.subscribe(viewer, everything, credit);
  return { viewer, socket };
}

test('viewers without credit lose frames and are told how many; nothing waits for them, and others lose nothing', () => {
  const clock = new VirtualClock();
  const hub = new LiveHub(hubLimits, clock, log);
  const slow = joined(hub, 3);
  const quick = joined(hub, 1_000);
  for (let count = 0; count < 10; count++) hub.publish(chunk());
  expect(slow.socket.binaries()).toHaveLength(3);
  expect(quick.socket.binaries()).toHaveLength(10);
  expect(slow.socket.notices()).toEqual([{ type: 'behind', dropped: 1 }]); // at once, then at most one a second

  hub.addCredit(slow.viewer, 5);
  for (let count = 0; count < 5; count++) hub.publish(chunk());
  expect(slow.socket.binaries()).toHaveLength(8); // the seven dropped in between never come
  hub.publishState(null, () => new Uint8Array());
});

test('what was dropped between two notices is told with the next one', async () => {
  const clock = new VirtualClock();
  const hub = new LiveHub(hubLimits, clock, log);
  const { socket } = joined(hub, 0);
  for (let count = 0; count < 8; count++) hub.publish(chunk());
  await clock.advance(1_001);
  hub.publish(chunk());
  expect(socket.notices().map(({ dropped }) => dropped)).toEqual([1, 8]);
});

test('a viewer that does not read gets nothing more, not even a notice, until its socket drains', () => {
  const hub = new LiveHub(hubLimits, new VirtualClock(), log);
  const { socket } = joined(hub, 100);
  socket.buffered = hubLimits.maxBufferedBytes + 1;
  for (let count = 0; count < 5; count++) hub.publish(chunk());
  hub.broadcast(Uint8Array.of(0x81, 0));
  hub.publishState(Uint8Array.of(0x81, 0), () => Uint8Array.of(0x81, 1));
  expect(socket.frames).toEqual([]);
  socket.buffered = 0;
  hub.publish(chunk());
  expect(socket.binaries()).toHaveLength(1);
});

test('who missed a state change gets the whole state next, everybody else only what changed, from one frame', () => {
  const hub = new LiveHub(hubLimits, new VirtualClock(), log);
  const a = joined(hub);
  const b = joined(hub);
  const whole = Uint8Array.of(0x81, 2, 1, 1);
  const change = Uint8Array.of(0x81, 1, 2);
  let built = 0;
  const build = () => {
    built += 1;
    return whole;
  };
  hub.publishState(change, build);
  expect([a.socket.frames, b.socket.frames]).toEqual([[whole], [whole]]);
  expect(a.socket.frames[0]).toBe(b.socket.frames[0]);
  expect(built).toBe(1);
  b.socket.buffered = hubLimits.maxBufferedBytes + 1;
  hub.publishState(change, build);
  b.socket.buffered = 0;
  hub.publishState(change, build);
  expect(a.socket.frames).toEqual([whole, change, change]);
  expect(b.socket.frames).toEqual([whole, whole]);
});

test('a backlog may use half of the room, so that history never crowds out the present', () => {
  const hub = new LiveHub(hubLimits, new VirtualClock(), log);
  const { socket } = joined(hub, 10);
  for (let count = 0; count < 20; count++) hub.publish(chunk('d1', true));
  expect(socket.binaries()).toHaveLength(5);
  for (let count = 0; count < 5; count++) hub.publish(chunk());
  expect(socket.binaries()).toHaveLength(10);
});

test('viewers get the streams, devices and patients they asked for', () => {
  const hub = new LiveHub(hubLimits, new VirtualClock(), log);
  const { viewer, socket } = joined(hub, 100);
  hub.subscribe(viewer, { devices: new Set(['d1']), patients: new Set(['p2']), streams: new Set(['eeg']) }, 100);
  hub.publish(chunk('d1'));
  hub.publish(chunk('d2', false, 'p2'));
  hub.publish(chunk('d3', false, 'p3'));
  hub.publish({ ...chunk('d1'), stream: 'detection' });
  expect(socket.binaries()).toHaveLength(2);
  hub.unsubscribe(viewer);
  hub.publish(chunk('d1'));
  expect(socket.binaries()).toHaveLength(2);
});

test('the room has a limit: who comes later is refused, who leaves makes room', () => {
  const hub = new LiveHub({ ...hubLimits, maxViewers: 2 }, new VirtualClock(), log);
  const first = joined(hub);
  joined(hub);
  expect(hub.join(new FakeSocket())).toBeNull();
  hub.leave(first.viewer);
  expect(hub.join(new FakeSocket())).not.toBeNull();
  expect(hub.counts()).toMatchObject({ viewers: 2, viewersRefused: 1 });
});

test('a strip that is opened begins with the last seconds, once; who sees everything gets each chunk once', () => {
  const hub = new LiveHub(hubLimits, new VirtualClock(), log);
  const { viewer, socket } = joined(hub, 100);
  const recent = [chunk('d1'), chunk('d2'), chunk('d1')];
  hub.subscribe(viewer, everything, 100, recent);
  expect(socket.binaries()).toHaveLength(0);
  const other = new FakeSocket();
  const strip = hub.join(other) as Viewer;
  const wish = { devices: new Set(['d1']), patients: new Set<string>(), streams: new Set(['eeg'] as const) };
  hub.subscribe(strip, wish, 100, recent);
  expect(other.binaries()).toHaveLength(2);
  hub.subscribe(strip, wish, 100, recent);
  expect(other.binaries()).toHaveLength(2);
});
