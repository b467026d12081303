import { expect, test } from 'vitest';
import { annotationOf, joinChannels, pairSeizures, seizureMeaning } from './seizure-words.ts';

test.each([
  'Seizure',
  'seizure',
  'SEIZURE',
  'Sz',
  'sz',
  'sz_foc_ia',
  'seiz',
  'fnsz',
  'CPSZ',
  'Seizure 3',
  'electrographic seizure',
  'sz#2',
  'Epileptischer Anfall',
  'Anfall',
  'Crise',
  'seizure (left temporal)',
  'absence seizure',
])("'%s' says seizure", (text) => {
  expect(seizureMeaning(text)).toBe('whole');
});

test.each(['Seizure onset', 'seizure start', 'Sz begins', 'SEIZURE ON'])("'%s' says that one begins", (text) => {
  expect(seizureMeaning(text)).toBe('start');
});

test.each(['Seizure end', 'sz offset', 'seizure stops'])("'%s' says that one ends", (text) => {
  expect(seizureMeaning(text)).toBe('end');
});

test.each([
  'no seizure',
  'seizure?',
  'possible sz',
  'post-ictal',
  'interictal',
  'seizure-free',
  'non-epileptic seizure',
  'before seizure',
  'Seizure button',
  'bckg',
  'Sleep stage W',
  'type A',
  'szene',
  'XLSpike',
  'Clip Note',
  '',
  'seizured',
  'crisis management',
])("'%s' says no seizure", (text) => {
  expect(seizureMeaning(text)).toBeNull();
});

test('a start without a duration lasts until the next end, but not over another start', () => {
  const at = (second: number, text: string) => annotationOf({ onsetUs: second * 1e6, durationUs: null, text });
  const paired = pairSeizures([
    at(1, 'Seizure onset'),
    at(2, 'eyes open'),
    at(31, 'Seizure end'),
    at(50, 'sz start'),
    at(60, 'sz start'),
    at(65, 'sz end'),
  ]);
  expect(paired.map(({ type, durationUs }) => [type, durationUs === null ? null : durationUs / 1e6])).toEqual([
    ['seizure', 30],
    ['annotation', null],
    ['annotation', null],
    ['seizure', null],
    ['seizure', 5],
    ['annotation', null],
  ]);
});

test('text after @@ names the channel it speaks of', () => {
  expect(annotationOf({ onsetUs: 0, durationUs: null, text: 'spike@@EEG F3' })).toMatchObject({ text: 'spike', channels: ['EEG F3'] });
});

test('neighbours that say the same of several channels are one annotation, others are not', () => {
  const at = (onsetUs: number, text: string) => annotationOf({ onsetUs, durationUs: 5, text });
  const joined = joinChannels([at(0, 'sz@@F3'), at(0, 'sz@@C3'), at(0, 'sz@@C3'), at(0, 'sz'), at(1, 'sz@@F3'), at(1, 'spike@@C3')]);
  expect(joined.map(({ onsetUs, text, channels }) => [onsetUs, text, channels.join(' ')])).toEqual([
    [0, 'sz', 'F3 C3'],
    [0, 'sz', 'C3'],
    [0, 'sz', ''],
    [1, 'sz', 'F3'],
    [1, 'spike', 'C3'],
  ]);
});
