import { featureCount } from '../features.ts';
import { barsOf } from './bars.ts';
import type { Evaluation } from './evaluate-model.ts';
import { figure, percent } from './evaluation-text.ts';
import type { Speed } from './speed.ts';

/** MODEL_CARD.md from the committed report: `vitalwire model card`. Its figures are the report's, its words are written here. */
export function renderModelCard(evaluation: Evaluation, speed: Speed | null): string {
  const { fourSeconds: four, oneSecond: one, heldOut, pattern, beside, disturbances, gains } = evaluation;
  const bars = barsOf(evaluation, speed);
  const missed = bars.filter(({ met }) => !met);
  const single = beside.find(({ name, windows }) => name.startsWith('log SD') && windows === '4 s');
  const logistic = beside.find(({ name, windows }) => name.startsWith('logistic') && windows === '4 s');
  const halved = disturbances.find(({ name }) => name === 'gain × 0.5');
  const pair = (of: 'auc' | 'sensitivityAt99' | 'calibrationError', result = four.mean) =>
    `${figure(result.all[of])} / ${figure(result['F+N'][of])}`;
  const own = gains.find(({ gain }) => gain === 0.5);
  return `# Model card: ${evaluation.version}

> Research and education software. Not a medical device: no intended medical purpose, not CE-marked, not FDA-cleared. Do not use for
> diagnosis, treatment, triage or alarm-dependent monitoring of people. Detection performance on unseen patients is unknown. Alarms may be
> late, false or missing. Replayed or synthetic data is marked REPLAY.

Made by \`vitalwire model card\` from \`model/evaluation.json\`; do not edit. Model \`${evaluation.modelHash}\`.

| | |
|---|---|
| purpose | show how a small, honest detector works in a pipeline that loses nothing; teaching and research. It *detects*; it forecasts nothing |
| out of scope | people under care; forecasting (the data has nothing from before a seizure); scalp seizures (every ictal example is intracranial); newborns, status epilepticus, artefacts of daily life |
| population | 5 healthy volunteers (sets Z, O: scalp) and 5 patients (N, F, S: intracranial) of one centre, before 2001; age, sex and medication unpublished |
| structure | per channel: resampling to 173.61 Hz → quality gate → high-pass at 0.5 Hz (a notch where hum is found) → ${featureCount} features of 4 s, every second → amplitudes relative to the channel's own baseline once a minute of it is known → distance from training → mean of ${evaluation.recipe.members} networks (${evaluation.parameters} parameters each) → temperature. The recording's probability: the mean of its strongest channels; where too few for that are certain, a focal verdict and theirs |
| key variables | amplitude (SD, line length, peak to peak, band power) and shape (mobility, complexity, kurtosis, skewness, entropy, relative band power, steadiness, rhythm). Amplitude alone gives AUC ${figure(single?.result.all.auc ?? Number.NaN)} / ${figure(single?.result['F+N'].auc ?? Number.NaN)} |
| data | Bonn EEG, CC BY 4.0, doi:10.34810/data490; ${evaluation.trainedOn}; hand-picked by its authors, free of artefacts, order randomised |
| split | by segment, 5 folds, ${evaluation.splits.length} splits over ${evaluation.crossValidated} segments; the shipped model never saw ${evaluation.heldOutSegments} of them. **No split by patient is possible**: segments carry no patient numbers, so all figures are upper bounds |
| results, folds, 4 s | all / F+N: AUC ${pair('auc')}; sensitivity at specificity .99: ${pair('sensitivityAt99')}; ECE ${pair('calibrationError')} |
| results, folds, 1 s (for comparison) | AUC ${pair('auc', one.mean)}; sensitivity at specificity .99: ${pair('sensitivityAt99', one.mean)} |
| results, held out | AUC ${pair('auc', heldOut)}; sensitivity at specificity .99: ${pair('sensitivityAt99', heldOut)} (${evaluation.heldOutSegments} segments: chance moves these by a point or two) |
| simple models beside it | logistic regression on the same features ${figure(logistic?.result.all.auc ?? Number.NaN)} / ${figure(logistic?.result['F+N'].auc ?? Number.NaN)}; a leaky split by windows would have looked better (report) |
| pattern over windows | 3 of 5 at .8: ${percent(pattern.ictalNamed)} of ictal and ${percent(pattern.otherNamed)} of other segments named, ${pattern.medianDelayS} s after the segment's start |
| goals missed | ${missed.length === 0 ? 'none' : missed.map(({ what, measured, needed }) => `${what}: ${figure(measured)} (goal ${figure(needed)})`).join('; ')} |
| calibration | one temperature; \`model/calibration.svg\`; other sites need their own |
| limits | with the population's baseline a gain of × 0.5 leaves ${percent(halved?.ictal.seizure ?? Number.NaN)} of the ictal windows called seizure; with the channel's own, ${percent(own?.ictal.seizure ?? Number.NaN)}. A recording that begins inside a seizure has no calm minute to compare with. A known baseline never learns what is like a seizure: a gain that is turned up in a recording reads as one, with the reason amplitude-jump, and stays so. A false-alarm rate per day cannot be had from this data |
| fairness | unknown: no subgroup can be formed from what was published |
| when to stop | more than a few percent of windows "unlike training"; any use where somebody relies on it |
| human oversight | a score is shown with its age, verdict, baseline and model version; "unsure" and "not scorable" are states of their own and never become "quiet"; which features moved a score can be asked |
| update | a change of the model file changes its hash; old detections keep the hash they were made with. \`vitalwire model train\`, then \`evaluate\`, then \`card\` |

Every number: \`model/EVALUATION.md\`.
`;
}
