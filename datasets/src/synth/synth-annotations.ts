import type { SourceAnnotation } from '../signal-source.ts';
import { catches, leadOffForm } from './artefact-waves.ts';
import type { Electrode } from './electrodes.ts';
import type { Artefact, Schedule } from './schedule.ts';
import type { CheckedOptions } from './synth-options.ts';

/** The truth about a synthetic recording, in order of onset; each text says that it is synthetic. */
export function scheduleAnnotations(options: CheckedOptions, schedule: Schedule, durationUs: number): SourceAnnotation[] {
  const electrodes = electrodesOf(options);
  const note: SourceAnnotation = {
    onsetUs: 0,
    durationUs: null,
    type: 'annotation',
    text: `synthetic signal, seed ${options.seed}: made by software, no person`,
    channels: [],
  };
  const seizures = schedule.seizures.map(
    (seizure): SourceAnnotation => ({
      ...span(seizure, durationUs),
      type: 'seizure',
      text: seizure.focus === null ? 'synthetic seizure, spike-wave' : `synthetic seizure, focal at ${seizure.focus.name}`,
      channels: seizure.focus === null ? [] : focalChannels(options, seizure.focus),
    }),
  );
  const artefacts = schedule.artefacts.map(
    (artefact): SourceAnnotation => ({
      ...span(artefact, durationUs),
      type: 'annotation',
      text: `synthetic artefact: ${artefact.kind}${artefact.kind === 'lead-off' ? ` (${leadOffForm(artefact)})` : ''}`,
      channels: channelsOf(artefact, options, electrodes),
    }),
  );
  return [note, ...[...seizures, ...artefacts].sort((a, b) => a.onsetUs - b.onsetUs)];
}

/** Every electrode that some channel needs, once. */
export function electrodesOf({ derivations }: CheckedOptions): Electrode[] {
  const byName = new Map<string, Electrode>();
  for (const { plus, minus } of derivations) {
    byName.set(plus.name, byName.get(plus.name) ?? plus);
    if (minus !== null) byName.set(minus.name, byName.get(minus.name) ?? minus);
  }
  return [...byName.values()];
}

/** The channels that have the electrode of a focus. */
function focalChannels({ derivations }: CheckedOptions, { name }: Electrode): string[] {
  return [...new Set(derivations.filter(({ plus, minus }) => plus.name === name || minus?.name === name).map(({ label }) => label))];
}

/** The channels that show it clearly; none named when all do. */
function channelsOf(artefact: Artefact, { derivations }: CheckedOptions, electrodes: readonly Electrode[]): string[] {
  const shares = new Map(electrodes.map((electrode) => [electrode.name, catches(artefact, electrode, electrodes)]));
  const shown = derivations.filter(({ plus, minus }) => Math.max(shares.get(plus.name) ?? 0, shares.get(minus?.name ?? '') ?? 0) > 0.25);
  return shown.length === derivations.length ? [] : [...new Set(shown.map(({ label }) => label))];
}

function span({ fromS, toS }: { fromS: number; toS: number }, durationUs: number): { onsetUs: number; durationUs: number } {
  const onsetUs = Math.round(fromS * 1e6);
  return { onsetUs, durationUs: Math.min(Math.round(toS * 1e6), durationUs) - onsetUs };
}
