/** The newest samples of one signal under their own numbers; older ones are forgotten when told. */
export class SampleTail {
  #values = new Float64Array(1024);
  #from = 0; // number of the oldest sample still held
  #count = 0;

  get from(): number {
    return this.#from;
  }

  /** The number the next sample will have. */
  get end(): number {
    return this.#from + this.#count;
  }

  clone(): SampleTail {
    const copy = new SampleTail();
    copy.#values = this.#values.slice();
    copy.#from = this.#from;
    copy.#count = this.#count;
    return copy;
  }

  restart(at: number): void {
    this.#from = at;
    this.#count = 0;
  }

  push(samples: Float64Array): void {
    if (this.#count + samples.length > this.#values.length) {
      const grown = new Float64Array(2 * (this.#count + samples.length));
      grown.set(this.#values.subarray(0, this.#count));
      this.#values = grown;
    }
    this.#values.set(samples, this.#count);
    this.#count += samples.length;
  }

  /** Samples from..to (the last not included), valid until something is pushed or forgotten; throws for samples that are not held. */
  view(from: number, to: number): Float64Array {
    if (from < this.#from || to > this.end) throw new RangeError(`samples ${from} to ${to} asked for, ${this.#from} to ${this.end} held`);
    return this.#values.subarray(from - this.#from, to - this.#from);
  }

  forgetBefore(sample: number): void {
    const drop = Math.min(Math.max(0, sample - this.#from), this.#count);
    if (drop === 0) return;
    this.#values.copyWithin(0, drop, this.#count);
    this.#from += drop;
    this.#count -= drop;
  }
}
