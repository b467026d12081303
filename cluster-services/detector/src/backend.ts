import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export type BackendName = 'wasm' | 'tfjs-node';

/** What of a logger the detector uses; a pino logger fits. */
export type DetectorLog = { info(details: object, message: string): void; warn(details: object, message: string): void };

type Core = typeof import('@tensorflow/tfjs-core');

/** The parts of tfjs that inference and training need, with one backend made current. */
export type Tensors = { readonly tf: Core; readonly layers: typeof import('@tensorflow/tfjs-layers'); readonly backend: BackendName };

const tfjsName: Readonly<Record<BackendName, string>> = { wasm: 'wasm', 'tfjs-node': 'tensorflow' };

/** Loads tfjs with the given backend, or throws saying why it cannot be had. Only one backend is current in a process. */
export async function openBackend(backend: BackendName): Promise<Tensors> {
  const tf = await import('@tensorflow/tfjs-core');
  if (backend === 'tfjs-node') await registerTfjsNode();
  else await registerWasm();
  const layers = await import('@tensorflow/tfjs-layers');
  await keepingProcessListeners(async () => {
    if (!(await tf.setBackend(tfjsName[backend]))) throw new Error(`tfjs could not start its backend ${tfjsName[backend]}`);
    await tf.ready();
  });
  return { tf, layers, backend };
}

/** Throws if something else in the process has made another backend current: its tensors would be read by the wrong one. */
export function assertCurrent({ tf, backend }: Tensors): void {
  if (tf.getBackend() !== tfjsName[backend])
    throw new Error(`tfjs backend is ${tf.getBackend()}, the detector was loaded with ${tfjsName[backend]}`);
}

async function registerWasm(): Promise<void> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  // The .wasm files lie beside the package's main file; the backend takes the SIMD one where the processor has it.
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))}/`);
}

/** tfjs-node is an optional dependency whose native part may be missing or of another platform. */
async function registerTfjsNode(): Promise<void> {
  const require = createRequire(import.meta.url);
  // Importing it loads all of tfjs, a third of a second, only to find this out.
  const home = dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
  if (!hasNativePart(join(home, 'lib'))) throw new Error('@tensorflow/tfjs-node is installed without its native part');
  // tfjs-node 4.22 calls util.isNullOrUndefined, which Node 23 removed.
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const optional: string = '@tensorflow/tfjs-node'; // not a literal: it may be absent when types are checked
  await import(optional);
}

function hasNativePart(lib: string): boolean {
  return existsSync(lib) && readdirSync(lib).some((name) => existsSync(join(lib, name, 'tfjs_binding.node')));
}

/** The WebAssembly start-up hooks the process's fatal errors and throws them again; crashes are the main program's to handle. */
async function keepingProcessListeners(start: () => Promise<void>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  await start();
  for (const [index, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (before[index]?.has(listener) !== true) process.removeListener(event, listener);
    }
  }
}
