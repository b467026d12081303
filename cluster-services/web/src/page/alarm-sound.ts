import type { SoundPattern } from '@vitalwire/vitals';

// A high alarm is a burst of ten pulses: three, two, a pause, and the same again; a medium one of three slower ones. What is technical is
// two low ones, so that it is never taken for a patient. Vocabulary inspired by IEC 60601-1-8; nothing is certified.
const patterns: Readonly<Record<SoundPattern, { readonly startsS: readonly number[]; readonly pulseS: number; readonly pitchHz: number }>> =
  {
    high: { startsS: [0, 0.2, 0.4, 0.75, 0.95, 1.75, 1.95, 2.15, 2.5, 2.7], pulseS: 0.14, pitchHz: 660 },
    medium: { startsS: [0, 0.35, 0.7], pulseS: 0.2, pitchHz: 523 },
    technical: { startsS: [0, 0.5], pulseS: 0.3, pitchHz: 330 },
  };
const RAMP_S = 0.02;
const LEVEL = 0.25;

/** The page's sound. It is off until a person switches it on with a click, because browsers play nothing before. */
export class AlarmSound {
  #context: AudioContext | null = null;
  /** Bursts played since the page was opened. */
  bursts = 0;

  /** Whether a burst would be heard: also a browser may suspend a tab's sound. */
  get isOn(): boolean {
    return this.#context?.state === 'running';
  }

  /** Called from a click. Plays a short tone, so that whoever switched it on hears that it works. */
  async switchOn(): Promise<void> {
    this.#context ??= new AudioContext();
    await this.#context.resume();
    this.#pulse(this.#context.currentTime, patterns.high);
  }

  async switchOff(): Promise<void> {
    const context = this.#context;
    this.#context = null;
    await context?.close();
  }

  burst(pattern: SoundPattern): void {
    const context = this.#context;
    if (context === null || context.state !== 'running') return;
    this.bursts += 1;
    for (const start of patterns[pattern].startsS) this.#pulse(context.currentTime + start, patterns[pattern]);
  }

  #pulse(at: number, { pulseS, pitchHz }: { readonly pulseS: number; readonly pitchHz: number }): void {
    const context = this.#context;
    if (context === null) return;
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(LEVEL, at + RAMP_S);
    gain.gain.setValueAtTime(LEVEL, at + pulseS - RAMP_S);
    gain.gain.linearRampToValueAtTime(0, at + pulseS);
    gain.connect(context.destination);
    for (const harmonic of [1, 2, 3, 4]) {
      const tone = context.createOscillator();
      tone.frequency.value = pitchHz * harmonic;
      const share = context.createGain();
      share.gain.value = 1 / (harmonic * 2);
      tone.connect(share).connect(gain);
      tone.start(at);
      tone.stop(at + pulseS);
    }
  }
}
