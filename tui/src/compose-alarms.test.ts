import type { AlarmInfo, PatientState } from '@vitalwire/contract';
import { expect, test } from 'vitest';
import { composeTexts, viewOf } from './compose.ts';
import { drawFrame } from './frame.ts';
import { layOut } from './layout.ts';
import { alarm, heartRateHigh, links, look, noData, nowUs, patient, rowOf, second, wall } from './test-frames.ts';

test('an alarm leads its row with mark and word, and the rows go by acuity: what goes on above what is over, medium, technical', () => {
  const model = wall([
    patient('1'),
    patient('2', { alarms: [noData] }),
    patient('3', { alarms: [heartRateHigh], heart: 134 }),
    patient('4', { state: 'seizure' }),
    patient('5', { alarms: [alarm({ state: 'acknowledged', acknowledgedBy: 'nurse-7', acknowledgedAtUs: nowUs })] }),
    patient('6', { alarms: [alarm({ state: 'latched' })] }),
  ]);
  expect(model.patients(nowUs).map(({ key }) => key)).toEqual(['5', '4', '6', '3', '2', '1']);
  expect(model.selected()?.key).toBe('5'); // what is worst is what the strip shows first
  const at = new Date(nowUs / 1000);
  const time = `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
  expect(rowOf(model, 'Bed 6', 120)).toMatch(/^\*\*\* SEIZURE over, not acknowledged ● quiet/);
  expect(rowOf(model, 'Bed 5', 120)).toContain(`*** SEIZURE ack nurse-7 ${time}`);
  expect(rowOf(model, 'Bed 3', 120)).toMatch(/^\*\* HR HIGH 134 > 120 \/min ● quiet .* 134 1 s 3$/);
  expect(rowOf(model, 'Bed 2', 120)).toMatch(/^!!! NO DATA ● quiet/);
  expect(drawFrame(model, 120, 30, nowUs, look)[0]).toContain('1 *** over, not acknowledged · 1 seizure pattern');
});

test('in a narrow list the alarm takes the place of the state word, and at 80 columns both are there', () => {
  const model = wall([patient('1', { alarms: [alarm(), noData], state: 'seizure' })]);
  expect(rowOf(model, 'Bed 1', 60)).toMatch(/^▸ \*\*\* SEIZURE NO DATA /);
  expect(rowOf(model, 'Bed 1', 80)).toMatch(/^▸ \*\*\* SEIZURE NO DATA ▲ seizure pattern 4 % Bed 1 /);
});

test('an alarm says its seizures one by one, and what nobody saw is not over', () => {
  const one = (onsetS: number, lengthS: number, end: 'over' | 'not-known' | 'recording-ended', endS: number | null) => {
    const onsetUs = nowUs - onsetS * 1e6;
    return { onsetUs, seenUntilUs: onsetUs + lengthS * 1e6, end, endUs: endS === null ? null : onsetUs + endS * 1e6, peak: 1, channel: 0 };
  };
  const shown = (episodes: NonNullable<AlarmInfo['episodes']>, state: 'active' | 'latched') => {
    const endedUs = state === 'active' ? null : nowUs;
    const model = wall([patient('1', { alarms: [alarm({ state, endedUs, episodes, text: 'words of the log' })] })]);
    const drawn = drawFrame(model, 240, 30, nowUs, look).join('\n');
    expect(drawn).not.toContain('words of the log');
    return drawn;
  };
  const three = shown([one(300, 24, 'over', 24), one(200, 26, 'over', 26), one(60, 20, 'over', 20)], 'latched');
  expect(three).toMatch(/over, not acknowledged/);
  expect(three).toMatch(/stays until acknowledged · 3 seizures since \d\d:\d\d:\d\d, longest 26 s: the last over, 20 s/);
  expect(shown([one(60, 12, 'recording-ended', 13)], 'latched')).toMatch(
    /stays until acknowledged · recording ended \d\d:\d\d:\d\d during a seizure pattern, 12 s after its onset/,
  );
  const unseen = shown([one(60, 12, 'not-known', null)], 'active');
  expect(unseen).toMatch(/seizure pattern last seen \d\d:\d\d:\d\d, 12 s after its onset; not observable since/);
  expect(shown([one(60, 12, 'not-known', 60)], 'latched')).toMatch(
    /stays until acknowledged · seizure pattern last seen .* then not observable for 48 s/,
  );
});

test('a badge flashes only while it asks for attention: not when acknowledged, paused or steady, and it never loses its word', () => {
  const tones = (of: AlarmInfo, { pauses = [], isSteady = false }: { pauses?: PatientState['pauses']; isSteady?: boolean } = {}) => {
    const seen = new Set<string>();
    for (let ms = 0; ms < 1_500; ms += 50) {
      const model = wall([patient('1', { alarms: [of], pauses })]);
      model.isSteady = isSteady;
      const atUs = nowUs + ms * 1_000;
      const layout = layOut(viewOf(model, 100, 30, atUs));
      for (const { text, tone } of composeTexts(model, layout, atUs, look).list.flat()) if (/\* SEIZURE/.test(text)) seen.add(tone);
    }
    return [...seen].sort();
  };
  expect(tones(alarm())).toEqual(['alarm-high', 'alarm-high-text']);
  expect(tones(alarm({ state: 'latched' }))).toEqual(['alarm-high', 'alarm-high-text']);
  expect(tones(alarm({ state: 'acknowledged' }))).toEqual(['alarm-high-text']);
  expect(tones(alarm(), { isSteady: true })).toEqual(['alarm-high']);
  const pause = { device: 'eeg-1', untilUs: nowUs + 60 * second, by: 'n', above: 'high' as const };
  expect(tones(alarm(), { pauses: [pause] })).toEqual(['alarm-high']);
  expect(tones(alarm(), { pauses: [{ ...pause, above: 'medium' }] })).toEqual(['alarm-high', 'alarm-high-text']);
});

test('alarms not watched is said under the header, whether the path is silent, was never heard or this screen lost its connection', () => {
  const model = wall([patient('1')]);
  const line = () => drawFrame(model, 120, 30, nowUs, look)[1] ?? '';
  expect(line()).toBe('');
  model.takeState({ whole: false, links: { ...links, alarms: 'unknown' }, systemAlarms: [], patients: [] });
  expect(line()).toContain('!!! ALARMS NOT WATCHED  the alarms service was not heard yet');
  const path = alarm({ condition: 'alarm-path', category: 'technical', device: 'web', text: 'the alarms service is silent' });
  const gateway = alarm({ condition: 'gateway-offline', category: 'technical', priority: 'medium', device: 'gateway-3' });
  model.takeState({ whole: false, links: { ...links, alarms: 'down' }, systemAlarms: [path, gateway], patients: [] });
  expect(line()).toMatch(/!!! ALARMS NOT WATCHED {2}the alarms service is silent, since \d\d:\d\d:\d\d {2}\+1 more/);
  model.takeState({ whole: false, links, systemAlarms: [], patients: [] });
  expect(line()).toBe('');
  model.takeLink('lost', nowUs);
  expect(line()).toContain('!!! ALARMS NOT WATCHED  this screen has no connection');
  model.takeLink('live', nowUs);
  expect(line()).toBe('');
});

test('the bell is for alarms that nobody answered or paused, for a silent alarm path, and for a connection lost for long', () => {
  const model = wall([
    patient('1', { alarms: [alarm({ alarmId: 'a'.repeat(16) }), heartRateHigh] }),
    patient('2', { alarms: [alarm({ alarmId: 'b'.repeat(16), state: 'acknowledged' })] }),
    patient('3', {
      alarms: [alarm({ alarmId: 'c'.repeat(16) })],
      pauses: [{ device: 'eeg-1', untilUs: nowUs + second, by: 'n', above: 'high' }],
    }),
  ]);
  const ids = (atUs: number) => model.sounding(atUs).map(({ id, pattern }) => `${id[0]} ${pattern}`);
  expect(ids(nowUs)).toEqual(['a high', '1 medium']);
  expect(ids(nowUs + second)).toEqual(['a high', '1 medium', 'c high']);
  model.takeLink('lost', nowUs);
  expect(ids(nowUs + 10 * second)).not.toContain('c technical');
  expect(model.sounding(nowUs + 11 * second).at(-1)).toMatchObject({ id: 'connection', pattern: 'technical' });
});

test.each([40, 60, 80, 100, 120, 160, 200])(
  '%i columns wide, NO DATA is never hidden behind a count, and a pause is seen while it lasts',
  (width) => {
    const pause = { device: 'eeg-1', untilUs: nowUs + 103 * second, by: 'nurse-9', above: 'medium' as const };
    const worst = [alarm(), alarm({ condition: 'heart-rate-extreme-high', alarmId: '4'.repeat(16) }), heartRateHigh];
    for (const [index] of worst.entries())
      for (const pauses of [[], [pause]]) {
        const row = rowOf(wall([patient('1', { alarms: [...worst.slice(index), noData], pauses })]), 'Bed 1', width);
        expect(row).toMatch(/ NO DATA/);
        expect(row.includes('‖')).toBe(pauses.length > 0);
      }
    const over = rowOf(wall([patient('1', { alarms: [alarm({ state: 'latched' }), noData] })]), 'Bed 1', width);
    expect(over).toMatch(/SEIZURE (over.* )?NO DATA /);
    expect(rowOf(wall([patient('1', { pauses: [pause] })]), 'Bed 1', width)).toContain('‖1:43');
    expect(rowOf(wall([patient('1', { pauses: [{ ...pause, untilUs: nowUs }] })]), 'Bed 1', width)).not.toContain('‖');
  },
);

test('a pause without an alarm, or with an acknowledged one, has a line of its own', () => {
  const pause = { device: 'eeg-1', untilUs: nowUs + 103 * second, by: 'nurse-9', above: 'medium' as const };
  const text = (alarms: AlarmInfo[]) => drawFrame(wall([patient('1', { alarms, pauses: [pause] })]), 100, 30, nowUs, look).join('\n');
  for (const alarms of [
    [],
    [alarm({ state: 'acknowledged' })],
    Array.from({ length: 9 }, () => ({ ...heartRateHigh, state: 'acknowledged' as const })),
  ])
    expect(text(alarms)).toContain('sound off ‖1:43 by nurse-9; above medium priority still sounds');
  expect(text([heartRateHigh])).not.toContain('still sounds');
});

test('what is wrong with a gateway or a database stands in the header and below it, cleaned, beside an alarm too', () => {
  const model = wall([]);
  const problems = [
    { about: 'readings', text: 'readings.sqlite is damaged: restore a backup' },
    { about: 'gateway-1', text: '\u001b[2Jthe outbox is full' },
  ];
  model.takeState({ whole: false, links: { ...links, problems }, systemAlarms: [], patients: [] });
  const rows = (width = 160): string[] => drawFrame(model, width, 24, nowUs, look);
  expect(rows()[0]).toContain('● nothing arrives, 2 problems');
  expect(rows(100)[1]).toMatch(/^ PROBLEM readings: readings\.sqlite is damaged: restore a backup {2}\+1 more/);
  expect(rows()[1]).toMatch(/restore a backup PROBLEM gateway-1: \[2Jthe outbox is full *$/);
  model.takeState({ whole: false, links: { ...links, problems: problems.slice(1) }, systemAlarms: [], patients: [] });
  expect(rows()[1]).toMatch(/^ PROBLEM gateway-1: \[2Jthe outbox is full *$/);
  const offline = alarm({ condition: 'gateway-offline', category: 'technical', device: 'gateway-1', text: 'silent' });
  model.takeState({ whole: false, links: { ...links, problems: problems.slice(1) }, systemAlarms: [offline], patients: [] });
  expect(rows()[1]).toMatch(/gateway-1: silent.* PROBLEM gateway-1: .*the outbox is full/);
  model.takeState({ whole: false, links, systemAlarms: [], patients: [] });
  expect(rows()[0]).not.toContain('problem');
});
