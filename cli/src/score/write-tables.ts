import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { orderedEvents } from '@vitalwire/vitals';
import { eventsTable } from './events-table.ts';
import type { ScoreReport } from './report.ts';

/**
 * Writes what was scored as tables of events: `reference/` and `hypothesis-…/`, the same place in each for the same recording, so that any
 * scorer that knows SzCORE can be given the two folders. Returns how many files it wrote.
 */
export async function writeTables(report: ScoreReport, folder: string): Promise<number> {
  let files = 0;
  const write = async (kind: string, place: string, text: string): Promise<void> => {
    const file = path.join(folder, kind, place);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    files += 1;
  };
  for (const { subject, name, durationS, startedAtUs, reference, hypotheses } of report.recordings) {
    // A subject of BIDS is letters and digits; a recording is told apart by its own name.
    const label = subject.replace(/^sub-/, '').replaceAll(/[^A-Za-z0-9]/g, '');
    const place = path.join(`sub-${label}`, `sub-${label}_${safe(name)}_events.tsv`);
    const recording = { durationS, startedAtUs };
    await write('reference', place, eventsTable(reference, recording));
    for (const one of hypotheses) {
      const events = orderedEvents(one.alarms, durationS);
      await write(`hypothesis-${one.name}`, place, eventsTable(events, recording));
    }
  }
  return files;
}

/** A part of a file's name that is one on every system. */
function safe(name: string): string {
  return name
    .replace(/(_events)?\.tsv$/, '')
    .replaceAll(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 150);
}
