import { type Alarm, decodeMessage, isOwnedBy } from '@vitalwire/contract';
import { systemClock } from '@vitalwire/runtime';
import { expect, test } from 'vitest';
import { Pulse } from './pulse.ts';

function newPulse() {
  const sent: Alarm[] = [];
  const pulse = new Pulse({
    sender: 'alarms',
    clock: systemClock,
    clockState: () => ({ offsetUs: 0, uncertaintyUs: 0, source: 'none' }),
    publishLive: (_topic, bytes) => {
      const decoded = decodeMessage(bytes);
      if (decoded.ok && decoded.value.stream === 'alarm') sent.push(decoded.value);
    },
  });
  return { pulse, sent, kinds: () => sent.map(({ transition }) => transition), last: () => sent.at(-1) ?? { subject: '', seq: -1 } };
}

test('a pulse goes out only if what was sent before it came back', () => {
  const { pulse, kinds, last } = newPulse();
  pulse.beat();
  pulse.beat();
  expect(kinds()).toEqual(['updated', 'updated']); // probes: nobody takes those for a pulse
  pulse.heard(last());
  pulse.beat();
  expect(kinds().at(-1)).toBe('pulse');
  pulse.beat(); // the pulse itself has not come back
  expect(kinds().at(-1)).toBe('updated');
});

test('what another process of the same service sent is no echo', () => {
  const one = newPulse();
  const other = newPulse();
  one.pulse.beat();
  other.pulse.beat();
  one.pulse.heard(other.last());
  expect(one.pulse.isHeard).toBe(false);
});

test('pulses and probes are about no alarm and carry the service in their ids', () => {
  const { pulse, sent, last } = newPulse();
  pulse.beat();
  pulse.heard(last());
  pulse.beat();
  for (const alarm of sent) {
    expect(alarm).toMatchObject({ alarmId: '', condition: null, device: 'alarms', sender: 'alarms' });
    expect(isOwnedBy(alarm.subject, 'alarms')).toBe(true);
  }
  expect(sent.map(({ seq }) => seq)).toEqual([0, 1]);
});
