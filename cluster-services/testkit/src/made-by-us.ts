/**
 * Every file of the tree that looks like a recording, an archive, a payload or a large table of numbers, and how it was made: the repository holds
 * nothing that other people recorded or made. A key that ends in / is a whole folder. A test reads the tree and compares.
 */
export const madeByUs: Readonly<Record<string, string>> = {
  'cluster-services/contract/src/golden/': 'bytes of our own messages, made by golden.test.ts from numbers of a formula',
  'cluster-services/detector/model/eeg-4s.json': 'weights, by `vitalwire model train`',
  'cluster-services/detector/model/eeg-4s-golden.json': 'inputs and outputs of the network for its self-test, by `vitalwire model train`',
  'cluster-services/detector/model/evaluation.json':
    'the report of `vitalwire model evaluate`: scores and counts by segment name, no sample',
  'cluster-services/detector/model/folds.json': 'names of segments dealt to folds by a seeded shuffle',
  'cluster-services/detector/model/speed.json': 'times measured by `vitalwire model evaluate`',
  'cluster-services/detector/src/golden/features.json': 'windows of synthetic patients, their features by make-features.py beside it',
  'edge-agent/src/intake/cases/': 'bodies written by hand after situations that people tell of; nobody sent them',
  'cluster-services/vitals/src/scoring/golden/cases.jsonl': 'random events, scored by make_cases.py beside it',
  'datasets/src/edf/golden/digests.json': 'SHA-256 of what is in files of a mirror, by make-digests.py beside it; no sample',
};
