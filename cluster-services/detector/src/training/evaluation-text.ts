import { barsOf } from './bars.ts';
import type { TaskResult } from './evaluate.ts';
import type { Beside, Evaluation, Results } from './evaluate-model.ts';
import type { Outcome } from './held-out.ts';
import type { Speed } from './speed.ts';

/** The report of `vitalwire model evaluate` as Markdown. */
export function renderEvaluation(evaluation: Evaluation, speed: Speed | null): string {
  const sections = [renderGoals(evaluation, speed), renderResults(evaluation), renderRobustness(evaluation), renderProbes(evaluation)];
  return `${sections.join('')}${speed === null ? '' : renderSpeed(speed)}`;
}

function renderGoals(evaluation: Evaluation, speed: Speed | null): string {
  const { recipe } = evaluation;
  const bars = barsOf(evaluation, speed);
  const missed = bars.filter(({ met }) => !met);
  return `# Evaluation of ${evaluation.version}

Model \`${evaluation.modelHash}\`, written by \`vitalwire model evaluate\`; do not edit. Research and education software, not a medical device.
**Detection performance on unseen patients is unknown:** the segments carry no patient numbers, so every figure is an upper bound. The data was
picked by hand, free of artefacts, and has no continuous recording: no figure is a clinical false-alarm rate.

${evaluation.trainedOn}: ${recipe.members} networks ${evaluation.parameters} parameters each, ${recipe.epochs} epochs, batch ${recipe.batch}, Adam ${recipe.learningRate} falling along a half
cosine, L2 ${recipe.weightDecay}, seed ${evaluation.seed}. Model file ${(evaluation.modelBytes / 1024).toFixed(0)} kB.

## Goals

${bars.length - missed.length} of ${bars.length} met.${missed.length > 0 ? ` **Missed:** ${missed.map(({ what }) => what).join('; ')}.` : ''}

| goal | needed | measured | |
|---|---|---|---|
${bars.map(({ what, needed, measured, atLeast, met }) => `| ${what} | ${atLeast ? '≥' : '≤'} ${figure(needed)} | ${figure(measured)} | ${met ? 'met' : '**missed**'} |`).join('\n')}
`;
}

function renderResults(evaluation: Evaluation): string {
  return `
## Cross-validation, split by segment

Features, filter and network were chosen on folds of segments 001-064; nothing was chosen on 065-080.

${evaluation.crossValidated} segments, 5 folds, ${evaluation.splits.length} splits (\`folds.json\`), population baseline, no gate. "all": Z, O, N, F against S. "F+N": intracranial recordings between
seizures against S, the fairer task. The temperature of each fold comes from the others. The networks are trained as the shipped one is, on four folds each; the 1 s ones
on clean windows alone.

| windows, task | AUC | balanced accuracy | sensitivity at specificity .99 | ECE, 15 bins | Brier | segment accuracy |
|---|---|---|---|---|---|---|
${[
  ...rows('**4 s**', evaluation.fourSeconds.mean),
  ...evaluation.fourSeconds.perSplit.flatMap((result, index) => rows(`4 s, split ${evaluation.splits[index]?.split}`, result)),
  ...rows('4 s, own baseline', evaluation.fourSeconds.own),
  ...rows('**1 s**', evaluation.oneSecond.mean),
  ...evaluation.oneSecond.perSplit.flatMap((result, index) => rows(`1 s, split ${evaluation.splits[index]?.split}`, result)),
].join('\n')}

## Beside it (first split)

| detector | windows | AUC all / F+N | balanced accuracy all / F+N | se@sp99 all / F+N |
|---|---|---|---|---|
${evaluation.beside.map(besideRow).join('\n')}

The leaky split deals windows, not segments, to the folds: neighbours stand on both sides. It is shown to be distrusted.

## The shipped model on ${evaluation.heldOutSegments} segments it has never seen (4 s, no gate)

| task | AUC | balanced accuracy | sensitivity at specificity .99 | ECE, 15 bins | Brier | segment accuracy |
|---|---|---|---|---|---|---|
${rows('held out', evaluation.heldOut).join('\n')}

Temperature ${evaluation.temperature}. From its own folds: **seizure** from ${evaluation.seizureAt} on (at most 1 % of the non-ictal windows), **quiet** below ${evaluation.quietBelow} (at most 1 % of the
ictal ones), **unsure** between; further than ${evaluation.distanceLimit} SD per feature from every training set is "unlike training". The gate refuses of the cross-validated
windows: ${Object.entries(evaluation.refusedByGate)
    .map(([group, share]) => `${group} ${percent(share)}`)
    .join(', ')}.

## Calibration

![calibration](calibration.svg)
`;
}

function renderRobustness(evaluation: Evaluation): string {
  return `
## A pattern over windows

3 of 5 successive 4 s windows at .8 or more, out of fold, on segments of 23.6 s: ${percent(evaluation.pattern.ictalNamed)} of the ictal segments are named, ${evaluation.pattern.medianDelayS} s after the segment's start
(median), and ${percent(evaluation.pattern.otherNamed)} of the others. A bare threshold of .8 on single windows would call ${percent(evaluation.pattern.otherNamedByThreshold)} of the others.

## Disturbed signals (held-out segments, population baseline)

| disturbance | no gate: AUC all / F+N, se / sp at .5 | with gate, of scored windows: AUC all / F+N, se / sp | ictal: seizure / unsure / quiet / refused | other: seizure / unsure / quiet / refused |
|---|---|---|---|---|
${evaluation.disturbances
  .map(
    ({ name, ungated, gated, ictal, other }) =>
      `| ${name} | ${figure(ungated.auc.all)} / ${figure(ungated.auc['F+N'])}, ${figure(ungated.sensitivity)} / ${figure(ungated.specificity)} | ${figure(gated.auc.all)} / ${figure(gated.auc['F+N'])}, ${figure(gated.sensitivity)} / ${figure(gated.specificity)} | ${outcome(ictal)} | ${outcome(other)} |`,
  )
  .join('\n')}

## A wrong gain, with 60 s of the recording's own baseline

Recordings assembled from held-out segments: those of one set chained; before each ictal one six calm ones of N and F.

| gain | of scored windows: AUC all / F+N | se / sp at .5 | ictal: seizure / unsure / quiet / refused | other |
|---|---|---|---|---|
${evaluation.gains
  .map(
    ({ gain, gated, ictal, other }) =>
      `| × ${gain} | ${figure(gated.auc.all)} / ${figure(gated.auc['F+N'])} | ${figure(gated.sensitivity)} / ${figure(gated.specificity)} | ${outcome(ictal)} | ${outcome(other)} |`,
  )
  .join('\n')}

## What must change nothing

| change | AUC all / F+N |
|---|---|
${evaluation.invariance.map(({ name, auc }) => `| ${name} | ${figure(auc.all)} / ${figure(auc['F+N'])} |`).join('\n')}
`;
}

function renderProbes(evaluation: Evaluation): string {
  return `
## Signals no brain made

| signal | seizure | unsure | quiet | unlike training | not scorable |
|---|---|---|---|---|---|
${evaluation.probes
  .map(
    ({ name, outcome: o }) =>
      `| ${name} | ${percent(o.seizure)} | ${percent(o.unsure)} | ${percent(o.quiet)} | ${percent(o.unlikeTraining)} | ${percent(o.notScorable)} |`,
  )
  .join('\n')}
`;
}

function renderSpeed({ processor, oneWindowMs, networkPerSecond, channelsPerCore }: Speed): string {
  return `
## Speed, one core, wasm

${processor}; processor time, so that what else the machine did does not count. One channel's window, pushed, gated, filtered, described and scored alone: median ${oneWindowMs.median} ms, p99 ${oneWindowMs.p99} ms; so one core keeps up with ${channelsPerCore}
channels of live EEG. The network alone: ${networkPerSecond.batch1} windows/s one by one, ${networkPerSecond.batch32} in batches of 32, ${networkPerSecond.batch256} of 256. (\`speed.json\`: the one part that differs from run to run.)
`;
}

function rows(name: string, result: Results): string[] {
  const row = (task: string, { auc, balancedAccuracy, sensitivityAt99, calibrationError, brier, segmentAccuracy }: TaskResult) =>
    `| ${name}, ${task} | ${[auc, balancedAccuracy, sensitivityAt99, calibrationError, brier, segmentAccuracy].map(figure).join(' | ')} |`;
  return [row('all', result.all), row('F+N', result['F+N'])];
}

function besideRow({ name, windows, result }: Beside): string {
  const pair = (of: 'auc' | 'balancedAccuracy' | 'sensitivityAt99') => `${figure(result.all[of])} / ${figure(result['F+N'][of])}`;
  return `| ${name} | ${windows} | ${pair('auc')} | ${pair('balancedAccuracy')} | ${pair('sensitivityAt99')} |`;
}

function outcome({ seizure, unsure, quiet, unlikeTraining, notScorable }: Outcome): string {
  return [seizure, unsure, quiet, unlikeTraining + notScorable].map(percent).join(' / ');
}

/** `.9968`, and larger numbers as they are. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return Math.abs(value) > 1 ? String(Number(value.toFixed(2))) : value.toFixed(4).replace(/^(-?)0\./, '$1.');
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
