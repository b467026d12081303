import { CborReader, CborWriter, fail } from './cbor.ts';
import { attempt } from './codec.ts';
import { channelScales, rate, replayMark } from './codec-bodies.ts';
import { type Decoded, refused } from './decoded.ts';
import { sampleBlockKeys, WIRE_VERSION } from './keys.ts';
import { limits } from './limits.ts';
import { type ChannelScale, type Rate, type ReplayMark, type SampleBits, type Samples, sampleBits } from './messages.ts';
import { packRaw, unpackRaw } from './samples.ts';
import { block, boolean, fieldsOf, id, int, MapReader, oneOfNumbers, text, uint, type Wire, writeFields } from './wire.ts';

/** EEG as a device hands it to the edge agent, in one request. */
export type SampleBlock = {
  readonly device: string;
  readonly captureId: string;
  readonly firstSample: number; // index in the device's capture
  readonly measuredAtUs: number;
  readonly rate: Rate;
  readonly channels: readonly ChannelScale[];
  readonly sampleBits: SampleBits;
  readonly samplesPerChannel: number;
  readonly samples: Samples; // channel after channel
  readonly replay: ReplayMark | null;
  readonly source: string;
  readonly end: boolean; // the capture ends with this request
};

export const sampleBlockMediaType = 'application/vnd.vitalwire.samples+cbor';

type Required = Pick<SampleBlock, 'device' | 'captureId' | 'firstSample' | 'measuredAtUs' | 'rate' | 'channels' | 'sampleBits'> & {
  samples: Uint8Array;
};
type Optional = Pick<SampleBlock, 'source' | 'end'> & { replay: ReplayMark };

const required = fieldsOf<Required>(sampleBlockKeys, {
  device: id,
  captureId: text(limits.maxCaptureIdBytes),
  firstSample: uint(),
  measuredAtUs: int,
  rate,
  channels: channelScales,
  sampleBits: oneOfNumbers(sampleBits),
  samples: block(limits.maxIntakeBytes),
});
const optional: { readonly [K in keyof Optional]: Wire<Optional[K]> } = {
  replay: replayMark,
  source: text(limits.maxReasonBytes),
  end: boolean,
};

/** The request body of a fast device: one CBOR map, samples as little-endian bytes, channel after channel. */
export function encodeSampleBlock(value: SampleBlock): Uint8Array<ArrayBuffer> {
  const { replay, source, end, samples, channels, samplesPerChannel } = value;
  if (samples.length !== channels.length * samplesPerChannel)
    throw new RangeError(`${samples.length} samples for ${channels.length} x ${samplesPerChannel}`);
  const writer = new CborWriter(1024 + samples.length * 3);
  writer.map(1 + required.entries.length + (replay === null ? 0 : 1) + (source === '' ? 0 : 1) + (end ? 1 : 0));
  writer.int(sampleBlockKeys.version);
  writer.int(WIRE_VERSION);
  writeFields(writer, required, { ...value, samples: packRaw(samples, value.sampleBits) });
  if (replay !== null) {
    writer.int(sampleBlockKeys.replay);
    optional.replay.write(writer, replay);
  }
  if (source !== '') {
    writer.int(sampleBlockKeys.source);
    optional.source.write(writer, source);
  }
  if (end) {
    writer.int(sampleBlockKeys.end);
    optional.end.write(writer, end);
  }
  return writer.result();
}

/** Takes a request body apart. Never throws; the samples are a copy. Whole numbers may come as float64, as some CBOR libraries write them. */
export function decodeSampleBlock(bytes: Uint8Array): Decoded<SampleBlock> {
  if (bytes.byteLength > limits.maxIntakeBytes) return refused('oversize', `${bytes.byteLength} bytes, at most ${limits.maxIntakeBytes}`);
  return attempt(() => {
    const from = new CborReader(bytes, 0, true);
    const map = new MapReader(from);
    map.key(sampleBlockKeys.version, 'version');
    if (from.uint(Number.MAX_SAFE_INTEGER) !== WIRE_VERSION) return fail('unknown-version');
    const { samples: raw, ...body } = map.fields(required);
    const replay = map.key(sampleBlockKeys.replay, 'replay', true) ? optional.replay.read(from) : null;
    const source = map.key(sampleBlockKeys.source, 'source', true) ? optional.source.read(from) : '';
    const end = map.key(sampleBlockKeys.end, 'end', true) ? optional.end.read(from) : false;
    map.end();
    from.end();
    const samplesPerChannel = raw.length / (body.channels.length * (body.sampleBits / 8));
    if (body.channels.length === 0) return fail('bad-field', 'no channels');
    if (body.captureId === '') return fail('bad-field', 'no captureId');
    if (!Number.isInteger(samplesPerChannel)) return fail('bad-block', `${raw.length} bytes for ${body.channels.length} channels`);
    return { ...body, samplesPerChannel, samples: unpackRaw(raw, body.sampleBits), replay, source, end };
  });
}
