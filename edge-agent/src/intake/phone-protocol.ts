import type { PhoneBatch, PhoneOptions, PhoneSummary } from './health-auto-export.ts';

/** What the thread that reads phone exports is asked; each question is answered once, in order. */
export type PhoneQuestion = { readonly ticket: number; readonly exportId: number } & (
  | { readonly op: 'open'; readonly options: PhoneOptions }
  | { readonly op: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly op: 'finish' }
  | { readonly op: 'take' }
);

/** And what it is told: an export that is of no more use is forgotten. */
export type ToPhone = PhoneQuestion | { readonly op: 'drop'; readonly exportId: number };

/** What is wrong with an export: it is no JSON, no export, or more than is held. */
export type PhoneProblem = { readonly kind: 'no-json' | 'no-export' | 'too-many-points' | 'too-busy'; readonly message: string };

export type FromPhone = { readonly ticket: number } & (
  | { readonly ok: true; readonly batch: PhoneBatch | null; readonly summary: PhoneSummary | null }
  | { readonly ok: false; readonly problem: PhoneProblem }
);
