import { limits, RecentMap } from '@vitalwire/contract';
import { alarmLimits } from './rules.ts';
import type { DetectionInput } from './signal-watch.ts';

/** No capture is called so: it holds a control character. */
const CLOCK_SET = '\nclock set ';

/** Whether a time line is a device's own: of no replay. */
export function isOwnLine(take: string): boolean {
  return take === '' || take.startsWith(CLOCK_SET);
}

type Stretch = { readonly recording: string; readonly originUs: number; readonly take: string; newestUs: number };

/**
 * On which time line a window lies. Of one device they all lie on one, by its own clock, until that is set: windows of now would wait behind
 * others from the future. They begin a time line of their own then, and so does what follows. A backlog stays where its recording is.
 */
export class EegTakes {
  readonly #stretches = new RecentMap<string, Stretch[]>(alarmLimits.timelines); // by device; last = heard last. Of a device the newest stretch last
  #made = 0;

  of(input: DetectionInput, nowUs: number): string {
    const { device, take = '', toUs, isStored = false } = input;
    if (take !== '') return take;
    const { recording, originUs } = placeOf(input);
    const stretches = this.#stretches.get(device) ?? [];
    const known = stretches.find((one) => one.recording === recording && Math.abs(one.originUs - originUs) <= limits.maxClockAheadUs);
    if (known !== undefined) {
      known.newestUs = Math.max(known.newestUs, toUs);
      return known.take;
    }
    const current = stretches.at(-1)?.take ?? '';
    const newestUs = Math.max(...stretches.filter((one) => one.take === current).map((one) => one.newestUs));
    const waits = !isStored && newestUs > nowUs + limits.maxClockAheadUs && toUs < newestUs - limits.maxClockAheadUs;
    if (waits) this.#made += 1;
    const stretch = { recording, originUs, take: waits ? `${CLOCK_SET}${this.#made}` : current, newestUs: toUs };
    this.#stretches.renew(device, [...stretches, stretch].slice(-alarmLimits.timelinesPerDevice));
    return stretch.take;
  }

  /** The time line on which a recording was heard last. */
  ofRecording(device: string, take: string, recording: string | undefined): string {
    const stretches = this.#stretches.get(device) ?? [];
    return take !== '' ? take : ((stretches.findLast((one) => one.recording === recording) ?? stretches.at(-1))?.take ?? '');
  }
}

/** The recording, and when its window 0 was: the key says both where nobody else does. */
function placeOf({ key, recording, originUs, fromUs, hopUs }: DetectionInput): { readonly recording: string; readonly originUs: number } {
  const slash = key.lastIndexOf('/');
  return { recording: recording ?? key.slice(0, slash), originUs: originUs ?? fromUs - Number(key.slice(slash + 1)) * hopUs };
}
