import type { TaskResult } from './evaluate.ts';
import type { Outcome, Report } from './train-detector.ts';

/** The training report as a page to read; the JSON beside it has every number. */
export function renderReport(report: Report): string {
  const { all, 'F+N': fairer } = report.crossValidation;
  const lines = [
    `# Training report: ${report.version}`,
    '',
    `Model \`${report.modelHash}\`, written by the training command (seed ${report.seed}, backend ${report.backend}); do not edit. Research and education`,
    'software, not a medical device. **Detection performance on unseen patients is unknown:** the segments carry no patient numbers, so every figure here is an',
    'upper bound. The data was picked by hand, free of artefacts; no figure is a clinical false-alarm rate.',
    '',
    `Trained on ${report.trainedOn} (${report.trainingSegments} segments, windows of 178 samples at 173.61 Hz). ${report.members} networks`,
    `20-${report.recipe.hidden.join('-')}-1 (${report.parameters} parameters each), ${report.recipe.epochs} epochs, batch ${report.recipe.batch}, Adam ${report.recipe.learningRate} falling along a half cosine, L2 ${report.recipe.weightDecay}.`,
    '',
    '## Cross-validation, split by segment',
    '',
    `${report.folds[0]?.folds.length ?? 0} folds, mean of ${report.perSplit.length} splits (the folds are in training-report.json). "all": Z, O, N, F against S. "F+N": intracranial recordings`,
    'between seizures against S, the fairer task. Probabilities are calibrated with the one temperature fitted to these same folds.',
    '',
    '| task | AUC | balanced accuracy | sensitivity at specificity .99 | ECE, 15 bins | Brier | segment accuracy |',
    '|---|---|---|---|---|---|---|',
    row('**all**', all),
    row('**F+N**', fairer),
    ...report.perSplit.flatMap(({ splitSeed, result }) => [
      row(`all, split ${splitSeed}`, result.all),
      row(`F+N, split ${splitSeed}`, result['F+N']),
    ]),
    '| bar, all | .9970 | .9650 | .950 | .0150 | .0150 | .985 |',
    '| bar, F+N | .9960 | .9650 | .930 | .0150 | - | .980 |',
    '',
    '## Beside it',
    '',
    '| baseline | AUC all / F+N | balanced accuracy all / F+N | se@sp99 all / F+N |',
    '|---|---|---|---|',
    ...report.baselines.map(
      ({ name, result: { all: a, 'F+N': b } }) =>
        `| ${name} | ${four(a.auc)} / ${four(b.auc)} | ${four(a.balancedAccuracy)} / ${four(b.balancedAccuracy)} | ${three(a.sensitivityAt99)} / ${three(b.sensitivityAt99)} |`,
    ),
    '',
    '## Held out',
    '',
    ...heldOut(report),
    '## Thresholds',
    '',
    `Temperature ${four(report.temperature)}. From the folds: a window is a **seizure** from probability ${report.seizureAt} on (at most 1 % of the non-ictal windows), **quiet** below`,
    `${report.quietBelow} (at most 1 % of the ictal ones), **unsure** between; a window further than ${report.distanceLimit} SD per feature from every training set is "unlike training".`,
    '',
    '| windows | seizure | unsure | quiet | unlike training | not scorable |',
    '|---|---|---|---|---|---|',
    outcomeRow('ictal, out of fold', report.outOfFoldOutcome.ictal),
    outcomeRow('other, out of fold', report.outOfFoldOutcome.other),
    '',
    `The quality gate refuses of the training windows: ${Object.entries(report.refusedByQuality)
      .map(([group, share]) => `${group} ${percent(share)}`)
      .join(', ')}.`,
    '',
    '## Calibration, all, first split',
    '',
    '| probability from | windows | mean probability | ictal share |',
    '|---|---|---|---|',
    ...(report.perSplit[0]?.result.all.bins ?? []).map(
      (bin) => `| ${three(bin.from)} | ${bin.count} | ${three(bin.meanProbability)} | ${three(bin.ictalShare)} |`,
    ),
    '',
    '## Disturbed signals (held-out segments)',
    '',
    "AUC of the network alone; the shares are what the whole detector says, gates included. A changed gain is this model's known weakness: it has no running baseline yet.",
    '',
    '| disturbance | AUC all / F+N | ictal: seizure / unsure / quiet / refused | other: seizure / unsure / quiet / refused |',
    '|---|---|---|---|',
    ...report.disturbances.map(
      ({ name, auc, ictal, other }) => `| ${name} | ${four(auc.all)} / ${four(auc['F+N'])} | ${shares(ictal)} | ${shares(other)} |`,
    ),
    '',
    '## Signals no brain made',
    '',
    '| signal | seizure | unsure | quiet | unlike training | not scorable |',
    '|---|---|---|---|---|---|',
    ...report.probes.map(({ name, outcome }) => outcomeRow(name, outcome)),
    '',
  ];
  return lines.join('\n');
}

function heldOut({ heldOut: result, heldOutSegments }: Report): string[] {
  if (result === null) return ['No held-out segments were given.', ''];
  return [
    `${heldOutSegments} segments that neither training nor any threshold has seen.`,
    '',
    '| task | AUC | balanced accuracy | sensitivity at specificity .99 | ECE, 15 bins | Brier | segment accuracy |',
    '|---|---|---|---|---|---|---|',
    row('all', result.all),
    row('F+N', result['F+N']),
    '',
  ];
}

function row(name: string, result: TaskResult): string {
  return `| ${name} | ${four(result.auc)} | ${four(result.balancedAccuracy)} | ${three(result.sensitivityAt99)} | ${four(result.calibrationError)} | ${four(result.brier)} | ${three(result.segmentAccuracy)} |`;
}

function outcomeRow(name: string, outcome: Outcome): string {
  return `| ${name} | ${[outcome.seizure, outcome.unsure, outcome.quiet, outcome.unlikeTraining, outcome.notScorable].map(percent).join(' | ')} |`;
}

function shares(outcome: Outcome): string {
  return [outcome.seizure, outcome.unsure, outcome.quiet, outcome.unlikeTraining + outcome.notScorable].map(percent).join(' / ');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function three(value: number): string {
  return value.toFixed(3).replace(/^0\./, '.');
}

function four(value: number): string {
  return value.toFixed(4).replace(/^0\./, '.');
}
