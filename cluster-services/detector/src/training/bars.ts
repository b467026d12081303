import type { Evaluation } from './evaluate-model.ts';
import type { Speed } from './speed.ts';

/** A promise about the detector with what was measured: the table a reader looks at first. */
export type Bar = {
  readonly what: string;
  readonly needed: number;
  readonly measured: number;
  readonly atLeast: boolean;
  readonly met: boolean;
};

/** Every goal, met or not. `speed` is left out where it was not measured. */
export function barsOf(evaluation: Evaluation, speed: Speed | null): Bar[] {
  const { fourSeconds, oneSecond, disturbances, invariance, gains, probes } = evaluation;
  const atLeast = (what: string, needed: number, measured: number): Bar => ({
    what,
    needed,
    measured,
    atLeast: true,
    met: measured >= needed,
  });
  const atMost = (what: string, needed: number, measured: number): Bar => ({
    what,
    needed,
    measured,
    atLeast: false,
    met: measured <= needed,
  });
  const both = (what: string, of: (task: 'all' | 'F+N') => number, all: number, fair: number) => [
    atLeast(`${what}, all`, all, of('all')),
    atLeast(`${what}, F+N`, fair, of('F+N')),
  ];
  const clean = disturbances.find(({ name }) => name === 'none');
  const change = (auc: Readonly<Record<'all' | 'F+N', number>>, from: Readonly<Record<'all' | 'F+N', number>> | undefined) =>
    Math.max(Math.abs(auc.all - (from?.all ?? Number.NaN)), Math.abs(auc['F+N'] - (from?.['F+N'] ?? Number.NaN)));
  const own = gains.find(({ gain }) => gain === 1);
  return [
    ...both('1 s windows: AUC', (task) => oneSecond.mean[task].auc, 0.997, 0.996),
    ...both('1 s windows: balanced accuracy', (task) => oneSecond.mean[task].balancedAccuracy, 0.965, 0.965),
    ...both('1 s windows: sensitivity at specificity .99', (task) => oneSecond.mean[task].sensitivityAt99, 0.95, 0.93),
    ...both('1 s windows: segment accuracy', (task) => oneSecond.mean[task].segmentAccuracy, 0.985, 0.98),
    atMost(
      '1 s windows: calibration error, the larger of both',
      0.015,
      Math.max(oneSecond.mean.all.calibrationError, oneSecond.mean['F+N'].calibrationError),
    ),
    atMost('1 s windows: Brier, all', 0.015, oneSecond.mean.all.brier),
    ...both('4 s windows: balanced accuracy', (task) => fourSeconds.mean[task].balancedAccuracy, 0.978, 0.972),
    ...both('4 s windows: sensitivity at specificity .99', (task) => fourSeconds.mean[task].sensitivityAt99, 0.965, 0.935),
    ...both('4 s windows: AUC', (task) => fourSeconds.mean[task].auc, 0.997, 0.996),
    ...both('4 s windows: segment accuracy', (task) => fourSeconds.mean[task].segmentAccuracy, 0.985, 0.98),
    atMost(
      '4 s windows: calibration error, the larger of both',
      0.015,
      Math.max(fourSeconds.mean.all.calibrationError, fourSeconds.mean['F+N'].calibrationError),
    ),
    atMost('4 s windows: Brier, all', 0.015, fourSeconds.mean.all.brier),
    ...invariance.map(({ name, auc }) =>
      atMost(`${name}: AUC change`, 0.003, change(auc, name.startsWith('256') ? clean?.gated.auc : clean?.ungated.auc)),
    ),
    ...disturbances
      .filter(({ name }) => name.startsWith('polarity') || name.startsWith('DC'))
      .map(({ name, ungated }) => atMost(`${name}: AUC change`, 0.003, change(ungated.auc, clean?.ungated.auc))),
    ...gains
      .filter(({ gain }) => gain !== 1)
      .flatMap(({ gain, gated, named }) => [
        atLeast(`gain × ${gain}, own baseline: AUC of scored windows, the lower of both`, 0.985, Math.min(gated.auc.all, gated.auc['F+N'])),
        atMost(`gain × ${gain}, own baseline: sensitivity lost, refused windows counted as lost`, 0.05, (own?.named ?? Number.NaN) - named),
      ]),
    ...disturbances.filter(({ name }) => /hum|noise|zeroed/.test(name)).flatMap((result) => robust(result)),
    ...probes.flatMap(({ name, outcome }) => [
      atMost(`${name}: windows called seizure`, 0, outcome.seizure),
      atLeast(`${name}: unscorable or unlike training`, 0.99, outcome.notScorable + outcome.unlikeTraining),
    ]),
    ...(speed === null
      ? []
      : [
          atMost('one window on one core, everything included: p99 in ms', 3, speed.oneWindowMs.p99),
          atLeast('network, batch 32: windows/s on one core', 10_000, speed.networkPerSecond.batch32),
        ]),
  ];
}

/** Sensitivity and specificity at .5 of what is scored; a kind of window that is hardly scored at all is declared unscorable. */
function robust({ name, gated, ictal, other }: Evaluation['disturbances'][number]): Bar[] {
  const declared = ({ notScorable, unlikeTraining }: typeof ictal) => notScorable + unlikeTraining;
  const bar = (what: string, needed: number, measured: number, refused: number): Bar => ({
    what: `${name}: ${what} of scored windows at .5 (${(100 * refused).toFixed(0)} % declared unscorable)`,
    needed,
    measured,
    atLeast: true,
    met: refused >= 0.99 || measured >= needed,
  });
  return [bar('sensitivity', 0.8, gated.sensitivity, declared(ictal)), bar('specificity', 0.95, gated.specificity, declared(other))];
}
