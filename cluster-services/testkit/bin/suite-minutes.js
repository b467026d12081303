import { relative, sep } from 'node:path';

const SLOWEST = 10;
const kinds = ['unit', 'int', 'slow'];

/**
 * How long each suite took: a package's tests of one kind, from vitest's JSON report, and the slowest files. Files run side by side, so a
 * sum is more than what a clock shows. Valid on Node 20.
 */
export function suiteMinutes(report, root) {
  const files = report.testResults.map(({ name, startTime, endTime }) => {
    const [top = '', second = ''] = relative(root, name).split(sep);
    const kind = /\.(int|slow)\.test\.tsx?$/.exec(name)?.[1] ?? 'unit';
    return {
      file: relative(root, name),
      suite: top === 'cluster-services' ? second : top,
      kind,
      ms: Math.max(0, (endTime ?? 0) - (startTime ?? 0)),
    };
  });
  if (files.length === 0) return [];
  const sum = (wanted) => files.filter(wanted).reduce((total, { ms }) => total + ms, 0);
  const shown = kinds.filter((kind) => files.some((file) => file.kind === kind));
  const suites = [...new Set(files.map(({ suite }) => suite))]
    .map((suite) => ({ suite, ms: sum((file) => file.suite === suite) }))
    .sort((a, b) => b.ms - a.ms);
  const row = (title, isWanted) => [title, ...shown.map((kind) => minutes(sum((file) => isWanted(file) && file.kind === kind)))];
  const rows = [
    ['minutes of each suite', ...shown],
    ...suites.map(({ suite }) => row(suite, (file) => file.suite === suite)),
    row('all', () => true),
  ];
  const slowest = [...files].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  return [...aligned(rows), 'the slowest files', ...aligned(slowest.map(({ file, ms }) => [`  ${file}`, minutes(ms)]))];
}

/** Which files skipped how many of their tests, from the same report. */
export function skippedSuites(report, root) {
  return report.testResults.flatMap(({ name, assertionResults = [] }) => {
    const skipped = assertionResults.filter(({ status }) => status === 'pending' || status === 'skipped' || status === 'todo').length;
    return skipped === 0 ? [] : [`  ${skipped} of ${assertionResults.length} in ${relative(root, name)}`];
  });
}

function minutes(ms) {
  return ms === 0 ? '' : (ms / 60_000).toFixed(2);
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2)))
      .join('')
      .trimEnd(),
  );
}
