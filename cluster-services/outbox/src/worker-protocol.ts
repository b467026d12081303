import type { ClockState, DataStream } from '@vitalwire/contract/wire';
import type { AppendStep, CaptureClaim, CaptureMatch, CapturePosition, OutboxRow, OutboxState, SeenPoint } from './append.ts';
import type { OutboxErrorCode } from './errors.ts';
import type { AppendResult } from './file/append-steps.ts';
import type { Replacement } from './file/repair.ts';
import type { Begun, Session } from './file/session-records.ts';

/** What the worker is started with. */
export type WorkerOptions = {
  readonly path: string;
  readonly owner: string;
  readonly maxBytes: number;
  readonly ringMs: number;
  readonly minFreeBytes: number;
  /** The session that has begun, when an earlier thread died; null: `begin` will be asked. */
  readonly session: Session | null;
};

/** Questions to the worker, and what each is answered with. */
export type Questions = {
  begin: { ask: { session: Session }; answer: Begun };
  append: {
    ask: { appends: readonly (readonly AppendStep[])[]; live: boolean };
    answer: { results: readonly AppendResult[]; liveRows: readonly OutboxRow[]; state: OutboxState };
  };
  read: { ask: { afterId: number; maxRows: number; maxBytes: number }; answer: readonly OutboxRow[] };
  generation: { ask: { generation: string }; answer: boolean };
  capture: { ask: { device: string; stream: DataStream; captureId: string; atLeast: number }; answer: CapturePosition };
  compare: { ask: { claim: CaptureClaim }; answer: CaptureMatch };
  unseen: { ask: { device: string; metric: string; points: readonly SeenPoint[] }; answer: readonly number[] };
  recent: { ask: { sinceMs: number; maxRows: number }; answer: readonly OutboxRow[] };
  starts: { ask: object; answer: readonly OutboxRow[] };
  state: { ask: object; answer: OutboxState };
  finish: { ask: object; answer: number };
  close: { ask: object; answer: null };
};

export type QuestionName = keyof Questions;
export type Question = { [Name in QuestionName]: { readonly op: Name; readonly ticket: number } & Questions[Name]['ask'] }[QuestionName];

/** Notes to the worker that have no answer. */
export type Note = { readonly op: 'ack'; readonly uptoId: number } | { readonly op: 'clock'; readonly clock: ClockState };

export type FromWorker =
  | { readonly kind: 'opened'; readonly replacement: Replacement | null }
  | { readonly kind: 'not-opened'; readonly code: OutboxErrorCode; readonly detail: string }
  | { readonly kind: 'answer'; readonly ticket: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly ticket: number; readonly code: OutboxErrorCode; readonly detail: string }
  | { readonly kind: 'replaced'; readonly replacement: Replacement }
  | { readonly kind: 'trouble'; readonly detail: string };
