/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(logit: number): number {
  return logit >= 0 ? 1 / (1 + Math.exp(-logit)) : Math.exp(logit) / (1 + Math.exp(logit));
}

/** The temperature that makes the logits most likely for the truth: one number, so that it cannot change any order. */
export function fitTemperature(logits: readonly number[], truth: readonly boolean[]): number {
  const loss = (temperature: number) =>
    logits.reduce((sum, logit, index) => {
      const scaled = (truth[index] === true ? logit : -logit) / temperature;
      return sum + (scaled > 0 ? Math.log1p(Math.exp(-scaled)) : Math.log1p(Math.exp(scaled)) - scaled);
    }, 0);
  // Golden-section search over the logarithm: the loss has one minimum there.
  const ratio = (Math.sqrt(5) - 1) / 2;
  let low = Math.log(0.05);
  let high = Math.log(20);
  for (let step = 0; step < 60; step++) {
    const left = high - ratio * (high - low);
    const right = low + ratio * (high - low);
    if (loss(Math.exp(left)) < loss(Math.exp(right))) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
