import type { CodecResult } from './codec.ts';
import type { ExportsResult, Spread } from './exports.ts';
import type { GroupCommitResult } from './group-commit.ts';
import type { PipelineMode, PipelineResult } from './pipeline.ts';
import type { ReplayResult } from './replay.ts';
import type { WardResult } from './ward.ts';

const NAME = 62;

export function commitTable({ chunkBytes, cpuRatio, gateways, sides, throughputRatio }: GroupCommitResult): string {
  return [
    `commit: ${gateways} gateways, chunks of ${chunkBytes} bytes, mutual TLS, SQLite at synchronous=FULL; medians of ${sides[0]?.rounds.length ?? 0} rounds`,
    row('', 'chunks/s', 'CPU us/chunk'),
    ...sides.map((side) => row(side.name, side.chunksPerSecond.toFixed(0), side.cpuUsPerChunk.toFixed(0))),
    row('ratio', `${throughputRatio.toFixed(1)}x`, `${cpuRatio.toFixed(1)}x less`),
    'Every acknowledged chunk was found in the database; one in 97 was compared byte for byte.',
  ].join('\n');
}

export function replayTable({ bars, blocks, fullSpeed, lateMs, request, seconds, speedError }: ReplayResult): string {
  return [
    `replay: 23 channels at 256 Hz from an EDF file, the device's side alone; ${blocks} blocks in ${seconds} s at 1x`,
    row('', 'p50', 'p99', 'most', 'bar'),
    row('a block leaves after its moment, ms', lateMs.p50.toFixed(2), lateMs.p99.toFixed(2), lateMs.most.toFixed(2), `${bars.p99Ms}`),
    row('error of the speed', `${(speedError * 100).toFixed(4)} %`, '', '', `${bars.speedError * 100} %`),
    row('', 'wall clock', 'CPU', '', 'bar'),
    row(
      `at full speed, ${fullSpeed.dataS} s of data`,
      `${fullSpeed.times.toFixed(0)}x`,
      `${fullSpeed.cpuTimes.toFixed(0)}x`,
      '',
      `${bars.times}x`,
    ),
    row('', 'read ms', 'write ms', 'bytes'),
    row(`a request of ${request.dataS} s as CBOR`, request.readMs.toFixed(2), request.cborMs.toFixed(2), `${request.cborBytes}`),
    row('the same as JSON', request.readMs.toFixed(2), request.jsonMs.toFixed(2), `${request.jsonBytes}`),
    'Every sample of the file was sent once; what leaves the device is decoded again before it counts.',
  ].join('\n');
}

export function wardTable({
  patients,
  seconds,
  cores,
  replayCores,
  judged,
  windowsPerSecond,
  everyS,
  waitedS,
  judgedS,
  longestPauseS,
}: WardResult): string {
  const hops = Object.entries(everyS).map(([every, count]) => `every ${every} s: ${count}`);
  return [
    `ward: ${patients} patients of 8 channels at 256 Hz through the whole stack, ${seconds} s`,
    row('', 'cores'),
    ...Object.entries(cores).map(([name, share]) => row(name, share.toFixed(2))),
    row('beside them the replays', replayCores.toFixed(2)),
    row('patients with detections', `${judged}`),
    row('windows judged and committed per second', windowsPerSecond.toFixed(1)),
    row('of those', hops.join(', ')),
    row('', 'p50', 'p99', 'most'),
    row('from the end of a window to its commit, s', waitedS.p50.toFixed(2), waitedS.p99.toFixed(2), waitedS.most.toFixed(2)),
    row('from the commit of its samples to that, s', judgedS.p50.toFixed(2), judgedS.p99.toFixed(2), judgedS.most.toFixed(2)),
    row('longest pause between two detections of a patient, s', longestPauseS.toFixed(1)),
  ].join('\n');
}

export function exportsTable({
  exports,
  idleMb,
  meanwhile,
  megabytes,
  mostAboveIdleMb,
  points,
  posts,
  quiet,
  seconds,
}: ExportsResult): string {
  const ms = (spread: Spread): string[] => [spread.medianMs.toFixed(1), spread.p99Ms.toFixed(1), spread.maxMs.toFixed(1)];
  return [
    `exports: ${exports} phone exports of ${megabytes} MB at once into the edge agent, ${points} points each, stored in ${seconds.toFixed(0)} s`,
    row('', 'MB', 'bar'),
    row('memory of the agent alone', idleMb.toFixed(0)),
    row('most above that', mostAboveIdleMb.toFixed(0), '150'),
    row('', 'p50', 'p99', 'most', 'bar (p99)'),
    row('an EEG request, the agent alone, ms', ...ms(quiet)),
    row(`an EEG request meanwhile (${posts} of them), ms`, ...ms(meanwhile), '50'),
    'Every point was answered as stored, once.',
  ].join('\n');
}

export function pipelineTable({ chunkBytes, devices, modes, peers, secondsPerRound, skipped }: PipelineResult): string {
  const rounds = modes[0]?.sides[0]?.rounds.length ?? 0;
  return [
    `pipeline: ${devices} connections, chunks of ${chunkBytes} bytes, MariaDB at flush_log_at_trx_commit=1; ${rounds} rounds of ${secondsPerRound} s, medians`,
    ...modes.flatMap((mode) => pipelineMode(mode)),
    ...skipped.map((side) => `SKIPPED  ${side}`),
    `Peers: ${peers}. Every acknowledged chunk was found in the table; one in 97 was compared byte for byte.`,
  ].join('\n');
}

export function codecTable({ bars, bytesRatio, chunks, cpuRatio, rawBytes, sides }: CodecResult): string {
  const [asJson] = sides;
  return [
    `codec: ${chunks} chunks of real EEG, ${rawBytes} bytes of int16 each; every one came back as it was`,
    row('', 'bytes', 'of a seizure', 'enc us', 'dec us', 'smaller'),
    ...sides.map((side) =>
      row(
        side.name,
        side.bytes.toFixed(0),
        side.seizureBytes.toFixed(0),
        side.encodeUs.toFixed(0),
        side.decodeUs.toFixed(0),
        `${((asJson?.bytes ?? 0) / side.bytes).toFixed(1)}x`,
      ),
    ),
    verdict('codec 1 smaller than JSON', bytesRatio, bars.bytes),
    verdict('codec 1 less CPU than JSON, both ways', cpuRatio, bars.cpu),
  ].join('\n');
}

function pipelineMode({ ratios, sides, tls }: PipelineMode): string[] {
  return [
    `${row(`TLS ${tls ? 'on' : 'off'} on all sides`, 'chunks/s', 'CPU us/chunk')}   of it`,
    ...sides.map((side) => {
      const processes = Object.entries(side.cpuUsOf).map(([name, us]) => `${name} ${us.toFixed(0)}`);
      return `${row(`  ${side.name}`, side.chunksPerSecond.toFixed(0), side.cpuUsPerChunk.toFixed(0))}   ${processes.join(', ')}`;
    }),
    ...ratios.map(({ bar, name, ratio }) => verdict(`  ${name}`, ratio, bar)),
  ];
}

function verdict(name: string, ratio: number, bar: number | null): string {
  const against = bar === null ? '' : `   bar ${bar}x: ${ratio >= bar ? 'met' : 'MISSED'}`;
  return `${row(name, `${ratio.toFixed(1)}x`)}${against}`;
}

function row(name: string, ...cells: readonly string[]): string {
  return name.padEnd(NAME) + cells.map((cell) => cell.padStart(14)).join('');
}
