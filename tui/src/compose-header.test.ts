import { expect, test } from 'vitest';
import { composeHelp, composeTexts, viewOf } from './compose.ts';
import { drawFrame } from './frame.ts';
import { layOut } from './layout.ts';
import { alarm, links, look, noData, nowUs, patient, rowOf, wall } from './test-frames.ts';
import type { WallModel } from './wall-model.ts';

test('what the wall itself lacks is said in its header and never looks like a patient', () => {
  const model = wall([patient('1')]);
  const header = () => drawFrame(model, 120, 30, nowUs, look)[0] ?? '';
  expect(header()).toMatch(/VITALWIRE {2}1 patient .*● live {3}\d\d:\d\d:\d\d$/);
  model.takeState({ whole: false, links: { ...links, storage: 'down' }, systemAlarms: [], patients: [] });
  expect(header()).toContain('● live, database down');
  model.takeBehind(17, nowUs / 1000);
  expect(header()).toContain('behind, 17 chunks not shown');
  model.link = 'lost';
  expect(header()).toContain('connection lost');
});

test('the header is green only while readings arrive, and blames what is down', () => {
  const header = (model: WallModel) => drawFrame(model, 120, 30, nowUs, look)[0] ?? '';
  const tone = (model: WallModel) => {
    const layout = layOut(viewOf(model, 120, 30, nowUs));
    return composeTexts(model, layout, nowUs, look).header.find(({ text }) => text.startsWith('●'))?.tone;
  };
  const flowing = wall([patient('1'), patient('2', { eegAge: 40, heartAge: 40 })]);
  expect([header(flowing).includes('● live'), tone(flowing)]).toEqual([true, 'good']);
  const silent = wall([patient('2', { eegAge: 40, heartAge: 40 })]);
  expect(header(silent)).toContain('● nothing arrives for 40 s');
  expect(tone(silent)).toBe('bad');
  const gateway = alarm({ condition: 'gateway-offline', category: 'technical', priority: 'medium', device: 'g1' });
  silent.takeState({
    whole: false,
    links,
    systemAlarms: [gateway],
    patients: [patient('2', { eegAge: 40, heartAge: 40, alarms: [noData] })],
  });
  expect(header(silent)).toContain('● nothing arrives for 40 s, g1 is off');
  expect(rowOf(silent, 'Bed 2', 120)).toMatch(/!!! NO DATA gateway off/);
  expect(tone(wall([]))).toBe('soft');
});

test('the header counts what goes on: neither what is over nor a pattern seen long ago', () => {
  const model = wall([
    patient('1', { state: 'seizure', eegAge: 20 }),
    patient('2', { alarms: [alarm({ state: 'latched' })] }),
    patient('3', { alarms: [alarm()], state: 'seizure' }),
  ]);
  expect(drawFrame(model, 130, 30, nowUs, look)[0]).toContain('3 patients · 1 *** not acknowledged · 1 over · 1 seizure pattern ');
});

test('the page’s address stands where nothing was just done, whole where it fits, and whole on the sheet of keys', () => {
  const model = wall([patient('1')]);
  model.pageUrl = `https://127.0.0.1:40123/#token=${'t'.repeat(43)}`;
  const row = (width: number) => drawFrame(model, width, 30, nowUs, look).at(-2);
  expect(row(100)).toBe(` page ${model.pageUrl}`);
  expect(row(60)).toBe(' page https://127.0.0.1:40123/  (? whole address)');
  model.say('done', 'good', nowUs / 1000);
  expect(row(100)).toBe(' done');
  expect(composeHelp(look, model.pageUrl)).toContain(`page ${model.pageUrl}`);
});
