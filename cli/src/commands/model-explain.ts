import type { Client } from '@vitalwire/client';
import { type ChannelScale, type DetectionInfo, decodeMessage, isUuid } from '@vitalwire/contract';
import type { Explanation, WindowScore } from '@vitalwire/detector';
import { type Command, InvalidArgumentError } from 'commander';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { CliError } from '../errors.ts';
import { type Io, printJson, printLine } from '../io.ts';
import { tableLines } from '../table.ts';

type Options = ConnectOptions & { recording: string; window: number; channel?: number; json?: boolean };

/** What was found in one window, and why. */
type Explained = {
  readonly recordingId: string;
  readonly modelHash: string;
  readonly score: WindowScore;
  readonly stored: DetectionInfo | null; // of the same model
  readonly channel: number;
  readonly features: readonly Explanation[];
};

/** Features shown; `--json` has all of them. */
const SHOWN = 8;

/** `vitalwire model explain`: the score of every channel of one stored window, and the features that moved one of them. */
export function registerModelExplain(model: Command, io: Io): void {
  addConnectOptions(model.command('explain'))
    .description('scores of every channel of one stored window, and which features moved them; computed again from what is stored')
    .requiredOption('--recording <id>', 'the recording', (text) => {
      if (!isUuid(text)) throw new InvalidArgumentError('expected the id of a recording, a UUID.');
      return text;
    })
    .requiredOption('--window <n>', 'the window: its number is the second it begins at', whole)
    .option('--channel <n>', 'the channel whose features are told (default: the one most like a seizure)', whole)
    .option('--json', 'as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  vitalwire model explain --recording 0199d4c2-0000-7000-8000-000000000000 --window 95

'change' is the probability less what it would be with the feature at its mean over the training windows. It says what the
model looked at, never why a person has a seizure.`,
    )
    .action((options: Options) => explain(io, options));
}

async function explain(io: Io, options: Options): Promise<void> {
  const client = await connect(io, options);
  try {
    const { explained, channels } = await explainWindow(client, options, io.signal);
    if (options.json === true) printJson(io, explained);
    else for (const line of explainedLines(explained, channels)) printLine(io, line);
  } finally {
    await client.close();
  }
}

async function explainWindow(client: Client, { recording, window, channel: wanted }: Options, signal: AbortSignal) {
  const [{ loadStreamDetector }, { baselinesIn, readStoredWindow }] = await Promise.all([
    import('@vitalwire/detector'),
    import('@vitalwire/prediction'),
  ]);
  const info = await client.recording(recording);
  if (info.stream !== 'eeg') throw new CliError('WRONG_ARGUMENT', `recording ${recording} is ${info.stream}; the detector looks at eeg`);
  const detector = await loadStreamDetector();
  try {
    const storage = {
      recording: (id: string) => client.recording(id),
      chunks: async (id: string, fromSeq: number, limit: number) =>
        (await client.chunks(id, { fromSeq, limit })).messages.flatMap((message) => {
          const decoded = decodeMessage(message);
          return decoded.ok && decoded.value.stream === 'eeg' ? [decoded.value] : [];
        }),
      baselines: async (id: string, hash: string, range: { fromWindow: number; toWindow: number }, limit: number) =>
        baselinesIn((await client.detections(id, { model: hash, ...range, limit })).detections),
    };
    const prepared = await readStoredWindow(storage, detector, info, window, signal);
    const [score] = prepared === null ? [] : detector.score([prepared]);
    if (prepared === null || score === undefined)
      throw new CliError('WRONG_ARGUMENT', `recording ${recording} has no window ${window}: its 4 s are not all stored (vitalwire ledger)`);
    const channel = wanted ?? score.channel;
    if (channel >= prepared.channels.length)
      throw new CliError('WRONG_ARGUMENT', `--channel ${channel}: the recording has ${prepared.channels.length} channels, counted from 0`);
    const { modelHash } = detector;
    const { detections } = await client.detections(recording, { model: modelHash, fromWindow: window, toWindow: window });
    const explained: Explained = {
      recordingId: recording,
      modelHash,
      score,
      stored: detections[0] ?? null,
      channel,
      features: detector.explain(prepared, channel),
    };
    return { explained, channels: info.channels };
  } finally {
    detector.dispose();
  }
}

/** The explanation for a person. */
function explainedLines(
  { score, stored, channel, features, ...of }: Explained,
  channels: readonly Pick<ChannelScale, 'label'>[],
): string[] {
  const label = (index: number) => channels[index]?.label ?? '';
  const agrees = stored === null ? 'no detection of this model is stored' : storedWords(stored, score);
  return [
    `Window ${score.window} of ${of.recordingId}, model ${of.modelHash}: ${score.verdict}, ${probabilityText(score.probability)}${score.reason === null ? '' : ` (${score.reason})`}`,
    `  amplitudes relative to ${score.baseline === 'own' ? 'what is usual in this channel' : score.baseline === null ? 'nothing: not scored' : "the population's: the channel's own are not known yet"}; ${agrees}`,
    '',
    ...tableLines([
      ['channel', 'label', 'probability', 'reason'],
      ...score.channelProbabilities.map((probability, index) => [
        String(index),
        label(index),
        probabilityText(probability),
        score.channelReasons[index] ?? '',
      ]),
    ]),
    '',
    ...(features.length === 0
      ? [`Channel ${channel} has no probability, so nothing moved it.`]
      : [
          `What moved channel ${channel} ${label(channel)}:`,
          ...tableLines([
            ['feature', 'value', 'usual', 'change'],
            ...features
              .slice(0, SHOWN)
              .map(({ feature, value, usual, change }) => [
                feature,
                value.toFixed(3),
                usual.toFixed(3),
                `${change >= 0 ? '+' : ''}${change.toFixed(4)}`,
              ]),
          ]),
        ]),
  ];
}

function storedWords(stored: DetectionInfo, { probability, verdict }: WindowScore): string {
  if (stored.probability === probability && stored.verdict === verdict) return 'the stored detection says the same';
  return `the stored detection says ${stored.verdict}, ${probabilityText(stored.probability)}: what lay before was not all stored then`;
}

function probabilityText(probability: number | null): string {
  return probability === null ? '--' : probability.toFixed(4);
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}
