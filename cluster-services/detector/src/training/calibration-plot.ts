import type { CalibrationBin } from './metrics.ts';

const SIDE = 420;
const MARGIN = 60;

/** Reliability diagram: how often windows with a probability near p were ictal. A dot's area tells how many windows it stands for. */
export function calibrationSvg(
  curves: readonly { readonly name: string; readonly colour: string; readonly bins: readonly CalibrationBin[] }[],
): string {
  const x = (value: number) => MARGIN + value * SIDE;
  const y = (value: number) => MARGIN + (1 - value) * SIDE;
  const n = (value: number) => value.toFixed(1);
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((value) => [
    `<text x="${n(x(value))}" y="${MARGIN + SIDE + 20}" text-anchor="middle">${value}</text>`,
    `<text x="${MARGIN - 10}" y="${n(y(value) + 4)}" text-anchor="end">${value}</text>`,
    `<path d="M${n(x(value))} ${MARGIN}v${SIDE}M${MARGIN} ${n(y(value))}h${SIDE}" stroke="#ddd"/>`,
  ]);
  const drawn = curves.flatMap(({ name, colour, bins }, index) => [
    `<polyline fill="none" stroke="${colour}" points="${bins.map((bin) => `${n(x(bin.meanProbability))},${n(y(bin.ictalShare))}`).join(' ')}"/>`,
    ...bins.map((bin) => {
      const radius = Math.min(14, 2 + Math.sqrt(bin.count) / 6);
      const title = `${name}: ${bin.count} windows, mean probability ${bin.meanProbability.toFixed(3)}, ictal ${bin.ictalShare.toFixed(3)}`;
      return `<circle cx="${n(x(bin.meanProbability))}" cy="${n(y(bin.ictalShare))}" r="${n(radius)}" fill="${colour}" fill-opacity=".45"><title>${title}</title></circle>`;
    }),
    `<text x="${MARGIN + 12}" y="${MARGIN + 22 + 20 * index}" fill="${colour}">${name}</text>`,
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIDE + 2 * MARGIN} ${SIDE + 2 * MARGIN}" font-family="sans-serif" font-size="13" role="img" aria-label="calibration plot">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...ticks,
    `<path d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}" stroke="#888" stroke-dasharray="4 4"/>`,
    ...drawn,
    `<text x="${MARGIN + SIDE / 2}" y="${MARGIN + SIDE + 44}" text-anchor="middle">probability given</text>`,
    `<text transform="translate(18 ${MARGIN + SIDE / 2}) rotate(-90)" text-anchor="middle">share that was ictal</text>`,
    '</svg>',
    '',
  ].join('\n');
}
