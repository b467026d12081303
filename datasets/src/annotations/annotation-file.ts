import type { SourceAnnotation, SourceProblem } from '../signal-source.ts';

/** What a text or binary file of annotations says about one recording. */
export type AnnotationFile = { readonly annotations: readonly SourceAnnotation[]; readonly problems: readonly SourceProblem[] };

/** What is known of the recording an annotation file speaks of, as far as the format needs it. */
export type Recording = {
  readonly file: string; // its name without a folder
  readonly startedAtUs: number | null;
  readonly durationUs: number;
  readonly rateHz: number | null;
  readonly labels: readonly string[];
};

export function seizure(startS: number, endS: number | null, text = 'seizure', channels: readonly string[] = []): SourceAnnotation {
  const onsetUs = Math.round(startS * 1e6);
  return { onsetUs, durationUs: endS === null ? null : Math.round(endS * 1e6) - onsetUs, type: 'seizure', text, channels };
}

export function byOnset(a: SourceAnnotation, b: SourceAnnotation): number {
  return a.onsetUs - b.onsetUs;
}
