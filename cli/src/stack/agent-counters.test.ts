import { expect, test } from 'vitest';
import { sumOf } from './agent-counters.ts';

const metrics = `# HELP vitalwire_edge_intake_readings_total Readings
# TYPE vitalwire_edge_intake_readings_total counter
vitalwire_edge_intake_readings_total{path="/v1/eeg",outcome="accepted"} 4300
vitalwire_edge_intake_readings_total{path="/v1/eeg",outcome="repeated"} 43
vitalwire_edge_intake_readings_total{path="/v1/events",outcome="accepted"} 7
process_start_time_seconds 1795389821
`;

test('a metric is summed over the label sets that are asked for', () => {
  expect(sumOf(metrics, 'vitalwire_edge_intake_readings_total', 'outcome="accepted"')).toBe(4307);
  expect(sumOf(metrics, 'process_start_time_seconds')).toBe(1795389821);
});

test('a metric that is not there is unknown, not zero', () => {
  expect(sumOf(metrics, 'vitalwire_edge_intake')).toBe(null);
});
