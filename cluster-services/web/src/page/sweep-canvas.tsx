import { type EegTrace, PAGE_SECONDS } from '@vitalwire/vitals';
import { useEffect, useRef } from 'preact/hooks';

/** The strip: one canvas, redrawn on animation frames, never through the component tree. */
export function SweepCanvas({ trace, isFresh, description }: { trace: EegTrace; isFresh: boolean; description: string }) {
  const canvasRef = useRef<HTMLCanvasElement>(null);
  const captionRef = useRef<HTMLSpanElement>(null);
  const freshRef = useRef(isFresh);
  freshRef.current = isFresh;

  useEffect(() => {
    const canvas = canvasRef.current;
    if (canvas === null) return;
    let request = 0;
    let lastDrawn = 0;
    const draw = (atMs: number): void => {
      request = requestAnimationFrame(draw);
      if (atMs - lastDrawn < 30) return; // 30 a second are enough for a line that moves a few pixels
      lastDrawn = atMs;
      trace.tick(performance.now()); // the erase bar moves on without data
      drawStrip(canvas, trace, freshRef.current);
      const { label, halfRange, unit } = trace.caption;
      const caption = `${label} · ±${halfRange} ${unit}, negative up · ${PAGE_SECONDS} s`;
      if (captionRef.current !== null && captionRef.current.textContent !== caption) captionRef.current.textContent = caption;
    };
    request = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(request);
  }, [trace]);

  return (
    <>
      <canvas ref={canvasRef} role="img" aria-label={description} />
      <figcaption>
        <span ref={captionRef} />
        <span>sweep: the newest is left of the gap</span>
      </figcaption>
    </>
  );
}

function drawStrip(canvas: HTMLCanvasElement, trace: EegTrace, isFresh: boolean): void {
  const scale = window.devicePixelRatio || 1;
  const width = Math.max(2, Math.round(canvas.clientWidth * scale));
  const height = Math.max(2, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  trace.resize(width);
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.clearRect(0, 0, width, height);
  drawGrid(context, width, height, scale);
  drawTrace(context, trace, width, height, scale, isFresh);
}

function drawGrid(context: CanvasRenderingContext2D, width: number, height: number, scale: number): void {
  context.fillStyle = '#16202a';
  for (let second = 1; second < PAGE_SECONDS; second++)
    context.fillRect(Math.round((width * second) / PAGE_SECONDS), 0, Math.max(1, scale / 2), height);
  context.fillStyle = '#1d2a36';
  context.fillRect(0, Math.round(height / 2), width, Math.max(1, scale / 2));
}

function drawTrace(
  context: CanvasRenderingContext2D,
  trace: EegTrace,
  width: number,
  height: number,
  scale: number,
  isFresh: boolean,
): void {
  const { sweep } = trace;
  const halfRange = trace.halfRange();
  const y = (value: number): number => Math.min(height - 1, Math.max(0, (value / halfRange / 2 + 0.5) * height));
  context.fillStyle = isFresh ? '#5fd4b1' : '#7b8b99';
  const line = Math.max(1, scale * 1.25);
  for (let slot = 0; slot < width; slot++) {
    const column = sweep.column(slot);
    if (column === null) continue;
    const top = y(column.min);
    context.fillRect(slot, top - line / 2, Math.max(1, scale * 0.9), Math.max(line, y(column.max) - top + line));
  }
  const head = sweep.head();
  if (head >= 0 && isFresh) {
    context.fillStyle = '#d9fff3';
    context.fillRect(head + 1, 0, Math.max(1, scale), height);
  }
}
