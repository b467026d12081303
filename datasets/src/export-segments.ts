// Prints bundled segments as JSON lines, the form the detector's training reads: training itself knows no dataset.
//   node --conditions=source datasets/src/export-segments.ts [FROM TO]
import { bonnRate, bonnSegments, readBonnSegment, segmentName } from './bonn.ts';

const [from = '1', to = '80'] = process.argv.slice(2);
for (const { set, number, ictal } of bonnSegments(Number(from), Number(to))) {
  const line = {
    name: segmentName(set, number),
    group: set,
    number,
    ictal,
    rate: bonnRate,
    unit: 'uV',
    samples: [...readBonnSegment(set, number)],
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
