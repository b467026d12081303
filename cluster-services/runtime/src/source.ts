/** The URL of a worker's file beside the caller, `workerUrl('./commit-worker', import.meta.url)`: .ts from source, .js from dist. */
export function workerUrl(name: string, importMetaUrl: string): URL {
  return new URL(`${name}${isSource(importMetaUrl) ? '.ts' : '.js'}`, importMetaUrl);
}

/** What `execArgv` a worker or child must add so that it, too, resolves our packages to their source. */
export function sourceExecArgv(importMetaUrl: string): string[] {
  return isSource(importMetaUrl) ? ['--conditions=source'] : [];
}

function isSource(importMetaUrl: string): boolean {
  return new URL(importMetaUrl).pathname.endsWith('.ts');
}
