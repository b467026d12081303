import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

const src = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

let code = '';
let imports: readonly string[] = ['not built'];
let browser: Awaited<ReturnType<typeof chromium.launch>> | null = null;

beforeAll(async () => {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: src('.'),
    resolve: { conditions: ['source'] },
    build: { write: false, minify: false, lib: { entry: src('index.ts'), formats: ['es'], fileName: 'contract' } },
  });
  const [result] = Array.isArray(built) ? built : [built];
  if (result === undefined || !('output' in result)) throw new Error('vite gave no output');
  expect(result.output).toHaveLength(1);
  const [chunk] = result.output;
  code = chunk.code;
  imports = [...chunk.imports, ...chunk.dynamicImports];
});

afterAll(() => browser?.close());

test('the bundle imports nothing: no Node module, no polyfill', () => {
  expect(imports).toEqual([]);
  expect(code.match(/["']node:|__vite[-_]browser[-_]external/g) ?? []).toEqual([]);
});

test('a browser reads the golden messages and writes the same bytes', async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
  const page = await browser.newPage();
  await page.goto('about:blank');
  const notMessages = new Set(['hello', 'hello-rival', 'live-status', 'live-status-problem', 'sample-block', 'live-frame']);
  const files = readdirSync(src('golden')).map((file) => file.replace('.hex', ''));
  const golden = files.map((name) => [name, readFileSync(src(`golden/${name}.hex`), 'utf8').replace(/\s/g, '')] as const);
  const run = `(async () => {
    const contract = await import(URL.createObjectURL(new Blob([${JSON.stringify(code)}], { type: 'text/javascript' })));
    const bytesOf = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
    const again = (name, bytes) => {
      const [decode, encode] = {
        'hello': [contract.decodeHello, contract.encodeHello],
        'hello-rival': [contract.decodeHello, contract.encodeHello],
        'live-status': [contract.decodeLiveStatus, contract.encodeLiveStatus],
        'live-status-problem': [contract.decodeLiveStatus, contract.encodeLiveStatus],
        'sample-block': [contract.decodeSampleBlock, contract.encodeSampleBlock],
        'live-frame': [contract.decodeLiveFrame, (frame) => contract.encodeLiveFrame(frame.topic, frame.live, frame.receivedAtUs, frame.message)],
      }[name] ?? [contract.decodeMessage, contract.encodeMessage];
      const decoded = decode(bytes);
      return decoded.ok ? contract.bytesToHex(encode(decoded.value)) : decoded.reason;
    };
    const id = contract.newRecordingId('gateway-1', 1763800000000, Uint8Array.of(1, 2, 3, 4, 5, 6));
    return { id, results: ${JSON.stringify(golden)}.map(([name, hex]) => [name, again(name, bytesOf(hex))]) };
  })()`;
  const seen = await page.evaluate<{ id: string; results: [string, string][] }>(run);
  expect(seen.id).toBe('019aaaac-2600-7102-8304-0506e11eea07');
  expect(seen.results).toEqual(golden);
  expect(files.filter((name) => !notMessages.has(name)).length).toBeGreaterThan(12);
});
